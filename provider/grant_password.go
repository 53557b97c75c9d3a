package provider

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/ory/fosite"

	"keyway/provider/identity"
	"keyway/provider/legacytoken"
	"keyway/provider/wire"
)

// passwordUnit is the part of a unit of work that only a password grant has.
type passwordUnit struct {
	grant    PasswordGrant
	client   *fositeClient
	who      *identity.Identity
	account  *identity.Account
	issuedAt time.Time
	expires  time.Time
	kept     []byte // the claims that are stored, for reuse
	claims   []byte // the claims as signed
	token    string // the JWT
}

// GrantPassword makes a resource-owner password credentials grant (RFC 6749,
// section 4.3) in process, through the same handlers that a token endpoint
// would use, and returns the access token in the legacy system's format.
// Errors are [*identity.Failure].
//
// A refresh token is made only where the client may use the refresh_token
// grant and has the scope offline_access. It is not part of the answer: the
// legacy system never sees it.
func (p *Provider) GrantPassword(ctx context.Context, g PasswordGrant) (*Grant, error) {
	client, err := p.liveClient(ctx, g.Client)
	if errors.Is(err, identity.ErrNotFound) || err == nil && !client.Internal() {
		return nil, identity.Failf(identity.ReasonInvalidClient, "%q is not the client of a legacy system", g.Client)
	}
	if err != nil {
		return nil, wire.AsFailure(err)
	}
	u := p.passwordUnit(client, g)
	ctx = withUnit(ctx, u)
	ar := p.passwordRequest(client)
	if err := p.runHandlers(ctx, ar); err != nil {
		return nil, wire.AsFailure(err)
	}
	if again, err := p.reuse(ctx, u); again != nil || err != nil {
		return again, wire.AsFailure(err)
	}
	grant, err := p.mint(ctx, ar, u)
	return grant, wire.AsFailure(err)
}

// mint makes a new grant with its token, or shares the token of an earlier
// login where the two would be the same string.
func (p *Provider) mint(ctx context.Context, ar *fosite.AccessRequest, u *unit) (*Grant, error) {
	for range maxTwins {
		p.applyPolicy(ar, u)
		response, err := p.respond(ctx, ar, u)
		if err == nil {
			return u.password.minted(u.issue.GrantID, ar, response), nil
		}
		if !errors.Is(err, identity.ErrConflict) {
			return nil, err
		}
		if twin, err := p.shareTwin(ctx, u); twin != nil || err != nil {
			return twin, err
		}
		u.password.sooner(u)
	}
	return nil, identity.Failf(identity.ReasonRateLimited, "too many logins and logouts of one user at once")
}

func (pw *passwordUnit) minted(id string, ar fosite.AccessRequester, response fosite.AccessResponder) *Grant {
	return &Grant{
		ID: id, ClientID: pw.client.ID, AccessToken: response.GetAccessToken(),
		IssuedAt: pw.issuedAt, ExpiresAt: pw.expires, Scopes: ar.GetGrantedScopes(),
		User: &pw.who.User, Account: pw.account, Claims: pw.claims,
	}
}

func (p *Provider) passwordUnit(client *fositeClient, g PasswordGrant) *unit {
	if g.Credentials.RequestID == "" {
		g.Credentials.RequestID = g.RequestID
	}
	if g.Credentials.Client == "" {
		g.Credentials.Client = client.ID
	}
	if g.Token.Format == "" {
		g.Token.Format = FormatOpaque
	}
	pw := &passwordUnit{grant: g, client: client}
	pw.begin(p.options.Now())
	return &unit{password: pw, requestID: g.RequestID}
}

// begin sets the token's times, which count from the beginning of the request:
// what a legacy system tells of a token's life must not be more than it has been
// given.
func (pw *passwordUnit) begin(now time.Time) {
	pw.issuedAt = now.Truncate(time.Millisecond)
	if pw.grant.Token.Format == FormatJWTHS256 {
		pw.issuedAt = now.Truncate(time.Second) // a JWT counts in seconds
	}
	lifetime := pw.grant.Token.Lifetime
	if lifetime <= 0 {
		lifetime = pw.client.lifetime(fosite.AccessToken)
	}
	pw.expires = pw.issuedAt.Add(lifetime)
}

// passwordRequest is what fosite would have parsed from a request to the token
// endpoint. Legacy systems ask for no scope: they get their client's. The
// credentials travel beside the form: fosite would refuse an empty one before
// the legacy system's own rules are asked, and the password is in one place less.
func (p *Provider) passwordRequest(client *fositeClient) *fosite.AccessRequest {
	ar := fosite.NewAccessRequest(p.newSession(client))
	ar.Client = client
	ar.GrantTypes = fosite.Arguments{grantPassword}
	ar.RequestedAt = p.options.Now()
	ar.Form = url.Values{
		"grant_type": {grantPassword}, "client_id": {client.ID},
		"username": {"-"}, "password": {"-"},
	}
	return ar
}

