package provider

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/ory/fosite"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"

	"keyway/provider/exchange"
	"keyway/provider/identity"
	"keyway/provider/wire"
)

// exchangeHandler is token exchange (RFC 8693) and the grant of an assertion (RFC
// 7523, section 2.1).
type exchangeHandler struct {
	*fositeoauth2.HandleHelper
	provider *Provider
}

var _ fosite.TokenEndpointHandler = (*exchangeHandler)(nil)

// exchanged is what a new token is made of.
type exchanged struct {
	*exchange.Party
	session *Session // behind it
	grant   *GrantRecord
}

func (p *Provider) newStatements() (*exchange.Reader, error) {
	o := exchange.ReaderOptions{
		Issuers: p.options.TrustedIssuers, Audience: []string{p.options.Issuer, p.url("/oauth2/token")},
		Users: p.options.Users, Gate: p.options.Gate, Replays: p.options.Storage, Now: p.options.Now,
	}
	if p.published != nil {
		o.Published = p.published.Keys
	}
	return exchange.NewReader(o)
}

// CanSkipClientAuth implements [fosite.TokenEndpointHandler].
func (*exchangeHandler) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// CanHandleTokenEndpointRequest implements [fosite.TokenEndpointHandler].
func (*exchangeHandler) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(grantExchange) || r.GetGrantTypes().ExactOne(grantBearer)
}

// HandleTokenEndpointRequest judges what is presented.
func (h *exchangeHandler) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	u := unitFrom(ctx)
	ar, ours := r.(*fosite.AccessRequest)
	c, ok := r.GetClient().(*fositeClient)
	switch {
	case !h.CanHandleTokenEndpointRequest(ctx, r):
		return fosite.ErrUnknownRequest
	case u == nil || !ours || !ok:
		return fosite.ErrServerError.WithWrap(errNoUnit)
	}
	caller := exchange.Caller{ID: c.ID, Issuer: h.provider.options.Issuer, Scopes: c.GetScopes(), Audience: c.GetAudience()}
	if ar.GrantTypes.ExactOne(grantBearer) {
		return h.bearer(ctx, ar, caller, u)
	}
	return h.exchange(ctx, ar, caller, u)
}

// PopulateTokenEndpointResponse makes the token. There is no refresh token:
// whoever wants to go on exchanges again.
func (h *exchangeHandler) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	u := unitFrom(ctx)
	if u == nil || u.origin == "" {
		return fosite.ErrUnknownRequest
	}
	if u.issuedType != "" {
		w.SetExtra("issued_token_type", u.issuedType)
	}
	_, err := h.IssueAccessToken(ctx, 0, r, w)
	return err
}

func (h *exchangeHandler) exchange(ctx context.Context, ar *fosite.AccessRequest, caller exchange.Caller, u *unit) error {
	request, err := exchange.Parse(ar.Form)
	if err != nil {
		return err
	}
	subject, err := h.subject(ctx, request.Subject, caller.ID)
	if err != nil {
		return refused("subject_token", err)
	}
	var actor *exchange.Party
	if request.Actor.Token != "" {
		own, err := h.own(ctx, request.Actor.Token)
		if err != nil {
			return refused("actor_token", err)
		}
		actor = own.Party
	}
	decision, err := exchange.Decide(request, caller, *subject.Party, actor)
	if err != nil {
		return err
	}
	u.origin, u.issuedType = "token_exchange", request.Issue
	if request.Issue == exchange.TypeJWT {
		u.format = FormatATJWT
	}
	h.grant(ar, u, subject, decision)
	return nil
}

func (h *exchangeHandler) bearer(ctx context.Context, ar *fosite.AccessRequest, caller exchange.Caller, u *unit) error {
	set, err := h.provider.clientKeys(ctx, u.caller, ar.Form.Get("assertion"))
	if err != nil {
		return err
	}
	var own []string
	for _, s := range caller.Scopes {
		if h.provider.grantable(u.caller, s, u) {
			own = append(own, s)
		}
	}
	who, decision, err := h.provider.statements.Grant(ctx, exchange.Assertion{Form: ar.Form, Caller: caller, Keys: set, Own: own})
	if err != nil {
		return err
	}
	u.origin = "jwt_bearer"
	h.grant(ar, u, &exchanged{Party: who, session: &Session{}, grant: &GrantRecord{}}, decision)
	return nil
}

// refused keeps outages; every judgement on a token is invalid_request (RFC 8693,
// section 2.2.2).
func refused(parameter string, err error) error {
	if w := wire.From(err); w.Status >= http.StatusInternalServerError {
		return err
	}
	return exchange.Refused(parameter, errors.New(err.Error()))
}

