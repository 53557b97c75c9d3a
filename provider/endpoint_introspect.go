package provider

import (
	"context"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"keyway/provider/binding"
	"keyway/provider/details"
	"keyway/provider/exchange"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/roles"
	"keyway/provider/wire"
)

// typeIntrospection is the media type of signed answers (RFC 9701, section 4).
const typeIntrospection = "application/token-introspection+jwt"

// introspection is an answer to an active token (RFC 7662, section 2.2).
type introspection struct {
	Active    bool            `json:"active"`
	Scope     string          `json:"scope,omitempty"`
	ClientID  string          `json:"client_id,omitempty"`
	TokenType string          `json:"token_type,omitempty"` // of access tokens only
	Expires   int64           `json:"exp,omitempty"`
	IssuedAt  int64           `json:"iat,omitempty"`
	Subject   string          `json:"sub,omitempty"`
	Audience  []string        `json:"aud,omitempty"`
	Issuer    string          `json:"iss,omitempty"`
	AuthTime  int64           `json:"auth_time,omitempty"`
	ACR       string          `json:"acr,omitempty"`
	AMR       []string        `json:"amr,omitempty"`
	Details   details.List    `json:"authorization_details,omitempty"` // RFC 9396, section 9.2
	Bound     *binding.Key    `json:"cnf,omitempty"`                   // RFC 7800, section 3.1
	Act       *exchange.Actor `json:"act,omitempty"`                   // RFC 8693, section 4.1

	roles   []string
	rolesAs string // what the token's client calls them; "" where it is not told
}

// MarshalJSON implements [json.Marshaler].
func (a *introspection) MarshalJSON() ([]byte, error) {
	type plain introspection
	return roles.Beside((*plain)(a), a.rolesAs, a.roles)
}

// serveIntrospection is the introspection endpoint (RFC 7662). A client learns
// of its own tokens; of others only with [Client.MayIntrospect].
func (p *Provider) serveIntrospection(c *gin.Context) error {
	caller, values, err := p.caller(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if caller.Public() {
		return invalidClient("a public client may not introspect")
	}
	if values.Get("token") == "" {
		return wire.BadRequest("The parameter token is missing.")
	}
	answer, err := p.introspect(ctx, caller, values.Get("token"))
	if err != nil {
		return err
	}
	wire.NoStore(c)
	if !wire.Accepts(c.Request, typeIntrospection) {
		wire.WriteJSON(c, http.StatusOK, answer)
		return nil
	}
	return p.keys.Answer(c, keys.Answer{
		Alg: caller.IntrospectionAlg, Type: "token-introspection+jwt", Media: typeIntrospection,
		Claims: map[string]any{"iss": p.options.Issuer, "aud": caller.ID, "iat": p.options.Now().Unix(), "token_introspection": answer},
	})
}

// introspect answers active:false to every judgement, and an error only when
// there is none.
func (p *Provider) introspect(ctx context.Context, caller *fositeClient, token string) (*introspection, error) {
	st, err := p.Inspect(ctx, token)
	if err == nil && !caller.MayIntrospect && st.Grant.ClientID != caller.ID {
		return &introspection{}, nil
	}
	if err == nil {
		err = p.askStay(ctx, st, identity.Question{Client: st.Grant.ClientID})
	}
	if err != nil {
		if w := wire.From(err); w.Status >= http.StatusInternalServerError {
			return nil, err
		}
		return &introspection{}, nil
	}
	return p.describe(ctx, caller, st)
}

// describe is what the caller learns, in its own terms.
func (p *Provider) describe(ctx context.Context, caller *fositeClient, st *StoredToken) (*introspection, error) {
	s, err := ParseSession(st.Grant.Session)
	if err != nil {
		return nil, err
	}
	a := &introspection{
		Active: true, Scope: strings.Join(st.Scopes(), " "), ClientID: st.Grant.ClientID,
		Expires: st.Token.ExpiresAt.Unix(), IssuedAt: st.Token.IssuedAt.Unix(),
		Subject: p.subjectFor(caller, st.Grant.Subject), Audience: st.Audience(), Issuer: p.options.Issuer,
		AuthTime: s.AuthTime, ACR: s.ACR, AMR: s.AMR, Act: s.Act, Details: s.Details, Bound: s.Bound,
	}
	if st.Grant.Subject == "" {
		a.Subject = st.Grant.ClientID
	}
	if st.Token.Kind == KindAccess {
		a.TokenType = s.Bound.TokenType()
	}
	owner, err := p.liveClient(ctx, st.Grant.ClientID)
	if err == nil {
		a.rolesAs, a.roles, err = p.options.Roles.Tell(ctx, owner.Client, st.Grant.Subject, st.Scopes())
	}
	return a, wire.Outage(err)
}
