package visit

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/secret"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

// Again is the purpose of an interaction that leads back to the account page by a
// new sign-in.
const Again = "again"

// Begin stores the request of a person who has to sign in or to decide first, and
// returns the interaction's id.
func (v *Visits) Begin(c *gin.Context, i storage.Interaction) (string, error) {
	now, id := v.options.Now(), secret.ID()+secret.ID()
	i.Hash, i.Browser, i.Source = storage.HashOf(id), storage.HashOf(v.Browser(c)), v.Source(c)
	i.CreatedAt, i.ExpiresAt = now, now.Add(v.options.Lifetimes.Interaction)
	if err := v.options.Storage.AddInteraction(c.Request.Context(), &i); err != nil {
		return "", GoneOrOutage(err)
	}
	return id, nil
}

// Source is where a request comes from, to count what is open by: an address, or
// the network of 64 bits that one customer has of IPv6; "" where it is not known.
func (v *Visits) Source(c *gin.Context) string {
	addr := v.options.PeerAddr(c.Request).Unmap()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	network, err := addr.WithZone("").Prefix(bits)
	if err != nil || !addr.IsValid() {
		return ""
	}
	return network.String()
}

// Interaction finds one that this browser began. It returns one that was answered
// before together with [ErrAnswered].
func (v *Visits) Interaction(c *gin.Context, id string) (*storage.Interaction, error) {
	i, err := v.options.Storage.FindInteraction(c.Request.Context(), storage.HashOf(id))
	if err != nil {
		return nil, GoneOrOutage(err)
	}
	if storage.HashOf(v.Cookie(c, BrowserCookie)) != i.Browser {
		return nil, &wire.Error{Status: http.StatusForbidden, Code: "wrong_browser", Cause: errors.New("another browser began this sign-in")}
	}
	if !i.EndedAt.IsZero() {
		return i, ErrAnswered
	}
	return i, nil
}

// ErrAnswered is why nobody can go on with an interaction that was answered:
// they clicked twice, or went back.
var ErrAnswered = &wire.Error{Status: http.StatusBadRequest, Code: "interaction_answered", Cause: errors.New("the interaction was answered before")}

// GoneOrOutage is for what an interaction needs and storage did not give.
func GoneOrOutage(err error) error {
	if errors.Is(err, identity.ErrNotFound) {
		return Gone(err)
	}
	return wire.Outage(err)
}

// Gone says that an interaction has expired, or what it needs.
func Gone(cause error) error {
	return &wire.Error{Status: http.StatusBadRequest, Code: "interaction_expired", Cause: cause}
}
