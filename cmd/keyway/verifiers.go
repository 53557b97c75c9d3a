package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/identity"
)

// Verifiers that are no connectors, and what the login page is called among the
// systems of a rule.
const (
	verifierLocal = "local"
	verifierApp   = "app_password"
	browserSystem = "browser"
)

// closed is a connector that is switched off: it knows nobody.
type closed struct{}

func (closed) Authenticate(context.Context, identity.Credentials) (*identity.Identity, error) {
	return nil, identity.Failf(identity.ReasonUnknownUser, "the connector is disabled")
}

// verifiers are asked about every password, as the first rule says that fits. What
// cannot be an app password costs nothing before the others are asked.
func (p *program) verifiers(local *identity.Local, f *federation.Federation) (*identity.Chain, error) {
	apps, err := identity.NewAppPasswords(p.store, p.store, p.now)
	if err != nil {
		return nil, err
	}
	known := map[string]identity.Authenticator{verifierLocal: local, verifierApp: apps}
	for i := range p.cfg.Connectors {
		c := &p.cfg.Connectors[i]
		if known[c.ID], err = p.verifier(c, f.Find(c.ID)); err != nil {
			return nil, fmt.Errorf("connector %s: %w", c.ID, err)
		}
	}
	rules := make([]identity.Rule, 0, len(p.cfg.Verifiers)+1)
	for _, v := range p.cfg.Verifiers {
		rules = append(rules, p.verifierRule(&v, known))
	}
	standard := config.VerifierRule{Steps: []config.VerifierStep{{Verifier: verifierLocal}}}
	if n := len(rules); n == 0 || len(rules[n-1].Systems)+len(rules[n-1].Directories)+len(rules[n-1].Domains) > 0 {
		rules = append(rules, p.verifierRule(&standard, known))
	}
	return identity.NewChain(rules)
}

// verifier asks the upstream of a connector; nil where it judges no passwords.
func (p *program) verifier(c *config.Connector, one *federation.Connector) (identity.Authenticator, error) {
	if c.Disabled {
		return closed{}, nil
	}
	if one == nil || one.Verifier == nil {
		return nil, nil
	}
	asked, err := federation.NewPassword(federation.PasswordOptions{Connector: one, Links: p.store, Users: p.store, Now: p.now, Systems: p.systemsOf(c)})
	if err != nil {
		return nil, err
	}
	return identity.NewGuarded(identity.GuardedOptions{
		Name: c.ID, Authenticator: asked, Log: p.log,
		Timeout: c.Guard.Timeout, Parallel: c.Guard.Parallel, Failures: c.Guard.Failures, Rest: c.Guard.Rest,
	})
}

// systemsOf are the legacy systems in which everybody of a connector has an account.
func (p *program) systemsOf(c *config.Connector) []string {
	var names []string
	for _, s := range p.systems {
		namespace := cmp.Or(s.Accounts, s.System.Accounts)
		if slices.ContainsFunc(c.Mapping.Accounts, func(a config.MappingAccount) bool { return a.System == namespace && a.When == "" }) {
			names = append(names, s.Name)
		}
	}
	return names
}

func (p *program) verifierRule(v *config.VerifierRule, known map[string]identity.Authenticator) identity.Rule {
	r := identity.Rule{Directories: v.Directories, Domains: v.Domains}
	for _, name := range v.Systems {
		if name == browserSystem && !slices.ContainsFunc(p.cfg.Systems, func(s config.System) bool { return s.Name == name }) {
			name = ""
		}
		r.Systems = append(r.Systems, name)
	}
	steps := v.Steps
	if !slices.ContainsFunc(steps, func(s config.VerifierStep) bool { return s.Verifier == verifierApp }) {
		steps = append([]config.VerifierStep{{Verifier: verifierApp}}, steps...)
	}
	for _, s := range steps {
		step := identity.Step{Name: s.Verifier, Authenticator: known[s.Verifier], Upstream: s.Verifier != verifierLocal && s.Verifier != verifierApp}
		if s.Next != nil {
			step.Next = make([]identity.Reason, len(s.Next)) // an empty list is for none
		}
		for i, reason := range s.Next {
			step.Next[i] = identity.Reason(reason)
		}
		r.Steps = append(r.Steps, step)
	}
	return r
}
