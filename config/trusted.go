package config

import (
	"fmt"
	"net/url"
	"time"
)

// Trusted declares somebody else whose signed word on who a user is counts.
type Trusted struct {
	Issuer       string        `yaml:"issuer" required:"true" doc:"The claim iss of its tokens, compared exactly."`
	JWKS         string        `yaml:"jwks" doc:"File with its public keys (RFC 7517)."`
	JWKSURI      string        `yaml:"jwks_uri" doc:"URL at which it publishes its public keys, in place of jwks; fetched when needed."`
	Audience     []string      `yaml:"audience" doc:"What its tokens must be for; one of them is enough. Empty: the issuer of this provider, or its token endpoint."`
	Algorithms   []string      `yaml:"algorithms" enum:"ES256 RS256 PS256 EdDSA" doc:"What its tokens may be signed with. Empty: all of them."`
	SubjectClaim string        `yaml:"subject_claim" default:"sub" doc:"The claim that names the user; email counts only beside email_verified."`
	SubjectIs    string        `yaml:"subject_is" default:"login_name" enum:"login_name subject" doc:"What that claim is here: a login name in directory, or a user's subject."`
	Directory    string        `yaml:"directory" default:"default" doc:"The directory of its login names."`
	MaxAge       time.Duration `yaml:"max_age" default:"1h" min:"1s" max:"24h" doc:"How long after its iat a token may be exchanged."`
	Scopes       []string      `yaml:"scopes" required:"true" doc:"The scopes that its tokens are good for at most."`
	Clients      []string      `yaml:"clients" doc:"The clients that may present its tokens. Empty: every client that may exchange, or use the jwt-bearer grant."`
}

func (c *Config) trustedRules(w world) []rule {
	var rs []rule
	seen := map[string]bool{}
	for i, x := range c.TrustedIssuers {
		at := fmt.Sprintf("trusted_issuers[%d].", i)
		rs = append(rs, x.rules(at)...)
		rs = append(rs,
			rule{at + "issuer", x.Issuer == c.Issuer, "is this provider's own", "its tokens need no trust"},
			rule{at + "issuer", seen[x.Issuer], "is trusted already", ""},
			w.fileRule(at+"jwks", x.JWKS))
		seen[x.Issuer] = true
	}
	return rs
}

func (x *Trusted) rules(at string) []rule {
	who, err := url.Parse(x.Issuer)
	keys, ok := parseURL(x.JWKSURI)
	rs := []rule{
		{at + "issuer", err != nil || !who.IsAbs(), "must be a URL or another absolute URI", "write it as its tokens do"},
		{at + "jwks", x.JWKS == "" && x.JWKSURI == "", "is required", "name a file with its keys, or write jwks_uri"},
		{at + "jwks_uri", x.JWKS != "" && x.JWKSURI != "", "does not go with jwks", "keep one of them"},
		{
			at + "jwks_uri", x.JWKSURI != "" && (!ok || keys.User != nil || keys.Fragment != "" || keys.Scheme != "https" && !isLoopback(keys.Hostname())),
			"must be an https URL with a host, without user and fragment", "",
		},
		{at + "subject_claim", x.SubjectClaim == "", "must not be empty", ""},
		{at + "directory", x.Directory == "" && x.SubjectIs == "login_name", "must not be empty for login names", ""},
		{at + "scopes", len(x.Scopes) == 0, "must not be empty", "its tokens are good for nothing else"},
	}
	rs = append(rs, listRules(at+"algorithms", x.Algorithms, func(string) bool { return true }, "", "")...)
	rs = append(rs, listRules(at+"audience", x.Audience, scopeToken.MatchString, "must be one audience without spaces", "")...)
	rs = append(rs, listRules(at+"clients", x.Clients, clientID.MatchString, "must be a client's id", "")...)
	return append(rs, listRules(at+"scopes", x.Scopes, scopeToken.MatchString, "must be one scope", "write a list: [openid, profile]")...)
}
