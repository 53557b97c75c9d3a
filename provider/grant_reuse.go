package provider

import (
	"context"
	"errors"
	"time"

	"keyway/provider/identity"
	"keyway/provider/wire"
)

// maxTwins is how many seconds, counted from the present one, a user's tokens
// that differ only in their second may have.
const maxTwins = 30

// reuse returns the token of an earlier login while it lives long enough. It
// is not stored in clear: it is signed again from its stored claims, and is the
// same only if the legacy secret still is. Without one it returns nil.
func (p *Provider) reuse(ctx context.Context, u *unit) (*Grant, error) {
	pw, t := u.password, u.password.grant.Token
	if !t.Reuse || t.Format != FormatJWTHS256 {
		return nil, nil
	}
	st, err := p.options.Storage.FindReusable(ctx, pw.client.ID, pw.who.User.Subject, p.options.Now().Add(t.MinRemain))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, wire.Outage(err)
	}
	token := t.Sign(st.Token.Claims)
	if HashToken(token) != st.Token.Hash || !pw.vouchedAlike(st) {
		return nil, nil
	}
	return p.share(ctx, pw, st, token)
}

// vouchedAlike reports whether an earlier grant is by the word of the same upstream.
func (pw *passwordUnit) vouchedAlike(st *StoredToken) bool {
	s, err := ParseSession(st.Grant.Session)
	return err == nil && s.Connector == pw.who.Connector
}

// share records a login that leads to the grant of an earlier one. It returns
// nil when that grant has been revoked meanwhile.
func (p *Provider) share(ctx context.Context, pw *passwordUnit, st *StoredToken, token string) (*Grant, error) {
	e := pw.event(&st.Grant)
	e.At = p.options.Now()
	err := p.options.Storage.Issue(ctx, &Issue{GrantID: st.Grant.ID, Events: []identity.Event{e}})
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, wire.Outage(err)
	}
	claims := st.Token.Claims
	if claims == nil {
		claims = pw.claims
	}
	return &Grant{
		ID: st.Grant.ID, ClientID: st.Grant.ClientID, AccessToken: token,
		IssuedAt: st.Token.IssuedAt, ExpiresAt: st.Token.ExpiresAt, Scopes: st.Grant.Scopes,
		User: &pw.who.User, Account: pw.account, Claims: claims,
	}, nil
}

// shareTwin shares the live token that is the very string which could not be
// stored, or returns nil. A legacy JWT whose claims have no jti is the same for
// every login of a user within a second.
func (p *Provider) shareTwin(ctx context.Context, u *unit) (*Grant, error) {
	pw := u.password
	st, err := p.options.Storage.FindToken(ctx, HashToken(pw.token))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, wire.Outage(err)
	case st.Grant.ClientID != pw.client.ID, st.Grant.Subject != pw.who.User.Subject,
		!pw.vouchedAlike(st), !st.Grant.RevokedAt.IsZero(), !p.options.Now().Before(st.Token.ExpiresAt):
		return nil, nil
	}
	return p.share(ctx, pw, st, pw.token)
}

// sooner moves the token by a second, past a twin that was revoked: into the
// past, for a verifier refuses what is issued in the future.
func (pw *passwordUnit) sooner(u *unit) {
	pw.issuedAt, pw.expires = pw.issuedAt.Add(-time.Second), pw.expires.Add(-time.Second)
	u.issue = Issue{}
}
