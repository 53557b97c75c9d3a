package provider

import (
	"context"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v3"
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

var (
	_ fosite.TokenEndpointHandler = (*exchangeHandler)(nil)
	_ exchange.Tokens             = (*exchangeHandler)(nil)
)

func (p *Provider) newStatements() (*exchange.Reader, error) {
	o := exchange.ReaderOptions{
		Issuers: p.options.TrustedIssuers, Audience: []string{p.options.Issuer, p.url(pathToken)},
		Tokens: &exchangeHandler{provider: p}, Users: p.options.Users, Gate: p.options.Gate, Replays: p.options.Storage, Now: p.options.Now,
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
	p := h.provider
	caller := exchange.Caller{ID: c.ID, Issuer: p.options.Issuer, Scopes: c.GetScopes(), Audience: c.GetAudience()}
	var who *exchange.Party
	var decision *exchange.Decision
	var err error
	if ar.GrantTypes.ExactOne(grantExchange) {
		u.origin = "token_exchange"
		if who, u.takes, err = p.statements.Upstream(ctx, ar.Form, caller, c.MayTakeUpstream); err != nil || u.takes != "" {
			if err == nil {
				err = h.admit(ctx, c, who)
			}
			return h.take(ar, who, err)
		}
		who, decision, err = p.statements.Exchange(ctx, ar.Form, caller)
	} else {
		u.origin = "jwt_bearer"
		who, decision, err = p.statements.Grant(ctx, exchange.Assertion{Form: ar.Form, Caller: caller, Keys: func(jws string) (*jose.JSONWebKeySet, error) {
			return p.clientKeys(ctx, c, jws)
		}})
	}
	if err == nil {
		err = h.admit(ctx, c, who)
	}
	if err == nil {
		h.grant(ar, u, who, decision)
	}
	return err
}

// take lets go on with a request for an upstream's own token, which is judged like
// any other.
func (h *exchangeHandler) take(ar *fosite.AccessRequest, of *exchange.Party, err error) error {
	if err != nil {
		return err
	}
	s := h.provider.newSession(&fositeClient{Client: &Client{}})
	s.SetSubject(of.Subject)
	s.Connector = of.Origin.Connector
	ar.SetSession(s)
	return nil
}

// admit asks for the second factor of a caller that needs one. Whether the person may
// stay was asked about what is presented.
func (h *exchangeHandler) admit(ctx context.Context, c *fositeClient, of *exchange.Party) error {
	return h.provider.options.Gate.Ask(ctx, identity.Question{
		Moment: identity.MomentStay, Subject: of.Subject, Status: identity.StatusActive, Client: c.ID,
		Factor: factorState(of.Origin.Factor), NeedFactor: c.RequireSecondFactor,
	})
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

// AccessParty implements [exchange.Tokens].
func (h *exchangeHandler) AccessParty(ctx context.Context, token string) (*exchange.Party, error) {
	st, err := h.provider.Inspect(ctx, token)
	if err != nil {
		return nil, err
	}
	if st.Token.Kind != KindAccess {
		return nil, identity.Failf(identity.ReasonInvalidToken, "not an access token")
	}
	return h.live(ctx, st, st.Scopes(), st.Token.ExpiresAt)
}

// IDTokenParty implements [exchange.Tokens]: an ID token is good for what its
// grant is.
func (h *exchangeHandler) IDTokenParty(ctx context.Context, token, client string) (*exchange.Party, error) {
	p := h.provider
	said, err := exchange.ReadIDToken(p.keys, token, exchange.Caller{ID: client, Issuer: p.options.Issuer}, p.options.Now())
	if err != nil {
		return nil, identity.Fail(identity.ReasonInvalidToken, err)
	}
	st, err := p.options.Storage.FindGrant(ctx, said.Grant)
	switch {
	case errors.Is(err, identity.ErrNotFound), err == nil && (!st.Grant.RevokedAt.IsZero() || st.Grant.ClientID != client):
		return nil, identity.Failf(identity.ReasonInvalidToken, "its grant is gone, revoked or of another client")
	case err != nil:
		return nil, wire.Outage(err)
	}
	return h.live(ctx, st, st.Grant.Scopes, earlier(said.Expires, st.Grant.ExpiresAt))
}

// live asks whether the grant's user may stay, and says what its token bounds.
func (h *exchangeHandler) live(ctx context.Context, st *StoredToken, scopes []string, expires time.Time) (*exchange.Party, error) {
	if err := h.provider.askStay(ctx, st, identity.Question{Client: st.Grant.ClientID}); err != nil {
		return nil, err
	}
	s, err := ParseSession(st.Grant.Session)
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	may, _ := s.Claims["may_act"].(map[string]any)
	return &exchange.Party{
		Subject: st.Grant.Subject, Client: st.Grant.ClientID, Scopes: scopes, Audience: st.Audience(),
		Expires: expires, AuthTime: unixTime(s.AuthTime), Act: s.Act, MayAct: may,
		Origin: exchange.Origin{
			Grant: st.Grant.ID, System: st.Grant.System, ACR: s.ACR, AMR: s.AMR, Connector: s.Connector, Factor: s.Factor, Unverified: s.Unverified, Bound: s.Bound,
		},
	}, nil
}

// grant fills the request from what was decided.
func (h *exchangeHandler) grant(ar *fosite.AccessRequest, u *unit, of *exchange.Party, d *exchange.Decision) {
	now := h.provider.options.Now()
	s := h.provider.newSession(u.caller)
	s.SetSubject(of.Subject)
	s.AMR, s.ACR, s.Unverified = of.Origin.AMR, of.Origin.ACR, of.Origin.Unverified
	s.Requested, s.Act, s.Connector, s.Factor = now.Unix(), d.Act, of.Origin.Connector, of.Origin.Factor
	s.Bound = of.Origin.Bound // until [Provider.bind] puts what the caller shows in its place
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
	if u.issuedType = d.Issue; d.Issue == exchange.TypeJWT {
		u.format = FormatATJWT
	}
	ar.SetSession(s)
	ar.GrantedScope, ar.GrantedAudience = d.Scopes, d.Audience
	u.issue.Parent = of.Origin.Grant
	u.issue.Events = append(u.issue.Events, identity.Event{
		At: now, Kind: u.origin, Subject: of.Subject, System: of.Origin.System, ClientID: u.caller.ID, GrantID: ar.GetID(), RequestID: u.requestID,
	})
}
