package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/goccy/go-yaml"

	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/upstream/legacy"
)

// upstreamFile is where a legacy system's folder says how a server of its kind is
// asked about a password.
const upstreamFile = "upstream.yaml"

// maxDescription is the size of such a file, in bytes.
const maxDescription = 64 << 10

// legacyPreset is such a file.
type legacyPreset struct {
	legacy.Description `yaml:",inline"`

	Mapping config.Mapping `yaml:"mapping"`
}

// legacyPreset reads the description of a connector.
func (f folders) legacyPreset(l config.ConnectorLegacy) (*legacyPreset, error) {
	name, text := l.File, []byte(nil)
	if l.File != "" {
		read, err := readLimited(l.File, maxDescription)
		if err != nil {
			return nil, err
		}
		text = []byte(read)
	} else {
		tree, ok := f.of(l.Preset)
		if !ok {
			return nil, fmt.Errorf("there is no legacy system %q", l.Preset)
		}
		var err error
		name = path.Join(l.Preset, upstreamFile)
		if text, err = fs.ReadFile(tree, name); err != nil {
			return nil, fmt.Errorf("the folder of %s has no %s", l.Preset, upstreamFile)
		}
	}
	var p legacyPreset
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&p); err != nil {
		return nil, fmt.Errorf("%s: %s", name, yaml.FormatError(err, false, true))
	}
	return &p, nil
}

// applyLegacyPresets writes the mappings of descriptions into the connectors that do
// not say theirs, and reports what is wrong with them.
func applyLegacyPresets(cfg *config.Config, f folders) error {
	var all []error
	for i := range cfg.Connectors {
		c := &cfg.Connectors[i]
		if c.Type != "legacy" {
			continue
		}
		preset, err := f.legacyPreset(c.Legacy)
		if err != nil {
			all = append(all, fmt.Errorf("connector %s: legacy: %w", c.ID, err))
			continue
		}
		if err := legacy.Check(preset.Description, legacySettings(c)); err != nil {
			all = append(all, fmt.Errorf("connector %s: legacy: %w", c.ID, err))
		}
		fillMapping(&c.Mapping, &preset.Mapping)
	}
	return errors.Join(all...)
}

// fillMapping writes what a preset maps into what the operator left open.
func fillMapping(m, preset *config.Mapping) {
	m.Allow, m.LoginName, m.Roles = cmp.Or(m.Allow, preset.Allow), cmp.Or(m.LoginName, preset.LoginName), cmp.Or(m.Roles, preset.Roles)
	m.Email, m.EmailVerified = cmp.Or(m.Email, preset.Email), cmp.Or(m.EmailVerified, preset.EmailVerified)
	if len(m.Claims) == 0 {
		m.Claims = preset.Claims
	}
	if len(m.Accounts) == 0 {
		m.Accounts = preset.Accounts
	}
}

func (p *program) legacyConnector(c *config.Connector, one *federation.Connector) error {
	f, err := openFolders(p.cfg.TemplatesDir)
	if err != nil {
		return err
	}
	preset, err := f.legacyPreset(c.Legacy)
	if err != nil {
		return err
	}
	calls, err := p.callsTo(c.Guard)
	if err != nil {
		return err
	}
	one.Verifier, err = legacy.New(legacy.Options{
		URL: c.Legacy.URL, Issuer: connectorIssuer(c), Description: preset.Description, Settings: legacySettings(c), HTTP: calls.HTTP(),
	})
	return err
}

func legacySettings(c *config.Connector) map[string]string {
	all := make(map[string]string, len(c.Legacy.Settings))
	for name, v := range c.Legacy.Settings {
		if secret, ok := v.(config.Secret); ok {
			v = secret.Reveal()
		}
		all[name] = fmt.Sprint(v)
	}
	return all
}
