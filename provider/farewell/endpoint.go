package farewell

import (
	"context"
	"errors"

	"github.com/gin-gonic/gin"

	"keyway/provider/client"
	"keyway/provider/keys"
	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/visit"
)

// Path is the endpoint's, below the issuer.
const Path = "/oauth2/logout"

// Options are what an [Endpoint] needs; all but Base must be given.
type Options struct {
	Issuer     string
	Base       string // the path of the issuer
	AccountURL string // where people go who stay signed in
	Visits     *visit.Visits
	Pages      *pages.Pages
	// Hint reads an id_token_hint.
	Hint func(token string) (keys.Hint, error)
	// Client returns [identity.ErrNotFound] for one that is disabled, too.
	Client func(ctx context.Context, id string) (*client.Client, error)
	// Subject is by what a client knows a person.
	Subject func(c *client.Client, subject string) string
	// Upstream is where a browser goes to sign out by whose word its session was, and
	// from there on to then; "" where it need not.
	Upstream func(c *gin.Context, s *storage.BrowserSession, then string) string
	// Person is how pages name who is signed in.
	Person func(ctx context.Context, s *storage.BrowserSession) (pages.User, error)
}

// Endpoint is where a browser is sent to sign out.
type Endpoint struct{ options Options }

// New returns an Endpoint.
func New(o Options) (*Endpoint, error) {
	if o.Issuer == "" || o.AccountURL == "" || o.Visits == nil || o.Pages == nil || o.Hint == nil || o.Client == nil || o.Subject == nil || o.Person == nil || o.Upstream == nil {
		return nil, errors.New("logout endpoint: all but the path of the issuer must be given")
	}
	return &Endpoint{options: o}, nil
}