// runHandlers does what fosite does once the client is known. The parity test
// guards it against drifting from that.
func (p *Provider) runHandlers(ctx context.Context, ar *fosite.AccessRequest) error {
	found := false
	for _, h := range p.fosite.Config.GetTokenEndpointHandlers(ctx) {
		if !h.CanHandleTokenEndpointRequest(ctx, ar) {
			continue
		}
		switch err := h.HandleTokenEndpointRequest(ctx, ar); {
		case err == nil:
			found = true
		case !errors.Is(err, fosite.ErrUnknownRequest):
			return err
		}
	}
	if !found {
		return fosite.ErrUnsupportedGrantType
	}
	return nil
}

// refusedLogin makes fosite answer invalid_grant, while the reason stays in
// the chain.
type refusedLogin struct{ *identity.Failure }

func (refusedLogin) Is(target error) bool { return target == fosite.ErrNotFound }

func (r refusedLogin) Unwrap() error { return r.Failure }

// authenticate signs the user in and finds their account.
func (p *Provider) authenticate(ctx context.Context, pw *passwordUnit) (string, error) {
	if pw.grant.NeedAccount || len(pw.grant.Match) > 0 {
		if err := p.recognise(ctx, pw); err != nil {
			return "", refuse(wire.Outage(err))
		}
	}
	pw.grant.Credentials.Admit = func(ctx context.Context, who *identity.Identity) error { return p.admit(ctx, pw, who) }
	who, err := p.options.SignIn.Authenticate(ctx, pw.grant.Credentials)
	if err != nil {
		return "", refuse(err)
	}
	pw.who = who
	return who.User.Subject, nil
}

// admit finds the account of who signed in: they need not be whom the name leads
// to, and an upstream may have changed it.
func (p *Provider) admit(ctx context.Context, pw *passwordUnit, who *identity.Identity) (err error) {
	if err := p.appPasswordVouched(ctx, pw, who); err != nil {
		return err
	}
	if pw.account != nil && pw.account.Subject == who.User.Subject && who.Connector == "" {
		return nil
	}
	pw.account, err = p.account(ctx, pw.grant.AccountSystem, who.User.Subject)
	if err == nil && !pw.admits(pw.account) {
		err = identity.Failf(identity.ReasonUnknownUser, "no account in %q, or another one", pw.grant.AccountSystem)
	}
	return err
}

// recognise finds out before any password is looked at whether the legacy
// system knows the user: a password must not be confirmed where it lets nobody
// in, and guesses at it count like those at any unknown name.
func (p *Provider) recognise(ctx context.Context, pw *passwordUnit) error {
	c := &pw.grant.Credentials
	var err error
	if c.Login, err = c.Resolve(ctx, p.options.Users); err != nil {
		return err
	}
	c.Stranger = c.Login == nil
	if c.Stranger {
		return nil
	}
	pw.account, err = p.account(ctx, pw.grant.AccountSystem, c.Login.User.Subject)
	c.Stranger = !pw.admits(pw.account)
	return err
}

// admits reports whether the legacy system knows somebody with account, which
// may be nil, under the name that signs in.
func (pw *passwordUnit) admits(account *identity.Account) bool {
	if account == nil {
		return !pw.grant.NeedAccount && len(pw.grant.Match) == 0
	}
	return account.Meets(pw.grant.Match)
}

func refuse(err error) error {
	var f *identity.Failure
	if !errors.As(err, &f) {
		f = identity.Fail(identity.ReasonInternal, err)
	}
	return refusedLogin{f}
}

func (pw *passwordUnit) event(g *GrantRecord) identity.Event {
	c := pw.grant.Credentials
	e := identity.Event{
		At: g.CreatedAt, Kind: "login", Subject: g.Subject, Directory: c.Directory, System: c.System,
		ClientID: g.ClientID, GrantID: g.ID, RequestID: pw.grant.RequestID, Connector: pw.who.Connector, Verifier: pw.who.Verifier,
	}
	if c.RemoteAddr.IsValid() {
		e.RemoteAddr = c.RemoteAddr.Unmap().String()
	}
	return e
}

// accessToken makes the token in the legacy system's format.
func (pw *passwordUnit) accessToken() (string, error) {
	made, err := legacytoken.Make(&pw.grant.Token, accessPrefix, TokenFacts{
		IssuedAt: pw.issuedAt, ExpiresAt: pw.expires, User: &pw.who.User, Account: pw.account,
	})
	if err != nil {
		return "", err
	}
	if pw.token, pw.claims = made.Token, made.Claims; pw.grant.Token.Reuse {
		pw.kept = made.Claims
	}
	return made.Token, nil
}
