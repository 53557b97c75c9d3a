package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"keyway/config"
	"keyway/provider/pages"
	"keyway/templates"
)

// newPages reads the pages for people, the operator's own files included.
func newPages(cfg *config.Config) (*pages.Pages, error) {
	web, err := templates.Web()
	if err != nil {
		return nil, err
	}
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer: %w", err)
	}
	o := pages.Options{Files: web, Base: strings.TrimSuffix(issuer.EscapedPath(), "/")}
	if cfg.BrandingDir != "" {
		o.Branding = os.DirFS(cfg.BrandingDir)
	}
	site, err := pages.New(o)
	if err != nil && cfg.BrandingDir != "" {
		return nil, fmt.Errorf("branding_dir: %w", err)
	}
	return site, err
}
