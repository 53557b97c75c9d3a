package main

import (
	"fmt"
	"time"

	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/upstream/ldap"
)

// ldapOptions reads the certificates of who signs the servers'.
func ldapOptions(c *config.Connector, now func() time.Time) (ldap.Options, error) {
	d := c.LDAP
	o := ldap.Options{
		Issuer: connectorIssuer(c), Preset: d.Preset, Servers: d.Servers,
		Security: ldap.Security{StartTLS: d.StartTLS, ServerName: d.ServerName, Insecure: d.Insecure},
		BindDN:   d.BindDN, BindPassword: d.BindPassword.Reveal(), BaseDN: d.BaseDN, Scope: d.Scope,
		UserFilter: d.UserFilter, UserDN: d.UserDN, Domain: d.Domain, Subject: d.Subject, Attributes: d.Attributes,
		Groups:  ldap.Groups{From: d.Groups.From, Filter: d.Groups.Filter, Base: d.Groups.Base, Name: d.Groups.Name, Max: d.Groups.Max},
		Timeout: d.Timeout, Connections: d.MaxConns, Idle: d.Idle, Now: now,
	}
	if d.CA == "" {
		return o, nil
	}
	text, err := readLimited(d.CA, maxAuthorities)
	if err != nil {
		return o, fmt.Errorf("ca: %w", err)
	}
	o.Security.CA = []byte(text)
	return o, nil
}

func (p *program) ldapConnector(c *config.Connector, one *federation.Connector) error {
	o, err := ldapOptions(c, p.now)
	if err != nil {
		return err
	}
	u, err := ldap.New(o)
	if err != nil {
		return err
	}
	p.closers = append(p.closers, u.Close)
	one.Verifier, one.Issuer = u, o.Issuer
	if u.Follows() {
		one.Follower = u
	}
	return nil
}

// checkLDAP reports what is wrong with a connector's filters and names.
func checkLDAP(c *config.Connector) error {
	o, err := ldapOptions(c, time.Now)
	if err != nil {
		return err
	}
	_, err = ldap.New(o) // calls nobody
	return err
}
