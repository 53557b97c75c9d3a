package provider

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ory/fosite"

	"keyway/provider/claims"
	"keyway/provider/details"
	"keyway/provider/exchange"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/roles"
	"keyway/provider/target"
	"keyway/provider/wire"
)

// legacyACR marks what signed in with a password on a legacy system, so that
// new APIs can refuse it.
const legacyACR = "urn:keyway:legacy:"

// storeTimeout is how long a write that has begun may take, whatever becomes
// of the request that asked for it.
const storeTimeout = 10 * time.Second

func (p *Provider) newSession(c *fositeClient) *Session {
	s := &Session{Version: sessionVersion, ClientID: c.ID, issuer: p.options.Issuer, idAlg: keys.RS256}
	if c.IDTokenAlg != "" {
		s.idAlg = c.IDTokenAlg
	}
	return s
}

// resumeSession is what the grant remembers, for tokens that are made now.
func (p *Provider) resumeSession(c *fositeClient, g *GrantRecord) (*Session, error) {
	s, err := ParseSession(g.Session)
	if err != nil {
		return nil, err
	}
	fresh := p.newSession(c)
	s.ClientID, s.issuer, s.idAlg = fresh.ClientID, fresh.issuer, fresh.idAlg
	return s, nil
}

// applyPolicy grants scopes and audience and sets the lifetimes, between
// fosite's two steps. Handlers of grants that continue an earlier one have
// done so already.
func (p *Provider) applyPolicy(ar *fosite.AccessRequest, u *unit) {
	client, ok := ar.Client.(*fositeClient)
	session, ours := ar.Session.(*Session)
	if !ok || !ours || u.stored != nil || u.code != nil || u.device != nil || u.origin != "" {
		return
	}
	now := p.options.Now()
	session.ClientID = client.ID
	session.Requested = now.Unix()
	scopes := ar.RequestedScope
	if len(scopes) == 0 {
		scopes = client.GetScopes()
	}
	for _, s := range scopes {
		if p.grantable(client, s, u) {
			ar.GrantScope(s)
		}
	}
	audience := ar.RequestedAudience
	if len(audience) == 0 {
		audience = client.GetAudience()
	}
	for _, a := range audience {
		ar.GrantAudience(a)
	}
	session.SetExpiresAt(fosite.AccessToken, now.Add(client.lifetime(fosite.AccessToken)))
	session.SetExpiresAt(fosite.IDToken, now.Add(client.lifetime(fosite.IDToken)))
	session.SetExpiresAt(fosite.RefreshToken, p.refreshExpiry(client, now, now))
	if u.password != nil {
		u.password.describe(session)
	}
}

// judgeDetails reads authorization_details at the token endpoint (RFC 9396,
// section 6): a client that acts for itself may ask for what it registered; where
// a person has decided, what they allowed may be repeated and nothing else.
func (p *Provider) judgeDetails(ar *fosite.AccessRequest, client *fositeClient) error {
	session, ok := ar.Session.(*Session)
	text := ar.Form.Get("authorization_details")
	if !ok || text == "" {
		return nil
	}
	own := ar.GrantTypes.ExactOne(grantClientCredentials)
	types := session.Details.Types()
	if own {
		types = p.offer().Details(client.Client)
	}
	list, err := details.Parse(text, types)
	if err != nil {
		return wire.Of("invalid_authorization_details", err)
	}
	if own {
		session.Details = list
	} else if _, ok := session.Details.Narrow(list); !ok || len(list) != len(session.Details) {
		return wire.Of("invalid_authorization_details", errors.New("not those that were granted"))
	}
	return nil
}

// narrowTargets makes the access token for fewer targets than the grant (RFC
// 8707, section 2.2).
func narrowTargets(ar *fosite.AccessRequest, u *unit) error {
	granted := ar.GrantedAudience
	if u.code != nil {
		granted = u.code.request.GrantedAudience
	}
	audience, ok := target.Narrow(granted, ar.Form["resource"], nil)
	if !ok {
		return wire.Of(target.Code, errors.New("a resource is malformed or was not granted"))
	}
	if !slices.Equal(audience, granted) {
		u.narrowed = audience
	}
	ar.GrantedAudience = audience
	if u.code != nil {
		u.code.request.GrantedAudience = audience
	}
	return nil
}

// grantable tells which scopes mean nothing in a grant: those about a person
// where there is none, and offline access where nobody may refresh.
func (p *Provider) grantable(client *fositeClient, scope string, u *unit) bool {
	switch scope {
	case scopeOffline:
		return u.password != nil && client.mayUse(grantRefresh)
	case claims.OpenID, claims.Profile, claims.Email, claims.Address, claims.Phone, roles.Scope:
		return u.password != nil
	}
	return true
}

