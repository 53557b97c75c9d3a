package provider

import (
	"errors"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/gin-gonic/gin"

	"keyway/provider/claims"
	"keyway/provider/identity"
	"keyway/provider/wire"
)

// serveUserinfo is the userinfo endpoint (OpenID Connect Core 1.0, section
// 5.3). It takes access tokens that have the scope openid and a person behind
// them, from the header or a POST body, and never from the query.
func (p *Provider) serveUserinfo(c *gin.Context) error {
	token, err := bearerToken(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	st, err := p.Inspect(ctx, token)
	if err != nil {
		return bearerError(err)
	}
	c.Set(wire.LogClient, st.Grant.ClientID)
	switch {
	case st.Token.Kind != KindAccess:
		return wire.Of("invalid_token", errors.New("not an access token"))
	case st.Grant.Subject == "":
		return wire.Of("invalid_token", errors.New("no person behind the token"))
	case !slices.Contains(st.scopes(), scopeOpenID):
		return wire.Of("insufficient_scope", nil)
	}
	if err := p.askStay(ctx, st, identity.Question{Client: st.Grant.ClientID}); err != nil {
		return bearerError(err)
	}
	u, err := p.findRecentUser(ctx, st.Grant.Subject)
	if errors.Is(err, identity.ErrNotFound) {
		return wire.Of("invalid_token", err)
	}
	if err != nil {
		return wire.Outage(err)
	}
	told := claims.OfUser(u, st.scopes())
	if st.Grant.Origin == grantCode {
		s, err := ParseSession(st.Grant.Session)
		if err != nil {
			return err
		}
		maps.Copy(told, claims.Named(u, s.UserClaims))
	}
	wire.NoStore(c)
	wire.WriteJSON(c, http.StatusOK, told)
	return nil
}

// bearerError keeps outages and makes every judgement invalid_token.
func bearerError(err error) error {
	if w := wire.From(err); w.Status >= http.StatusInternalServerError {
		return err
	}
	var f *identity.Failure
	cause := err
	if errors.As(err, &f) {
		cause = errors.New(f.Error()) // its reason must not decide again
	}
	return wire.Of("invalid_token", cause)
}

// bearerToken reads the token (RFC 6750, section 2).
func bearerToken(c *gin.Context) (string, error) {
	r := c.Request
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		return "", wire.MethodNotAllowed("GET, POST")
	}
	var found []string
	for _, h := range r.Header.Values("Authorization") {
		scheme, token, _ := strings.Cut(h, " ")
		if strings.EqualFold(scheme, "Bearer") {
			found = append(found, strings.TrimSpace(token))
		}
	}
	media, _, err := mime.ParseMediaType(c.GetHeader("Content-Type"))
	if r.Method == http.MethodPost && err == nil && media == "application/x-www-form-urlencoded" {
		values, err := wire.Form(c)
		if err != nil {
			return "", err
		}
		if values.Has("access_token") {
			found = append(found, values.Get("access_token"))
		}
	}
	switch {
	case len(found) == 0:
		return "", &wire.Error{Status: http.StatusUnauthorized, Code: "invalid_token", Challenge: "Bearer", Bare: true}
	case len(found) > 1:
		return "", wire.BadRequest("The token is presented more than once.")
	case found[0] == "":
		return "", wire.Of("invalid_token", nil)
	}
	return found[0], nil
}
