package provider

import (
	"errors"
	"maps"
	"net/http"
	"slices"

	"github.com/gin-gonic/gin"

	"keyway/provider/binding"
	"keyway/provider/claims"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/wire"
)

// typUserinfo is of our own: nobody shall take such an answer for an ID token.
const typUserinfo = "userinfo+jwt"

// serveUserinfo is the userinfo endpoint (OpenID Connect Core 1.0, section
// 5.3). It takes access tokens that have the scope openid and a person behind
// them, from the header or a POST body, and never from the query.
func (p *Provider) serveUserinfo(c *gin.Context) error {
	shown, err := binding.Token(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	st, err := p.Inspect(ctx, shown.Token)
	if err != nil {
		return shown.Judge(err)
	}
	c.Set(wire.LogClient, st.Grant.ClientID)
	switch {
	case st.Token.Kind != KindAccess:
		return shown.Refuse("invalid_token", errors.New("not an access token"))
	case st.Grant.Subject == "":
		return shown.Refuse("invalid_token", errors.New("no person behind the token"))
	case !slices.Contains(st.Scopes(), scopeOpenID):
		return shown.Refuse("insufficient_scope", nil)
	}
	if err := p.askStay(ctx, st, identity.Question{Client: st.Grant.ClientID}); err != nil {
		return shown.Judge(err)
	}
	s, err := ParseSession(st.Grant.Session)
	if err != nil {
		return err
	}
	if err := p.binder.Check(c, pathUserinfo, shown, s.Bound); err != nil {
		return err
	}
	u, err := p.reads.FindUser(ctx, p.options.Users, st.Grant.Subject, p.options.Now())
	if errors.Is(err, identity.ErrNotFound) {
		return shown.Refuse("invalid_token", err)
	}
	if err != nil {
		return wire.Outage(err)
	}
	told := claims.OfUser(u, st.Scopes())
	if st.Grant.Origin == grantCode {
		maps.Copy(told, claims.Named(u, claims.Left(s.UserClaims, st.Grant.Scopes, st.Scopes())))
	}
	client, err := p.liveClient(ctx, st.Grant.ClientID)
	if err != nil {
		return shown.Judge(err)
	}
	if name, has, err := p.options.Roles.Tell(ctx, client.Client, st.Grant.Subject, st.Scopes()); err != nil {
		return wire.Outage(err)
	} else if name != "" {
		told[name] = has
	}
	told["sub"] = p.subjectFor(client, st.Grant.Subject)
	wire.NoStore(c)
	if client.UserinfoAlg == "" {
		wire.WriteJSON(c, http.StatusOK, told)
		return nil
	}
	told["iss"], told["aud"] = p.options.Issuer, client.ID
	return p.keys.Answer(c, keys.Answer{Alg: client.UserinfoAlg, Type: typUserinfo, Media: "application/jwt", Claims: told})
}
