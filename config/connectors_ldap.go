package config

import (
	"net/url"
	"strings"
	"time"
)

// ConnectorLDAP says how a directory is asked about its people.
type ConnectorLDAP struct {
	Preset       string          `yaml:"preset" enum:"ad openldap" doc:"What the directory is: ad for Active Directory and Samba, openldap for OpenLDAP and others; it fills the keys that are not given."`
	Servers      []string        `yaml:"servers" doc:"Its servers, ldaps://HOST:PORT or ldap://HOST:PORT; the next is asked where one cannot be reached."`
	StartTLS     bool            `yaml:"start_tls" default:"false" doc:"Whether connections to ldap servers are encrypted before anything else is said; without it they must be on this machine."`
	CA           string          `yaml:"ca" doc:"File with the certificates, in PEM, that servers' certificates have to be signed by; without, those of the system."`
	ServerName   string          `yaml:"server_name" doc:"The name that servers' certificates have to have; without, each server's host."`
	Insecure     bool            `yaml:"insecure" default:"false" doc:"Whether passwords may go over the network in the clear, where there is no encryption."`
	BindDN       string          `yaml:"bind_dn" doc:"Who searches, a DN or a name that the directory takes; without, searches are anonymous."`
	BindPassword Secret          `yaml:"bind_password" doc:"The password of who searches."`
	BaseDN       string          `yaml:"base_dn" doc:"Where people are."`
	Scope        string          `yaml:"scope" default:"sub" enum:"sub one" doc:"How deep they are searched for: sub everywhere below, one directly below."`
	UserFilter   string          `yaml:"user_filter" doc:"The filter that finds somebody by what they typed, {username}; who it does not find any more loses what they have."`
	UserDN       string          `yaml:"user_dn" doc:"What is bound as without a search before, made of {username}: a DN, or a name such as {username}@corp.example."`
	Domain       string          `yaml:"domain" doc:"Active Directory's short name of the domain, so that DOMAIN\\alice is alice."`
	Subject      string          `yaml:"subject" doc:"The attribute by which somebody stays the same whatever they are called; without, objectGUID for ad and entryUUID for others."`
	Attributes   []string        `yaml:"attributes" doc:"The attributes that become claims, under their own names; without, those that the preset has."`
	Groups       ConnectorGroups `yaml:"groups" doc:"Where their groups are, which become the claim groups."`
	Timeout      time.Duration   `yaml:"timeout" default:"5s" min:"100ms" max:"30s" doc:"For one question with all its steps."`
	MaxConns     int             `yaml:"max_connections" default:"32" min:"1" max:"1000" doc:"Connections that are open at a time for searches, and as many for passwords."`
	Idle         time.Duration   `yaml:"idle" default:"5m" min:"1s" max:"1h" doc:"How long a connection is kept that nobody uses."`
}

// ConnectorGroups says where somebody's groups are.
type ConnectorGroups struct {
	From   string `yaml:"from" enum:"none memberof search nested" doc:"none; memberof: the attribute memberOf; search: a search; nested: a search that follows groups in groups, with Active Directory. Without, nested for ad, search for openldap, else none."`
	Filter string `yaml:"filter" doc:"The filter of search: {dn} is the person's entry, and any other {attribute} what they have of it."`
	Base   string `yaml:"base" doc:"Groups elsewhere do not count; without, base_dn."`
	Name   string `yaml:"name" default:"cn" doc:"The attribute that names a group, or dn."`
	Max    int    `yaml:"max" default:"200" min:"1" max:"1000" doc:"Whoever is in more is refused, for a group that is left out may be one that keeps people away."`
}

const typeLDAP = "ldap"

func (d *ConnectorLDAP) used() bool {
	return len(d.Servers) > 0 || d.BaseDN != "" || d.Preset != "" || d.UserFilter != "" || d.UserDN != ""
}

func (x *Connector) ldapRules(at string) []rule {
	d := &x.LDAP
	at += "ldap."
	rs := []rule{
		{strings.TrimSuffix(at, "ldap.") + "domains", len(x.Domains) > 0, "is of no use: nobody's browser goes to a directory", "write a rule with these domains under verifiers"},
		{at + "servers", len(d.Servers) == 0, "must not be empty", "write servers: [ldaps://ldap.corp.example]"},
		{at + "base_dn", d.BaseDN == "", "is required", "write base_dn: dc=corp,dc=example"},
		{at + "user_filter", d.Preset == "" && d.UserFilter == "" && d.UserDN == "", "is required", "or write a preset or a user_dn"},
		{at + "user_filter", d.UserFilter != "" && !strings.Contains(d.UserFilter, "{username}"), "must have {username} in it", "write (uid={username})"},
		{at + "user_dn", d.UserDN != "" && !strings.Contains(d.UserDN, "{username}"), "must have {username} in it", "write uid={username},ou=people,dc=corp,dc=example"},
		{at + "bind_password", (d.BindDN == "") != d.BindPassword.IsZero(), "is needed with bind_dn, and only with it", "a bind without a password is anonymous"},
		{at + "groups.filter", d.Groups.Filter != "" && d.Groups.From == "memberof", "is of no use with from: memberof", "write from: search"},
	}
	return append(rs, listRules(at+"servers", d.Servers, d.reachable, "must be ldaps://HOST:PORT, or ldap://HOST:PORT with start_tls, on this machine, or with insecure: true",
		"passwords go there; start_tls is for ldap: alone")...)
}

// reachable reports whether a password may go to the server as it is written.
func (d *ConnectorLDAP) reachable(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return false
	}
	return u.Scheme == "ldaps" && !d.StartTLS || u.Scheme == "ldap" && (d.StartTLS || d.Insecure || isLoopback(u.Hostname()))
}
