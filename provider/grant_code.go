package provider

import (
	"context"
	"errors"
	"time"

	"github.com/ory/fosite"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"
	fositeopenid "github.com/ory/fosite/handler/openid"
	fositepkce "github.com/ory/fosite/handler/pkce"

	"keyway/provider/claims"
	"keyway/provider/exchange"
	"keyway/provider/identity"
	"keyway/provider/secret"
	"keyway/provider/wire"
)

const (
	codePrefix = "kw_ac_"
	pkceS256   = "S256"
)

// codeUnit is the part of a unit of work that only the redemption of a code
// has. The code is read once; what fosite calls the code's, the PKCE and the
// OpenID session are all its row.
type codeUnit struct {
	stored  *StoredCode
	request *fosite.Request
}

var (
	_ fositeoauth2.CoreStorage                 = (*fositeStore)(nil)
	_ fositeoauth2.TokenRevocationStorage      = (*fositeStore)(nil)
	_ fositepkce.PKCERequestStorage            = (*fositeStore)(nil)
	_ fositeopenid.OpenIDConnectRequestStorage = (*fositeStore)(nil)
)

// CreateAuthorizeCodeSession adds a code and its grant.
func (s *fositeStore) CreateAuthorizeCodeSession(ctx context.Context, signature string, r fosite.Requester) error {
	u := unitFrom(ctx)
	session, ok := r.GetSession().(*Session)
	if u == nil || !ok {
		return errNoUnit
	}
	hash, err := parseSignature(signature)
	if err != nil {
		return err
	}
	stored, err := session.Encode()
	if err != nil {
		return err
	}
	now := s.provider.options.Now()
	g := &GrantRecord{
		ID: r.GetID(), ClientID: r.GetClient().GetID(), Subject: session.Subject, Origin: grantCode,
		Scopes: r.GetGrantedScopes(), Audience: r.GetGrantedAudience(), Session: stored, Connector: session.Connector,
		AuthTime: unixTime(session.AuthTime), CreatedAt: now, ExpiresAt: now.Add(s.provider.options.Lifetimes.Code),
	}
	u.issue.GrantID, u.issue.NewGrant, u.issue.SID = g.ID, g, session.SID
	u.issue.Code = &CodeRecord{
		Hash: hash, GrantID: g.ID, RedirectURI: r.GetRequestForm().Get("redirect_uri"), IssuedAt: now, ExpiresAt: g.ExpiresAt,
	}
	return nil
}

// CreatePKCERequestSession completes the code with its challenge.
func (*fositeStore) CreatePKCERequestSession(ctx context.Context, _ string, r fosite.Requester) error {
	u := unitFrom(ctx)
	if u == nil || u.issue.Code == nil {
		return errNoUnit
	}
	u.issue.Code.Challenge = r.GetRequestForm().Get("code_challenge")
	return nil
}

// GetAuthorizeCodeSession returns the code as fosite sees it. Whose it is comes
// first: a client must not be able to end another's grant with a code it
// found. One that was used before ends its grant (RFC 6749, section 4.1.2).
func (s *fositeStore) GetAuthorizeCodeSession(ctx context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	u := unitFrom(ctx)
	if u == nil || u.caller == nil {
		return nil, errNoUnit
	}
	if u.code == nil {
		if err := s.loadCode(ctx, u, signature); err != nil {
			return nil, err
		}
	}
	st := u.code.stored
	switch {
	case st.Code.Used:
		if err := s.provider.endReused(ctx, &st.Grant, "authorization_code_reuse", u.requestID); err != nil {
			return nil, err
		}
		return u.code.request, fosite.ErrInvalidatedAuthorizeCode
	case !st.Grant.RevokedAt.IsZero(), !s.provider.options.Now().Before(st.Code.ExpiresAt):
		return nil, fosite.ErrNotFound
	}
	return u.code.request, nil
}

func (s *fositeStore) loadCode(ctx context.Context, u *unit, signature string) error {
	hash, err := parseSignature(signature)
	if err != nil {
		return fosite.ErrNotFound
	}
	st, err := s.provider.options.Storage.FindCode(ctx, hash)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return fosite.ErrNotFound
	case err != nil:
		return wire.Outage(err)
	case st.Grant.ClientID != u.caller.ID:
		return fosite.ErrNotFound
	}
	session, err := s.provider.resumeSession(u.caller, &st.Grant)
	if err != nil {
		return err
	}
	r := &fosite.Request{
		ID: st.Grant.ID, RequestedAt: st.Code.IssuedAt, Client: u.caller, Session: session,
		RequestedScope: st.Grant.Scopes, RequestedAudience: st.Grant.Audience, GrantedAudience: st.Grant.Audience,
		Form: map[string][]string{
			"redirect_uri": {st.Code.RedirectURI}, "code_challenge": {st.Code.Challenge}, "code_challenge_method": {pkceS256},
		},
	}
	for _, scope := range st.Grant.Scopes {
		if contains(u.caller.GetScopes(), scope) { // the client may have lost some
			r.GrantScope(scope)
		}
	}
	u.code = &codeUnit{stored: st, request: r}
	return nil
}

