package config

import (
	"bytes"
	"cmp"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
)

// Default returns the configuration of an empty file. It is not complete:
// the required keys have no default.
func Default() Config {
	var c Config
	setDefaults(reflect.ValueOf(&c).Elem())
	return c
}

// Load reads the configuration file at path, with secrets from the
// environment and from files. The error is [Problems].
func Load(path string) (*Config, []Warning, error) {
	text, err := readFile(path, maxFile+1)
	if err != nil {
		return nil, nil, Problems{{File: path, Message: why(err), Hint: "name the configuration with --config FILE"}}
	}
	return Parse(path, text, os.LookupEnv)
}

// Parse reads a configuration from text. The name stands in messages, and
// relative paths are resolved against its folder; env looks up environment
// variables. The error is [Problems].
func Parse(name string, text []byte, env func(string) (string, bool)) (*Config, []Warning, error) {
	return parse(name, text, world{dir: filepath.Dir(name), env: env, read: readFile, stat: os.Stat})
}

func parse(name string, text []byte, w world) (*Config, []Warning, error) {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	d := &decoder{world: w, source: newSource(text), places: map[string]place{}, failed: map[string]bool{}}
	root, at, err := syntax(text)
	if err != nil {
		d.hideDelicate(at)
		d.fail("", at, err)
		return nil, nil, d.report(name)
	}
	c := Default()
	d.document(root, &c)
	c.resolvePaths(w)
	if !d.exhausted() {
		for _, r := range c.rules(w) {
			d.check(r)
		}
	}
	if len(d.problems) > 0 {
		return nil, nil, d.report(name)
	}
	var warnings []Warning
	for _, r := range c.advice() {
		if r.bad {
			at := d.placeFor(r.key)
			warnings = append(warnings, Warning{File: name, Line: at.line, Column: at.column, Key: r.key, Message: r.message, Hint: r.hint})
		}
	}
	return &c, warnings, nil
}

// check records the problem of a broken rule, unless the key or a section
// around it has a problem already.
func (d *decoder) check(r rule) {
	if !r.bad {
		return
	}
	for k := r.key; k != ""; k = parent(k) {
		if d.failed[k] {
			return
		}
	}
	d.problem(r.key, d.placeFor(r.key), r.message, r.hint)
}

// placeFor returns where a key stands, or the nearest section around it.
func (d *decoder) placeFor(k string) place {
	for ; k != ""; k = parent(k) {
		if at, ok := d.places[k]; ok {
			return at
		}
	}
	return place{}
}

// parent returns the key of the section around a key: clients[1].name,
// clients[1], clients, "".
func parent(k string) string {
	return k[:max(strings.LastIndexAny(k, ".["), 0)]
}

// report returns the problems in the order of the file.
func (d *decoder) report(name string) Problems {
	for i := range d.problems {
		p := &d.problems[i]
		p.File, p.Source = name, d.around(place{p.Line, p.Column})
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	return d.problems
}

// resolvePaths makes relative paths relative to the file's folder.
func (c *Config) resolvePaths(w world) {
	c.Database = c.Database.below(w.dir)
	paths := []*string{&c.TLS.Certificate, &c.TLS.Key, &c.Certificates.CA, &c.UsersFile, &c.TemplatesDir, &c.BrandingDir}
	for i := range c.Clients {
		paths = append(paths, &c.Clients[i].JWKS)
	}
	for i := range c.Connectors {
		paths = append(paths, &c.Connectors[i].LDAP.CA, &c.Connectors[i].Legacy.File)
	}
	for i := range c.TrustedIssuers {
		paths = append(paths, &c.TrustedIssuers[i].JWKS)
	}
	for i := range c.Connectors {
		paths = append(paths, &c.Connectors[i].SAML.Metadata, &c.Connectors[i].SAML.Certificate)
	}
	for _, p := range paths {
		*p = w.below(*p)
	}
}
