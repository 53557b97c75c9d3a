package adapter

import (
	"context"
	"errors"
	"slices"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

const (
	defaultLifetime = time.Hour
	// minRemain is how much longer a token must live to be given out again.
	minRemain = time.Minute
)

// act does what the route is for.
func (a *Adapter) act(ctx context.Context, x *exchange) Outcome {
	switch x.route.Action {
	case ActionLogin:
		return a.login(ctx, x)
	case ActionWhoAmI:
		if x.route.Lookup != nil {
			return a.lookup(ctx, x)
		}
		return a.inspect(ctx, x)
	case ActionValidate:
		return a.inspect(ctx, x)
	case ActionLogout:
		if o := a.inspect(ctx, x); o != OutcomeSuccess {
			return o
		}
		return x.failed(a.granter.RevokeGrant(ctx, x.query()))
	case ActionStatic:
	}
	return x.route.Outcome
}

// lifetime is the instance's own, else the route's, else the system's.
func (x *exchange) lifetime() time.Duration {
	if x.m.lifetime > 0 {
		return x.m.lifetime
	}
	for _, name := range []string{x.route.Lifetime, x.m.system.Token.Lifetime} {
		if d, _ := x.m.settings[name].(time.Duration); d > 0 {
			return d
		}
	}
	return defaultLifetime
}

// failed is the outcome of an error, which it keeps for the log.
func (x *exchange) failed(err error) Outcome {
	if err == nil {
		return OutcomeSuccess
	}
	x.err = err
	if errors.Is(err, provider.ErrRevoked) {
		return OutcomeTokenRevoked
	}
	return Outcome(identity.ReasonOf(err))
}

func (a *Adapter) login(ctx context.Context, x *exchange) Outcome {
	c, o := x.credentials()
	if o != "" {
		return o
	}
	token := x.m.system.Token
	g := provider.PasswordGrant{
		Client: x.m.client, Credentials: c, AccountSystem: x.m.accounts,
		NeedAccount: x.m.system.Login.NeedAccount, Match: x.match, RequestID: x.view.Request.ID,
		Token: provider.LegacyToken{
			Format: provider.TokenFormat(token.Format), Upper: token.Upper, Header: token.Header,
			Lifetime: x.lifetime(), Reuse: token.Reuse, MinRemain: minRemain,
		},
	}
	if x.m.system.prepared.claims != nil {
		g.Token.Secret = x.m.secret
		g.Token.Claims = x.claims
	}
	grant, err := a.granter.GrantPassword(ctx, g)
	if err != nil {
		return x.m.uniformly(x.failed(err))
	}
	x.know(grant)
	return OutcomeSuccess
}

// credentials are what the request presents, in the way it chose.
func (x *exchange) credentials() (identity.Credentials, Outcome) {
	policy := x.m.system.Login
	directory, user, pass, named := x.m.system.prepared.directory, fieldUsername, fieldPassword, false
	if len(x.route.variants) > 0 {
		v := x.variant()
		if v == nil {
			return identity.Credentials{}, OutcomeInvalidRequest
		}
		if o := x.readFields(v.fields); o != "" {
			return identity.Credentials{}, o
		}
		directory, user, pass, named = v.directory, v.Username, v.Password, v.Directory != ""
		x.collectMatch(v.fields)
	}
	name, err := directory.render(&x.view)
	if err != nil {
		return identity.Credentials{}, x.failed(err)
	}
	if x.m.directory != "" && !named {
		name = x.m.directory
	}
	c := identity.Credentials{
		Directory: name, Username: x.view.Request.Field[user], Password: x.exact[pass],
		System: x.m.name, Client: x.m.client, RemoteAddr: x.from,
		StatusFirst: policy.StatusFirst && !x.m.uniform, AllowUnverified: policy.AllowUnverified,
	}
	if policy.EmailSetting != "" && x.m.settings[policy.EmailSetting] != true && identity.LooksLikeEmail(c.Username) {
		c.Hopeless = true
	}
	if other := squeeze(c.Password); policy.Equivalent == equivalentSqueeze && other != "" && other != c.Password {
		c.Equivalent = []string{other}
	}
	return c, ""
}

// collectMatch notes what the account must have.
func (x *exchange) collectMatch(fields []preparedField) {
	for _, f := range fields {
		if text := x.view.Request.Field[f.name]; f.Match != "" && text != "" {
			if x.match == nil {
				x.match = map[string]string{}
			}
			x.match[f.Match] = text
		}
	}
}

// claims renders what a legacy JWT says. It never sees the request's host.
func (x *exchange) claims(f provider.TokenFacts) ([]byte, error) {
	view := x.view
	view.User, view.Account = f.User, f.Account
	view.Token = &TokenView{
		ID: f.ID, IssuedAt: f.IssuedAt, ExpiresAt: f.ExpiresAt, Remaining: secondsLeft(f.ExpiresAt, view.Now),
	}
	text, err := x.m.system.prepared.claims.render(&view)
	return []byte(text), err
}

// know puts a grant into the view.
func (x *exchange) know(g *provider.Grant) {
	x.view.User, x.view.Account = g.User, g.Account
	x.view.Token = &TokenView{
		Value: g.AccessToken, IssuedAt: g.IssuedAt, ExpiresAt: g.ExpiresAt,
		Remaining: secondsLeft(g.ExpiresAt, later(x.view.Now, g.IssuedAt)),
	}
}

// secondsLeft counts as the legacy systems do, in whole seconds of the clock: a
// new token of an hour has 3600, whatever the fraction in which it was made.
func secondsLeft(expires, now time.Time) int64 { return max(0, expires.Unix()-now.Unix()) }

// later is the later of both: a request may have begun in the second before the
// one in which its token was made.
func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// forget takes everybody out of the view: a refusal speaks of nobody.
func (x *exchange) forget() { x.view.User, x.view.Account, x.view.Token = nil, nil, nil }

// uniformly hides which of a user's properties refused a login, where the
// operator wants that.
func (m *instance) uniformly(o Outcome) Outcome {
	hidden := []Outcome{OutcomeUnknownUser, OutcomeUnverified, OutcomeDisabled, OutcomeLocked}
	if m.uniform && slices.Contains(hidden, o) {
		return OutcomeWrongPassword
	}
	return o
}
