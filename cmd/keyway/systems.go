package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"keyway/adapter"
	"keyway/config"
	"keyway/templates"
)

// folders are where legacy systems are described: the built-in ones and, if
// set, the operator's, which win where both have a folder of the same name.
type folders struct {
	own     fs.FS // nil: none
	builtIn fs.FS
}

func openFolders(dir string) (folders, error) {
	f := folders{builtIn: templates.Systems()}
	if dir == "" {
		return f, nil
	}
	info, err := os.Stat(dir)
	if err != nil {
		return f, fmt.Errorf("templates_dir: %w", err)
	}
	if !info.IsDir() {
		return f, fmt.Errorf("templates_dir: %s is not a folder", dir)
	}
	f.own = os.DirFS(dir)
	return f, nil
}

// of returns the tree that has the folder.
func (f folders) of(name string) (fs.FS, bool) {
	for _, tree := range []fs.FS{f.own, f.builtIn} {
		if tree == nil || !fs.ValidPath(name) || strings.Contains(name, "/") {
			continue
		}
		if _, err := fs.Stat(tree, path.Join(name, "system.yaml")); err == nil {
			return tree, true
		}
	}
	return nil, false
}

// names returns all folders in alphabetical order.
func (f folders) names() []string {
	var names []string
	for _, tree := range []fs.FS{f.own, f.builtIn} {
		if tree == nil {
			continue
		}
		found, err := fs.Glob(tree, "*/system.yaml")
		if err != nil {
			continue
		}
		for _, file := range found {
			names = append(names, path.Dir(file))
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// strays reports folders of the operator's that describe nothing.
func (f folders) strays() error {
	if f.own == nil {
		return nil
	}
	entries, err := fs.ReadDir(f.own, ".")
	if err != nil {
		return fmt.Errorf("templates_dir: %w", err)
	}
	var problems []error
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if _, err := fs.Stat(f.own, path.Join(e.Name(), "system.yaml")); err != nil {
			problems = append(problems, fmt.Errorf("templates_dir: the folder %s has no system.yaml", e.Name()))
		}
	}
	return errors.Join(problems...)
}

// load loads one profile of a system; "" is the one of system.yaml.
func (f folders) load(name, profile string) (*adapter.System, error) {
	tree, ok := f.of(name)
	if !ok {
		return nil, fmt.Errorf("there is no legacy system %q; there are: %s", name, strings.Join(f.names(), ", "))
	}
	if profile != "" && profile != "system" && fs.ValidPath(profile) && !strings.Contains(profile, "/") {
		if _, err := fs.Stat(tree, path.Join(name, profile+".yaml")); err == nil {
			return adapter.Load(tree, name, profile+".yaml")
		}
	}
	s, err := adapter.Load(tree, name, "system.yaml")
	if err != nil || profile == "" || s.Profile == profile {
		return s, err
	}
	return nil, fmt.Errorf("%s has no profile %q; there are: %s", name, profile, strings.Join(profilesOf(tree, name, s), ", "))
}

func profilesOf(tree fs.FS, name string, standard *adapter.System) []string {
	profiles := []string{standard.Profile}
	files, err := fs.Glob(tree, path.Join(name, "*.yaml"))
	if err != nil {
		return profiles
	}
	for _, file := range files {
		if base := strings.TrimSuffix(path.Base(file), ".yaml"); base != "system" && adapter.IsProfile(file) {
			profiles = append(profiles, base)
		}
	}
	return profiles
}

// loadSystems turns the declared systems into instances, and reports every problem of
// all of them.
func loadSystems(cfg *config.Config) ([]adapter.Instance, error) {
	f, err := openFolders(cfg.TemplatesDir)
	if err != nil {
		return nil, err
	}
	var instances []adapter.Instance
	var problems []error
	loaded := map[[2]string]*adapter.System{}
	for _, s := range cfg.Systems {
		key := [2]string{s.Template, s.Profile}
		system := loaded[key]
		if system == nil {
			if system, err = f.load(s.Template, s.Profile); err != nil {
				problems = append(problems, fmt.Errorf("system %s: %w", s.Name, err))
				continue
			}
			loaded[key] = system
		}
		problems = append(problems, literalSecrets(s, system)...)
		instances = append(instances, instanceOf(cfg, s, system))
	}
	return instances, errors.Join(problems...)
}

// literalSecrets reports secrets that stand in the configuration itself. What
// comes from a reference is a [config.Secret].
func literalSecrets(s config.System, system *adapter.System) []error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(s.Settings)) {
		v := s.Settings[name]
		if _, ok := v.(config.Secret); ok || v == nil || v == "" || system.Settings[name].Type != adapter.SettingSecret {
			continue
		}
		problems = append(problems, fmt.Errorf("system %s: settings.%s: this is a secret; write env:NAME or file:PATH", s.Name, name))
	}
	return problems
}

func instanceOf(cfg *config.Config, s config.System, system *adapter.System) adapter.Instance {
	settings := make(map[string]any, len(s.Settings))
	for name, v := range s.Settings {
		if secret, ok := v.(config.Secret); ok {
			v = secret.Reveal()
		}
		settings[name] = v
	}
	return adapter.Instance{
		Name: s.Name, System: system, Host: s.Host, BasePath: s.BasePath, SiteURL: siteURL(cfg, s),
		Settings: settings, Client: internalClientID(s.Name), Directory: s.Directory, Accounts: s.Accounts,
		Lifetime: s.Lifetime, UniformErrors: s.UniformErrors,
	}
}

// siteURL is where the outside sees a system: as configured, else the issuer
// (or its host name at the issuer's scheme) with the base path.
func siteURL(cfg *config.Config, s config.System) string {
	site := s.SiteURL
	if site == "" {
		site = origin(cfg.Issuer)
		if scheme, _, ok := strings.Cut(site, "://"); ok && s.Host != "" {
			site = scheme + "://" + s.Host
		}
		site += s.BasePath
	}
	return strings.TrimRight(site, "/") + "/"
}

// origin cuts a URL behind its host.
func origin(u string) string {
	scheme, rest, ok := strings.Cut(u, "://")
	if !ok {
		return u
	}
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

func internalClientID(system string) string { return "legacy-" + system }