func (pw *passwordUnit) describe(s *Session) {
	// A password takes a while to verify, but no token is older than its sign-in.
	s.AuthTime = earlier(pw.who.AuthTime, pw.issuedAt).Unix()
	s.AMR = pw.who.AMR
	if len(s.AMR) == 0 {
		s.AMR = []string{"pwd"}
	}
	if system := pw.grant.Credentials.System; system != "" {
		s.ACR = legacyACR + system
	}
	s.Connector, s.Unverified = pw.who.Connector, pw.grant.Credentials.AllowUnverified
	s.SetExpiresAt(fosite.AccessToken, pw.expires)
}

// refreshExpiry slides with every use, up to the longest life of a chain.
func (p *Provider) refreshExpiry(c *fositeClient, now, begun time.Time) time.Time {
	return earlier(now.Add(c.lifetime(fosite.RefreshToken)), begun.Add(p.options.Lifetimes.RefreshMax))
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// respond makes the response and writes everything it needs, in one
// transaction. Until it returns, nothing may be sent.
func (p *Provider) respond(ctx context.Context, ar fosite.AccessRequester, u *unit) (fosite.AccessResponder, error) {
	response, err := p.fosite.NewAccessResponse(ctx, ar)
	if err != nil {
		return nil, err
	}
	if s, ok := ar.GetSession().(*Session); ok {
		response.SetTokenType(s.Bound.TokenType())
		if u.rebound && u.issue.NewGrant == nil {
			if u.issue.Session, err = s.Encode(); err != nil {
				return nil, err
			}
		}
	}
	// A client that hangs up must not leave the outcome to chance.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	switch err := p.options.Storage.Issue(ctx, &u.issue); {
	case errors.Is(err, identity.ErrConflict):
		return nil, p.lostRotation(ctx, u)
	case errors.Is(err, identity.ErrNotFound) && u.issue.Parent != "":
		return nil, exchange.Refused("subject_token", err)
	case errors.Is(err, identity.ErrNotFound):
		return nil, fosite.ErrInvalidGrant.WithWrap(err)
	case err != nil:
		return nil, wire.Outage(err)
	}
	expires := ar.GetSession().GetExpiresAt(fosite.AccessToken)
	if s, ok := ar.GetSession().(*Session); ok && len(s.Details) > 0 {
		response.SetExtra("authorization_details", s.Details)
	}
	response.SetExpiresIn(expires.Sub(p.options.Now()).Round(time.Second))
	return response, nil
}

// lostRotation says invalid_grant where somebody else used the code or the
// refresh token first, and ends the family if that was reuse.
func (p *Provider) lostRotation(ctx context.Context, u *unit) error {
	err := fosite.ErrInvalidGrant.WithWrap(identity.ErrConflict)
	if u.code != nil {
		if revokeErr := p.endReused(ctx, &u.code.stored.Grant, "authorization_code_reuse", u.requestID); revokeErr != nil {
			return revokeErr
		}
		return err
	}
	if u.device != nil {
		return err
	}
	if u.issue.Rotate == nil {
		return fosite.ErrServerError.WithWrap(identity.ErrConflict)
	}
	st, findErr := p.options.Storage.FindToken(ctx, *u.issue.Rotate)
	switch {
	case errors.Is(findErr, identity.ErrNotFound):
		return err
	case findErr != nil:
		return wire.Outage(findErr)
	case st.Token.Used:
		if revokeErr := p.endReused(ctx, &st.Grant, refreshReuse, u.requestID); revokeErr != nil {
			return revokeErr
		}
	}
	return err
}

const refreshReuse = "refresh_token_reuse"

// endReused revokes the grant of a refresh token or a code that was used twice
// (RFC 9700, sections 4.14.2 and 2.1.1).
func (p *Provider) endReused(ctx context.Context, g *GrantRecord, what, requestID string) error {
	now := p.options.Now()
	_, err := p.options.Storage.Revoke(ctx, RevokeQuery{
		GrantID: g.ID, Reason: what, At: now,
		Event: &identity.Event{
			At: now, Kind: what, Reason: identity.ReasonInvalidToken, Subject: g.Subject,
			System: g.System, ClientID: g.ClientID, GrantID: g.ID, RequestID: requestID,
		},
	})
	return wire.Outage(err)
}

// narrowed returns what of the granted scopes is asked for, and false if more
// is asked for than was granted.
func narrowed(granted, asked []string) ([]string, bool) {
	if len(asked) == 0 {
		return granted, true
	}
	for _, s := range asked {
		if !slices.Contains(granted, s) {
			return nil, false
		}
	}
	return asked, true
}
