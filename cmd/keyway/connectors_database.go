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
	"keyway/provider/identity"
	"keyway/provider/upstream/database"
)

// databaseFile is where a legacy system's folder says how its people are found in
// its own database.
const databaseFile = "database.yaml"

// databasePreset is such a file.
type databasePreset struct {
	Query        string         `yaml:"query"`
	FollowQuery  string         `yaml:"follow_query"`
	DisabledWhen string         `yaml:"disabled_when"`
	StatusFirst  bool           `yaml:"status_first"`
	Mapping      config.Mapping `yaml:"mapping"`
}

// applyPresets writes what presets say into the connectors that name one and do not
// say it themselves.
func applyPresets(cfg *config.Config) error {
	f, err := openFolders(cfg.TemplatesDir)
	if err != nil {
		return err
	}
	all := []error{applyLegacyPresets(cfg, f)}
	for i := range cfg.Connectors {
		c := &cfg.Connectors[i]
		if c.Database.Preset == "" {
			continue
		}
		preset, err := f.databasePreset(c.Database.Preset)
		if err != nil {
			all = append(all, fmt.Errorf("connector %s: database.preset: %w", c.ID, err))
			continue
		}
		preset.apply(c)
	}
	return errors.Join(all...)
}

func (f folders) databasePreset(name string) (*databasePreset, error) {
	tree, ok := f.of(name)
	if !ok {
		return nil, fmt.Errorf("there is no legacy system %q", name)
	}
	text, err := fs.ReadFile(tree, path.Join(name, databaseFile))
	if err != nil {
		return nil, fmt.Errorf("the folder of %s has no %s", name, databaseFile)
	}
	var p databasePreset
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&p); err != nil {
		return nil, fmt.Errorf("%s/%s: %s", name, databaseFile, yaml.FormatError(err, false, true))
	}
	return &p, nil
}

func (p *databasePreset) apply(c *config.Connector) {
	d, m := &c.Database, &c.Mapping
	d.Query, d.FollowQuery = cmp.Or(d.Query, p.Query), cmp.Or(d.FollowQuery, p.FollowQuery)
	d.DisabledWhen, d.StatusFirst = cmp.Or(d.DisabledWhen, p.DisabledWhen), d.StatusFirst || p.StatusFirst
	fillMapping(m, &p.Mapping)
}

// connectorIssuer is what people of an upstream without a name of its own are of, unless the
// operator says. An old server has one, its URL.
func connectorIssuer(c *config.Connector) string {
	if c.Type == "legacy" {
		return cmp.Or(c.Issuer, c.Legacy.URL)
	}
	return cmp.Or(c.Issuer, "urn:keyway:connector:"+c.ID)
}

func databaseOptions(c *config.Connector) database.Options {
	d := c.Database
	return database.Options{
		DSN: d.DSN.Reveal(), Issuer: connectorIssuer(c), Query: d.Query, FollowQuery: d.FollowQuery,
		DisabledWhen: d.DisabledWhen, StatusFirst: d.StatusFirst, Import: d.Import, Timeout: d.Timeout, MaxConns: d.MaxConns,
	}
}

func (p *program) databaseConnector(c *config.Connector, one *federation.Connector) error {
	o := databaseOptions(c)
	var err error
	if o.Hashes, err = identity.NewForeign(p.hasher, p.now); err != nil {
		return err
	}
	u, err := database.New(o)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, u.Close)
	one.Verifier = u
	if u.Follows() {
		one.Follower = u
	}
	return nil
}

// checkDatabase reports what is wrong with a connector's queries.
func checkDatabase(c *config.Connector) error {
	if c.Type != "database" {
		return nil
	}
	return database.Check(databaseOptions(c))
}
