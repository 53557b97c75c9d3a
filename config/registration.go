package config

import "regexp"

// Registration says whether clients may register themselves, and as what.
type Registration struct {
	Mode             string   `yaml:"mode" default:"off" enum:"off token open" doc:"Who may: nobody, holders of an invitation made by keyway clients invite, or everybody."`
	GrantTypes       []string `yaml:"grant_types" default:"authorization_code refresh_token" enum:"authorization_code refresh_token client_credentials" doc:"The grants that such a client may use."`
	AuthMethods      []string `yaml:"auth_methods" default:"client_secret_basic client_secret_post private_key_jwt none" enum:"client_secret_basic client_secret_post private_key_jwt none" doc:"How it may authenticate; none is a public client."`
	Scopes           []string `yaml:"scopes" default:"openid profile email offline_access" doc:"The scopes that it may ask for, and gets when it names none. An invitation may have fewer."`
	ApplicationTypes []string `yaml:"application_types" default:"web native" enum:"web native" doc:"What it may be: a web app, which returns to https, or a native one, which may return to loopback and to a scheme of its own."`
	RedirectHosts    []string `yaml:"redirect_hosts" doc:"Hosts that https redirect URIs may have, such as app.example.com or *.preview.example.com; empty: any."`
	MaxClients       int      `yaml:"max_clients" default:"1000" min:"1" max:"1000000" doc:"How many such clients there may be."`
	PerSource        int      `yaml:"per_source" default:"20" min:"1" max:"100000" doc:"How many one address may register in an hour where mode is open, and a tenth of the changes that registered clients may make from there; each replica counts on its own."`
}

var redirectHost = regexp.MustCompile(`^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)

func (r *Registration) rules() []rule {
	starts := false
	for _, g := range r.GrantTypes {
		starts = starts || g != "refresh_token"
	}
	rs := []rule{
		{"registration.grant_types", !starts, "has nothing that starts a grant", "add authorization_code"},
		{"registration.auth_methods", len(r.AuthMethods) == 0, "must not be empty", ""},
		{"registration.application_types", len(r.ApplicationTypes) == 0, "must not be empty", ""},
	}
	every := func(string) bool { return true }
	rs = append(rs, listRules("registration.grant_types", r.GrantTypes, every, "", "")...)
	rs = append(rs, listRules("registration.auth_methods", r.AuthMethods, every, "", "")...)
	rs = append(rs, listRules("registration.application_types", r.ApplicationTypes, every, "", "")...)
	rs = append(rs, listRules("registration.scopes", r.Scopes, scopeToken.MatchString, "must be one scope", "write a list: [openid, profile]")...)
	return append(rs, listRules("registration.redirect_hosts", r.RedirectHosts, redirectHost.MatchString,
		"must be a lower-case host name, or *. and one", "write *.preview.example.com")...)
}
