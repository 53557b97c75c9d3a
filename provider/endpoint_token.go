package provider

import (
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"
	"github.com/ory/fosite"

	"keyway/provider/binding"
	"keyway/provider/identity"
	"keyway/provider/wire"
)

// tokenResponse is a successful answer (RFC 6749, section 5.1).
type tokenResponse struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    any    `json:"expires_in,omitempty"` // whole seconds
	Scope        any    `json:"scope,omitempty"`
	RefreshToken any    `json:"refresh_token,omitempty"`
	IDToken      any    `json:"id_token,omitempty"`
	IssuedType   any    `json:"issued_token_type,omitempty"`     // RFC 8693, section 2.2.1
	Details      any    `json:"authorization_details,omitempty"` // RFC 9396, section 7
}

func grantTypes() []string {
	return []string{grantCode, grantClientCredentials, grantRefresh, grantDevice, grantExchange, grantBearer}
}

// serveToken is the token endpoint (RFC 6749, section 3.2). The password
// grant is not served here, whatever a client may use.
func (p *Provider) serveToken(c *gin.Context) error {
	values, err := wire.Form(c)
	if err != nil {
		return err
	}
	grantType := values.Get("grant_type")
	open := p.openPassword && grantType == grantPassword
	switch {
	case grantType == "":
		return wire.BadRequest("The parameter grant_type is missing.")
	case !slices.Contains(grantTypes(), grantType) && !open:
		return wire.Of("unsupported_grant_type", nil)
	}
	c.Set(wire.LogGrant, grantType)
	u := &unit{requestID: c.GetString(wire.RequestID)}
	if open {
		if client, err := p.client(c.Request.Context(), values.Get("client_id")); err == nil {
			u = p.passwordUnit(client, PasswordGrant{Client: client.ID, Credentials: identity.Credentials{
				Directory: "default", Username: values.Get("username"), Password: values.Get("password"),
			}})
		}
	}
	response, err := p.grantToken(c, u)
	if err != nil {
		return err
	}
	wire.NoStore(c)
	wire.WriteJSON(c, http.StatusOK, tokenResponse{
		AccessToken: response.GetAccessToken(), TokenType: response.GetTokenType(), ExpiresIn: response.GetExtra("expires_in"),
		Scope: nonEmpty(response.GetExtra("scope")), RefreshToken: response.GetExtra("refresh_token"), IDToken: response.GetExtra("id_token"),
		Details: response.GetExtra("authorization_details"), IssuedType: response.GetExtra("issued_token_type"),
	})
	return nil
}

func nonEmpty(scope any) any {
	if scope == "" {
		return nil
	}
	return scope
}

// grantToken judges, then makes and writes; only the first half may end a
// family, which must not be rolled back.
func (p *Provider) grantToken(c *gin.Context, u *unit) (fosite.AccessResponder, error) {
	ctx := withUnit(c.Request.Context(), u)
	requester, err := p.fosite.NewAccessRequest(ctx, c.Request, p.newSession(&fositeClient{Client: &Client{}}))
	if err != nil {
		return nil, err
	}
	ar, ok := requester.(*fosite.AccessRequest)
	client, ours := requester.GetClient().(*fositeClient)
	if !ok || !ours {
		return nil, wire.Of("invalid_client", nil)
	}
	c.Set(wire.LogClient, client.ID)
	if s, ok := ar.Session.(*Session); ok && u.stored == nil {
		s.idAlg = p.newSession(client).idAlg
	}
	switch {
	case u.code != nil:
		err = p.enter(ctx, ar, &u.code.stored.Grant, u.code.stored.UserStatus)
	case u.device != nil:
		err = p.enter(ctx, ar, &u.device.Grant, u.device.UserStatus)
	}
	if err != nil {
		return nil, err
	}
	link, err := p.vouched(ctx, ar, client, u)
	if err != nil {
		return nil, err
	}
	if u.takes != "" {
		return p.handOver(ctx, ar, u, link)
	}
	p.applyPolicy(ar, u)
	if err := p.judgeDetails(ar, client); err != nil {
		return nil, err
	}
	if err := narrowTargets(ar, u); err != nil {
		return nil, err
	}
	if err := p.bind(c, ar, client, u); err != nil {
		return nil, err
	}
	return p.respond(ctx, ar, u)
}

// bind binds the new tokens to what the client shows that it holds: it judges only
// callers who have a grant, so that nobody else fills the memory of proofs.
func (p *Provider) bind(c *gin.Context, ar *fosite.AccessRequest, client *fositeClient, u *unit) error {
	s, ok := ar.Session.(*Session)
	if !ok {
		return errNoUnit
	}
	shown, err := p.binder.Shown(c, pathToken)
	if err != nil {
		return err
	}
	held := s.Bound
	demand := binding.Demand{
		Proof: client.DPoPBound, Certificate: client.CertificateBound, Held: held, Keep: u.code != nil || client.Public(),
	}
	if u.origin != "" && held != nil { // a bound token never becomes a bearer token by an exchange
		demand.Proof, demand.Certificate = demand.Proof || held.Proof != "", demand.Certificate || held.Certificate != ""
	}
	s.Bound, err = binding.Bind(shown, demand)
	u.rebound = !held.Equal(s.Bound)
	return err
}
