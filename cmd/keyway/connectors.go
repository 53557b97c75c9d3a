package main

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v3"

	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/outbound"
	"keyway/provider/roles"
	"keyway/provider/upstream/mapping"
	"keyway/provider/upstream/oidc"
)

// newFederation makes the connectors; nil where there are none. It calls no
// upstream: one that is away must not keep this program from starting.
func (p *program) newFederation(calls *outbound.Client) (*federation.Federation, error) {
	var all []federation.Connector
	for _, c := range p.cfg.Connectors {
		if c.Disabled {
			continue
		}
		one, err := p.connector(&c, calls)
		if err != nil {
			return nil, fmt.Errorf("connector %s: %w", c.ID, err)
		}
		all = append(all, *one)
	}
	if len(all) == 0 {
		return nil, nil
	}
	key, err := derive(p.cfg, "upstream trips v1")
	if err != nil {
		return nil, err
	}
	return federation.New(federation.Options{
		Connectors: all, Storage: p.store, Links: p.store, Key: key, Now: p.now, Lifetime: p.cfg.Sessions.SignIn, Log: p.log,
	})
}

func (p *program) connector(c *config.Connector, calls *outbound.Client) (*federation.Connector, error) {
	who, err := mapping.New(mappingOf(c))
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	one := &federation.Connector{ID: c.ID, Name: cmp.Or(c.Name, c.ID), Mapper: who, Domains: c.Domains, Create: c.Create, Hidden: c.Hidden, Life: lifeOf(c.Life)}
	switch c.Type {
	case "oidc":
		return one, p.oidcConnector(c, calls, one)
	case "saml":
		return one, p.samlConnector(c, calls, one)
	case "database":
		return one, p.databaseConnector(c, one)
	case "legacy":
		return one, p.legacyConnector(c, one)
	case "oauth":
		return one, p.oauthConnector(c, calls.HTTP(), one)
	case "ldap":
		return one, p.ldapConnector(c, one)
	}
	return nil, fmt.Errorf("type %q is not known", c.Type)
}

func (p *program) oidcConnector(c *config.Connector, calls *outbound.Client, one *federation.Connector) (err error) {
	var key *jose.JSONWebKey
	if !c.Key.IsZero() {
		if key, err = oidc.ParseKey(c.Key.Reveal()); err != nil {
			return err
		}
	}
	if c.PasswordGrant {
		if calls, err = p.callsTo(c.Guard); err != nil {
			return err
		}
	}
	there, err := oidc.New(oidc.Options{
		Issuer: c.Issuer, ClientID: c.ClientID, ClientSecret: c.ClientSecret.Reveal(), SecretPost: c.AuthMethod == "client_secret_post",
		Key: key, RedirectURL: p.callback(c.ID), Scopes: append([]string{}, c.Scopes...), Prompt: c.Prompt,
		Params: texts(c.Params), Algorithms: c.Algorithms, Skew: c.Skew, Refresh: c.Refresh,
		ACRValues: c.ACRValues, RequireACR: c.RequireACR, Tenants: c.Tenants, Userinfo: c.Userinfo, HTTP: calls.HTTP(), Now: p.now,
	})
	if err != nil {
		return err
	}
	one.Upstream, one.Follower, one.ByToken = there, there, true
	if len(c.Tenants) == 0 {
		one.Issuer = c.Issuer
	}
	if c.PasswordGrant {
		one.Verifier = there
	}
	return nil
}

// rolesOf tells clients of the roles that people have by live connectors.
func (p *program) rolesOf(upstreams *federation.Federation) (*roles.Teller, error) {
	if upstreams == nil {
		return nil, nil
	}
	return roles.New(roles.Options{Links: p.store, Live: func(id string) bool { return upstreams.Find(id) != nil }})
}

func lifeOf(l config.Life) federation.Life {
	life := federation.Life{Recheck: l.Recheck, AllowFor: l.WhenAway.AllowFor, MaxSession: l.MaxSession, KeepTokens: l.KeepTokens, SignOut: l.Logout}
	if life.AllowFor == 0 {
		life.AllowFor = -1
	}
	return life
}

// checkConnectors compiles what the connectors map by.
func checkConnectors(declared []config.Connector) error {
	var all []error
	for _, c := range declared {
		if _, err := mapping.New(mappingOf(&c)); err != nil {
			all = append(all, fmt.Errorf("connector %s: mapping: %w", c.ID, err))
		}
		if err := checkConnector(&c); err != nil {
			all = append(all, fmt.Errorf("connector %s: %w", c.ID, err))
		}
	}
	return errors.Join(all...)
}

func mappingOf(c *config.Connector) mapping.Options {
	m := c.Mapping
	o := mapping.Options{
		Connector: c.ID, Directory: c.Directory, Allow: m.Allow, LoginName: m.LoginName, Email: m.Email,
		EmailVerified: m.EmailVerified, Roles: m.Roles, Claims: texts(m.Claims), Accounts: map[string]mapping.Account{},
		Names: map[string]string{},
	}
	for _, n := range m.LoginNames {
		o.Names[n.Directory] = n.Name
	}
	for _, a := range m.Accounts {
		o.Accounts[a.System] = mapping.Account{When: a.When, ID: a.ID, Attributes: texts(a.Attributes)}
	}
	return o
}

// texts are settings that the configuration has judged to be texts.
func texts(settings map[string]any) map[string]string {
	all := make(map[string]string, len(settings))
	for name, v := range settings {
		all[name], _ = v.(string)
	}
	return all
}
