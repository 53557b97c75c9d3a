package config

import (
	"fmt"
	"slices"
	"time"
)

// VerifierRule says who is asked about which passwords.
type VerifierRule struct {
	Systems     []string       `yaml:"systems" doc:"Names of legacy systems; browser is the login page. Empty: all."`
	Directories []string       `yaml:"directories" doc:"Directories of login names. Empty: all."`
	Domains     []string       `yaml:"domains" doc:"What stands behind the @ of login names. Empty: anything, and names without."`
	Steps       []VerifierStep `yaml:"steps" required:"true" doc:"Who is asked, one after the other. App passwords are asked about first, unless they are listed."`
}

// VerifierStep is one who is asked.
type VerifierStep struct {
	Verifier string   `yaml:"verifier" required:"true" doc:"Who: local for the passwords kept here, app_password, or the id of a connector that judges passwords."`
	Next     []string `yaml:"next" default:"unknown_user" enum:"unknown_user wrong_password disabled locked unavailable" doc:"For which of its answers the next one is asked; [] is for none."`
}

// Guard bounds what an upstream that judges passwords may cost.
type Guard struct {
	Timeout  time.Duration `yaml:"timeout" default:"5s" min:"100ms" max:"30s" doc:"For one question; then the answer is that of an outage."`
	Parallel int           `yaml:"parallel" default:"64" min:"1" max:"10000" doc:"Questions at a time; others wait their turn, at most as long as one may take."`
	Failures int           `yaml:"failures" default:"5" min:"1" max:"1000" doc:"Outages one after the other after which it is left alone for a while, and callers get their answer at once."`
	Rest     time.Duration `yaml:"rest" default:"10s" min:"100ms" max:"10m" doc:"How long; then one question tries whether it is back."`
}

// What steps name beside connectors, and what the login page is called among
// systems.
const (
	verifierLocal = "local"
	verifierApp   = "app_password"
	browserSystem = "browser"
)

// verifies reports whether the connector judges passwords.
func (x *Connector) verifies() bool {
	return x.PasswordGrant || !slices.Contains([]string{typeOIDC, "oauth", "saml"}, x.Type)
}

func (c *Config) verifierRules() []rule {
	known := []string{verifierLocal, verifierApp}
	for i := range c.Connectors {
		if x := &c.Connectors[i]; x.verifies() {
			known = append(known, x.ID)
		}
	}
	systems := []string{browserSystem}
	for i := range c.Systems {
		systems = append(systems, c.Systems[i].Name)
	}
	var rs []rule
	whole := false
	for i, v := range c.Verifiers {
		at := fmt.Sprintf("verifiers[%d]", i)
		rs = append(rs, rule{at, whole, "is never reached", "the rule before it fits every login"})
		rs = append(rs, v.rules(at+".", known, systems)...)
		whole = whole || len(v.Systems)+len(v.Directories)+len(v.Domains) == 0
	}
	return rs
}

func (v *VerifierRule) rules(at string, known, systems []string) []rule {
	rs := []rule{{at + "steps", len(v.Steps) == 0, "must not be empty", "write steps: [{verifier: local}]"}}
	seen := map[string]bool{}
	for i, s := range v.Steps {
		key := fmt.Sprintf("%ssteps[%d].verifier", at, i)
		rs = append(rs,
			rule{key, !slices.Contains(known, s.Verifier), "is not local, app_password or the id of a connector that judges passwords", "an oidc connector does with password_grant: true"},
			rule{key, seen[s.Verifier], "is given twice", ""})
		seen[s.Verifier] = true
	}
	rs = append(rs, listRules(at+"systems", v.Systems, func(s string) bool { return slices.Contains(systems, s) },
		"is not the name of a system", "write browser for the login page")...)
	return append(rs, listRules(at+"domains", v.Domains, mailDomain.MatchString, "must be a lower-case domain without @ and wildcard", "write corp.example.com")...)
}