// subject finds out what a subject token is. Errors are a [*identity.Failure].
func (h *exchangeHandler) subject(ctx context.Context, shown exchange.Presented, client string) (*exchanged, error) {
	switch p := h.provider; {
	case shown.Type != exchange.TypeAccessToken && p.statements.Trusts(shown.Token):
		who, err := p.statements.Read(ctx, shown.Token, client)
		return &exchanged{Party: who, session: &Session{}, grant: &GrantRecord{}}, err
	case shown.Type == exchange.TypeIDToken:
		return h.idToken(ctx, shown.Token, client)
	}
	return h.own(ctx, shown.Token)
}

// own is an access token of ours, that of a legacy system too.
func (h *exchangeHandler) own(ctx context.Context, token string) (*exchanged, error) {
	st, err := h.provider.Inspect(ctx, token)
	if err != nil {
		return nil, err
	}
	if st.Token.Kind != KindAccess {
		return nil, identity.Failf(identity.ReasonInvalidToken, "not an access token")
	}
	return h.live(ctx, st, st.Scopes(), st.Token.ExpiresAt)
}

// idToken is an ID token of ours. It is good for what its grant is.
func (h *exchangeHandler) idToken(ctx context.Context, token, client string) (*exchanged, error) {
	p := h.provider
	signed, err := p.keys.Verify(token)
	if err != nil || signed.Type != "" && signed.Type != "JWT" {
		return nil, identity.Failf(identity.ReasonInvalidToken, "not an ID token of ours")
	}
	said, err := exchange.ReadIDToken(signed.Payload, p.options.Issuer, client, p.options.Now())
	if err != nil {
		return nil, identity.Fail(identity.ReasonInvalidToken, err)
	}
	st, err := p.options.Storage.FindGrant(ctx, said.Grant)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, identity.Failf(identity.ReasonInvalidToken, "its grant is gone")
	case err != nil:
		return nil, wire.Outage(err)
	case !st.Grant.RevokedAt.IsZero() || st.Grant.ClientID != client:
		return nil, identity.Failf(identity.ReasonInvalidToken, "its grant is revoked, or of another client")
	}
	return h.live(ctx, st, st.Grant.Scopes, earlier(said.Expires, st.Grant.ExpiresAt))
}

// live asks whether the grant's user may stay, and says what its token bounds.
func (h *exchangeHandler) live(ctx context.Context, st *StoredToken, scopes []string, expires time.Time) (*exchanged, error) {
	if err := h.provider.askStay(ctx, st, identity.Question{Client: st.Grant.ClientID}); err != nil {
		return nil, err
	}
	s, err := ParseSession(st.Grant.Session)
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	may, _ := s.Claims["may_act"].(map[string]any)
	return &exchanged{session: s, grant: &st.Grant, Party: &exchange.Party{
		Subject: st.Grant.Subject, Client: st.Grant.ClientID, Scopes: scopes, Audience: st.Grant.Audience,
		Expires: expires, AuthTime: unixTime(s.AuthTime), Act: s.Act, MayAct: may,
	}}, nil
}

// grant fills the request from what was decided.
func (h *exchangeHandler) grant(ar *fosite.AccessRequest, u *unit, of *exchanged, d *exchange.Decision) {
	now := h.provider.options.Now()
	s := h.provider.newSession(u.caller)
	s.SetSubject(of.Subject)
	s.AMR, s.ACR, s.Unverified = of.session.AMR, of.session.ACR, of.session.Unverified
	s.Requested, s.Act = now.Unix(), d.Act
	if !of.AuthTime.IsZero() {
		s.AuthTime = of.AuthTime.Unix()
	}
	if d.MayAct != nil {
		s.Claims = map[string]any{"may_act": d.MayAct}
	}
	expires := now.Add(u.caller.lifetime(fosite.AccessToken))
	if !d.Expires.IsZero() {
		expires = earlier(expires, d.Expires)
	}
	s.SetExpiresAt(fosite.AccessToken, expires)
	ar.SetSession(s)
	ar.GrantedScope, ar.GrantedAudience = d.Scopes, d.Audience
	u.issue.Parent = of.grant.ID
	u.issue.Events = append(u.issue.Events, identity.Event{
		At: now, Kind: u.origin, Subject: of.Subject, System: of.grant.System, ClientID: u.caller.ID, GrantID: ar.GetID(), RequestID: u.requestID,
	})
}
