package factor

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"keyway/provider/identity"
)

// Mode is what is asked of everybody.
type Mode string

// The modes.
const (
	ModeOff      Mode = "off"      // there are no second factors
	ModeOptional Mode = "optional" // who has enrolled one is asked for it
	ModeRequired Mode = "required" // everybody needs one
)

// Legacy is what a legacy system does about people with a second factor.
type Legacy string

// What a legacy system does. App passwords are taken in any case.
const (
	// LegacyAppPassword refuses the password of who needs a second factor; who has
	// enrolled one of their own will goes on with it.
	LegacyAppPassword Legacy = "app_password"
	// LegacyAppended wants the code of an authenticator app behind the password of
	// who has one; of others it is LegacyAppPassword.
	LegacyAppended Legacy = "appended"
	// LegacyRefuse refuses the password of who needs a second factor, or has one.
	LegacyRefuse Legacy = "refuse"
)

// Upstream is what a connector means for second factors.
type Upstream struct {
	Trust   bool     // what it says of a second factor is believed
	ACRs    []string // its authentication contexts that mean one, beside amr mfa
	Require bool     // its people need one
}

// Links are by whom people are vouched for, and with which roles.
type Links interface {
	ListLinks(ctx context.Context, subject string) ([]identity.Link, error)
}

// Holders knows who has enrolled something.
type Holders interface {
	// HasEnrolment is about one kind; "" for any.
	HasEnrolment(ctx context.Context, subject string, k Kind) (bool, error)
}

// PolicyOptions configures a [Policy].
type PolicyOptions struct {
	Mode       Mode     // "" is [ModeOff]
	Roles      []string // of which who has one needs a second factor
	Connectors map[string]Upstream
	Systems    map[string]Legacy // by instance; [LegacyAppPassword] where it says nothing
	Links      Links
	Holders    Holders
}

// Policy decides who needs a second factor.
type Policy struct{ options PolicyOptions }

var _ identity.FactorPolicy = (*Policy)(nil)

// NewPolicy returns a Policy.
func NewPolicy(o PolicyOptions) (*Policy, error) {
	if o.Mode == "" {
		o.Mode = ModeOff
	}
	switch {
	case o.Mode != ModeOff && o.Mode != ModeOptional && o.Mode != ModeRequired:
		return nil, fmt.Errorf("second factor: mode %q is not known", o.Mode)
	case o.Links == nil || o.Holders == nil:
		return nil, errors.New("second factor: links and holders are needed")
	}
	return &Policy{options: o}, nil
}

// Offered reports whether people can have one at all.
func (p *Policy) Offered() bool { return p != nil && p.options.Mode != ModeOff }

// Vouches reports whether what an upstream says of how somebody signed in counts as a
// second factor.
func (p *Policy) Vouches(connector string, amr []string, acr string) bool {
	if p == nil {
		return false
	}
	u := p.options.Connectors[connector]
	return u.Trust && (slices.Contains(amr, "mfa") || acr != "" && slices.Contains(u.ACRs, acr))
}

// Contexts are those that a connector is asked for where its people need a second
// factor: they may give it there.
func (p *Policy) Contexts(connector string, wanted bool) []string {
	if !p.Offered() {
		return nil
	}
	u := p.options.Connectors[connector]
	if !u.Trust || !wanted && !u.Require && p.options.Mode != ModeRequired {
		return nil
	}
	return u.ACRs
}

// Asked is who is signed in, and what for.
type Asked struct {
	Subject   string
	Connector string
	Proved    bool // a second factor, in this session
	Wanted    bool // the client, or its request, wants one
}

// Verdict is what is missing of a session.
type Verdict string

// The verdicts.
const (
	Enough   Verdict = ""
	MustShow Verdict = "prove" // what they have enrolled
	MustHave Verdict = "enrol" // they need one, and have none
)

// Judge decides. Whoever has enrolled something is asked for it, whether they need it
// or not: else it would protect nothing.
func (p *Policy) Judge(ctx context.Context, a Asked) (Verdict, error) {
	if !p.Offered() || a.Proved {
		return Enough, nil
	}
	has, err := p.options.Holders.HasEnrolment(ctx, a.Subject, "")
	if err != nil || has {
		return MustShow, err
	}
	needs := a.Wanted
	if !needs {
		needs, err = p.needs(ctx, a.Subject, a.Connector)
	}
	if err != nil || needs {
		return MustHave, err
	}
	return Enough, nil
}

// needs reports whether somebody has to have one, be it enrolled or not.
func (p *Policy) needs(ctx context.Context, subject, connector string) (bool, error) {
	if p.options.Mode == ModeRequired || p.options.Connectors[connector].Require {
		return true, nil
	}
	if len(p.options.Roles) == 0 {
		return false, nil
	}
	links, err := p.options.Links.ListLinks(ctx, subject)
	if err != nil {
		return false, err
	}
	return slices.ContainsFunc(links, func(l identity.Link) bool {
		return slices.ContainsFunc(l.Roles, func(r string) bool { return slices.Contains(p.options.Roles, r) })
	}), nil
}

// legacy is what a system does.
func (p *Policy) legacy(system string) Legacy {
	if l, ok := p.options.Systems[system]; ok {
		return l
	}
	return LegacyAppPassword
}

// NeedsFactor implements [identity.FactorPolicy].
func (p *Policy) NeedsFactor(ctx context.Context, q identity.Question) (bool, error) {
	if !p.Offered() {
		return false, nil
	}
	needs, err := p.needs(ctx, q.Subject, q.Connector)
	legacy := p.legacy(q.System)
	switch {
	case needs || err != nil || q.System != "" && legacy == LegacyAppPassword:
		return needs, err
	case q.System != "" && legacy == LegacyAppended: // whoever it is that [Codes] did not know before
		return p.options.Holders.HasEnrolment(ctx, q.Subject, KindTOTP)
	}
	return p.options.Holders.HasEnrolment(ctx, q.Subject, "")
}
