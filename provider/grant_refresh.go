package provider

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ory/fosite"

	"keyway/provider/identity"
	"keyway/provider/wire"
)

// refreshHandler is the refresh token grant (RFC 6749, section 6). It replaces
// fosite's, which lets another client end a family, ignores a narrower scope
// and knows no longest life of a chain.
type refreshHandler struct {
	provider *Provider
}

var _ fosite.TokenEndpointHandler = (*refreshHandler)(nil)

// CanSkipClientAuth implements [fosite.TokenEndpointHandler].
func (*refreshHandler) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest implements [fosite.TokenEndpointHandler].
func (*refreshHandler) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(grantRefresh)
}

// HandleTokenEndpointRequest judges the presented token.
func (h *refreshHandler) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	u := unitFrom(ctx)
	ar, ours := r.(*fosite.AccessRequest)
	client, ok := r.GetClient().(*fositeClient)
	if u == nil || !ours || !ok {
		return fosite.ErrServerError.WithWrap(errNoUnit)
	}
	u.presented = ar.Form.Get("refresh_token")
	if u.presented == "" {
		return fosite.ErrInvalidRequest.WithHint("The parameter refresh_token is missing.")
	}
	st, err := h.find(ctx, client, u)
	if err != nil {
		return err
	}
	u.stored = st
	return h.resume(ar, client, st)
}

// find returns the token if it may be used. Whose it is comes first: a client
// must not be able to end another's family with a token it found.
func (h *refreshHandler) find(ctx context.Context, client *fositeClient, u *unit) (*StoredToken, error) {
	if len(u.presented) > maxToken {
		return nil, invalidGrant("too long")
	}
	o := &h.provider.options
	st, err := o.Storage.FindToken(ctx, HashToken(u.presented))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, invalidGrant("unknown refresh token")
	case err != nil:
		return nil, wire.Outage(err)
	case st.Token.Kind != KindRefresh:
		return nil, invalidGrant("not a refresh token")
	case st.Grant.ClientID != client.ID:
		return nil, invalidGrant("refresh token of another client")
	case !st.Grant.RevokedAt.IsZero():
		return nil, invalidGrant("grant is revoked")
	}
	now := o.Now()
	if st.Token.Used && now.Sub(st.Token.FirstUsedAt) >= max(o.Lifetimes.RefreshGrace, 0) {
		if err := h.provider.endReused(ctx, &st.Grant, refreshReuse, u.requestID); err != nil {
			return nil, err
		}
		return nil, invalidGrant("refresh token was used before")
	}
	if !now.Before(st.Token.ExpiresAt) || !now.Before(st.Grant.CreatedAt.Add(o.Lifetimes.RefreshMax)) {
		return nil, invalidGrant("refresh token has expired")
	}
	return st, h.provider.askStay(ctx, st, identity.Question{Client: client.ID})
}

func invalidGrant(cause string) error { return fosite.ErrInvalidGrant.WithWrap(errors.New(cause)) }

// resume fills the request from the grant. A narrower scope or audience is for
// the new access token only; the chain keeps what was granted.
func (h *refreshHandler) resume(ar *fosite.AccessRequest, client *fositeClient, st *StoredToken) error {
	granted := slices.DeleteFunc(slices.Clone(st.Grant.Scopes), func(s string) bool { return !contains(client.GetScopes(), s) })
	scopes, ok := narrowed(granted, ar.RequestedScope)
	if !ok {
		return fosite.ErrInvalidScope
	}
	audience, ok := narrowed(st.Grant.Audience, ar.RequestedAudience)
	if !ok {
		return fosite.ErrInvalidRequest.WithHint("The audience is more than was granted.")
	}
	session, err := h.provider.resumeSession(client, &st.Grant)
	if err != nil {
		return fosite.ErrServerError.WithWrap(err)
	}
	session.Nonce = "" // it was for the first ID token (OpenID Connect Core 1.0, section 12.2)
	now := h.provider.options.Now()
	end := st.Grant.CreatedAt.Add(h.provider.options.Lifetimes.RefreshMax)
	session.SetExpiresAt(fosite.AccessToken, earlier(now.Add(client.lifetime(fosite.AccessToken)), end))
	session.SetExpiresAt(fosite.IDToken, now.Add(client.lifetime(fosite.IDToken)))
	session.SetExpiresAt(fosite.RefreshToken, h.provider.refreshExpiry(client, now, st.Grant.CreatedAt))
	ar.SetID(st.Grant.ID)
	ar.SetSession(session)
	ar.GrantedScope, ar.GrantedAudience = scopes, audience
	return nil
}

// PopulateTokenEndpointResponse makes the new tokens.
func (h *refreshHandler) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	if !h.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	u := unitFrom(ctx)
	if u == nil || u.stored == nil {
		return fosite.ErrServerError.WithWrap(errNoUnit)
	}
	p := h.provider
	access, _, err := p.tokens.GenerateAccessToken(ctx, r)
	if err != nil {
		return fosite.ErrServerError.WithWrap(err)
	}
	refresh, _, err := p.tokens.GenerateRefreshToken(ctx, r)
	if err != nil {
		return fosite.ErrServerError.WithWrap(err)
	}
	h.collect(u, r, access, refresh)
	w.SetAccessToken(access)
	w.SetTokenType("bearer")
	w.SetScopes(r.GetGrantedScopes())
	w.SetExtra("refresh_token", refresh)
	return nil
}

// collect says what is to be written.
func (h *refreshHandler) collect(u *unit, r fosite.AccessRequester, access, refresh string) {
	now := h.provider.options.Now().Truncate(time.Millisecond)
	used, pair := u.stored.Token.Hash, HashToken(access)
	token := TokenRecord{
		Hash: pair, GrantID: u.stored.Grant.ID, Kind: KindAccess, IssuedAt: now,
		ExpiresAt: r.GetSession().GetExpiresAt(fosite.AccessToken),
	}
	if scopes := r.GetGrantedScopes(); !slices.Equal(scopes, u.stored.Grant.Scopes) {
		token.Scopes = scopes
	}
	if audience := r.GetGrantedAudience(); !slices.Equal(audience, u.stored.Grant.Audience) {
		token.Audience = audience
	}
	next := TokenRecord{
		Hash: HashToken(refresh), GrantID: u.stored.Grant.ID, Kind: KindRefresh, IssuedAt: now,
		ExpiresAt: r.GetSession().GetExpiresAt(fosite.RefreshToken), Pair: pair,
	}
	u.issue.GrantID = u.stored.Grant.ID
	u.issue.Rotate, u.issue.Grace = &used, max(h.provider.options.Lifetimes.RefreshGrace, 0)
	u.issue.Repeated = &identity.Event{
		At: now, Kind: "refresh_repeated", Subject: u.stored.Grant.Subject, System: u.stored.Grant.System,
		ClientID: u.stored.Grant.ClientID, GrantID: u.stored.Grant.ID, RequestID: u.requestID,
	}
	u.issue.Extend = next.ExpiresAt
	u.issue.Tokens = append(u.issue.Tokens, token, next)
}