// InvalidateAuthorizeCodeSession uses the code up, when everything is written.
func (*fositeStore) InvalidateAuthorizeCodeSession(ctx context.Context, _ string) error {
	u := unitFrom(ctx)
	if u == nil || u.code == nil {
		return errNoUnit
	}
	u.issue.GrantID, u.issue.Redeem = u.code.stored.Grant.ID, &u.code.stored.Code.Hash
	return nil
}

// GetPKCERequestSession implements [fositepkce.PKCERequestStorage].
func (s *fositeStore) GetPKCERequestSession(ctx context.Context, signature string, session fosite.Session) (fosite.Requester, error) {
	return s.GetAuthorizeCodeSession(ctx, signature, session)
}

// DeletePKCERequestSession deletes nothing: a wrong verifier must not leave a
// code that needs none.
func (*fositeStore) DeletePKCERequestSession(context.Context, string) error { return nil }

// CreateOpenIDConnectSession has nothing to add to the code's row.
func (*fositeStore) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetOpenIDConnectSession implements [fositeopenid.OpenIDConnectRequestStorage].
func (*fositeStore) GetOpenIDConnectSession(ctx context.Context, _ string, _ fosite.Requester) (fosite.Requester, error) {
	u := unitFrom(ctx)
	if u == nil || u.code == nil || !contains(u.code.request.GrantedScope, scopeOpenID) {
		return nil, fositeopenid.ErrNoSessionFound
	}
	return u.code.request, nil
}

// DeleteOpenIDConnectSession deletes nothing: it lives with the code.
func (*fositeStore) DeleteOpenIDConnectSession(context.Context, string) error { return nil }

// RevokeAccessToken does nothing: the grant was revoked when the reuse was
// seen, where a failure to do so cannot be overlooked.
func (*fositeStore) RevokeAccessToken(context.Context, string) error { return nil }

// RevokeRefreshToken does nothing, as [fositeStore.RevokeAccessToken].
func (*fositeStore) RevokeRefreshToken(context.Context, string) error { return nil }

// enter asks the gate about a grant that was made at the browser, for the user
// may have been locked or disabled since, and sets what the tokens will say.
func (p *Provider) enter(ctx context.Context, ar *fosite.AccessRequest, g *GrantRecord, status identity.Status) error {
	client, ok := ar.Client.(*fositeClient)
	session, ours := ar.Session.(*Session)
	if !ok || !ours {
		return errNoUnit
	}
	err := p.options.Gate.Ask(ctx, identity.Question{
		Moment: identity.MomentEnter, Subject: g.Subject, Status: status, Client: client.ID,
		Connector: session.Connector, Factor: factorState(session.Factor), NeedFactor: client.RequireSecondFactor,
	})
	if err != nil {
		return err
	}
	if status == "" {
		return invalidGrant("user is gone")
	}
	now := p.options.Now()
	session.SetExpiresAt(fosite.AccessToken, now.Add(client.lifetime(fosite.AccessToken)))
	session.SetExpiresAt(fosite.IDToken, now.Add(client.lifetime(fosite.IDToken)))
	session.SetExpiresAt(fosite.RefreshToken, p.refreshExpiry(client, now, g.CreatedAt))
	if len(session.IDClaims) == 0 {
		return nil
	}
	user, err := p.options.Users.FindUser(ctx, g.Subject)
	if err != nil {
		return wire.Outage(err)
	}
	for name, v := range claims.Named(user, session.IDClaims) {
		session.IDTokenClaims().Add(name, v)
	}
	return nil
}

// idTokens makes ID tokens. It replaces fosite's strategy, which judges the
// parameters of the authorization request anew by the clock on the wall; they
// were judged when the code was made.
type idTokens struct {
	provider *Provider
}

var _ fositeopenid.OpenIDConnectTokenStrategy = idTokens{}

// GenerateIDToken implements [fositeopenid.OpenIDConnectTokenStrategy].
func (t idTokens) GenerateIDToken(ctx context.Context, lifetime time.Duration, r fosite.Requester) (string, error) {
	session, ok := r.GetSession().(*Session)
	if !ok {
		return "", errors.New("the request has no session of ours")
	}
	about := session.IDTokenClaims()
	if about.Subject == "" {
		return "", errors.New("an ID token needs a subject")
	}
	now := t.provider.options.Now()
	if about.ExpiresAt.IsZero() {
		about.ExpiresAt = now.Add(lifetime)
	}
	about.JTI = exchange.JTI(r.GetID(), secret.ID())
	if c, ok := r.GetClient().(*fositeClient); ok {
		name, told, err := t.provider.options.Roles.Tell(ctx, c.Client, session.Subject, r.GetGrantedScopes())
		if err != nil {
			return "", wire.Outage(err)
		}
		if name != "" {
			about.Add(name, told)
		}
		about.Subject = t.provider.subjectFor(c, session.Subject)
		if session.SID != "" {
			about.Extra["sid"] = t.provider.subjectFor(c, session.SID)
		}
	}
	about.IssuedAt, about.Audience = now, []string{r.GetClient().GetID()}
	return t.provider.keys.Sign(session.idAlg, "JWT", about.ToMapClaims())
}
