package provider

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/wire"
)

// serveRevocation is the revocation endpoint (RFC 7009). It ends the whole
// grant. A token that is unknown or has ended already is answered 200; one of
// another client and a storage that is away are errors.
func (p *Provider) serveRevocation(c *gin.Context) error {
	caller, values, err := p.caller(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	token := values.Get("token")
	if token == "" {
		return wire.BadRequest("The parameter token is missing.")
	}
	wire.NoStore(c)
	if len(token) > maxToken {
		c.Status(http.StatusOK)
		return nil
	}
	st, err := p.options.Storage.FindToken(ctx, HashToken(token))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		c.Status(http.StatusOK)
		return nil
	case err != nil:
		return wire.Outage(err)
	case !mayRevoke(caller, &st.Grant):
		return &wire.Error{
			Status: http.StatusBadRequest, Code: "unauthorized_client",
			Description: "The token was not issued to this client.",
		}
	}
	if st.Grant.RevokedAt.IsZero() {
		if err := p.endGrant(ctx, st, identity.Credentials{}, c.GetString(wire.RequestID)); err != nil {
			return err
		}
	}
	c.Status(http.StatusOK)
	return nil
}

// mayRevoke is narrower than RFC 7009, section 2.1, nowhere, and wider in one
// place: a legacy system cannot authenticate to revoke what was issued to it,
// so a client that is allowed to does it in its stead.
func mayRevoke(caller *fositeClient, g *GrantRecord) bool {
	return g.ClientID == caller.ID || caller.MayRevokeLegacy && g.System != ""
}
