package registration

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/outbound"
	"keyway/provider/secret"
	"keyway/provider/wire"
)

// Options are what an [Endpoint] needs. Storage, URL, Delete, Changed, PeerAddr
// and Now have no default.
type Options struct {
	Open      bool // nobody needs an invitation
	PerSource int  // clients that one address may register in an hour without one, and a tenth of the changes that it may make; default 20
	Policy    Policy
	Storage   Storage
	URL       string                                     // of the endpoint
	Delete    func(ctx context.Context, id string) error // a client, and its grants
	Changed   func(id string)                            // a client was
	Outbound  *outbound.Client                           // calls URIs that clients name; nil calls none
	PeerAddr  func(r *http.Request) netip.Addr
	Now       func() time.Time
}

// Endpoint is the registration endpoint, and the configuration endpoint of each
// client.
type Endpoint struct {
	options Options
	sources *limiter
	changes *limiter
}

// New returns an Endpoint.
func New(o Options) (*Endpoint, error) {
	if o.Storage == nil || o.URL == "" || o.Delete == nil || o.Changed == nil || o.PeerAddr == nil || o.Now == nil {
		return nil, errors.New("registration: storage, url, delete, changed, peer address and now must be given")
	}
	if o.PerSource <= 0 {
		o.PerSource = 20
	}
	o.Policy.complete()
	if o.Outbound != nil {
		o.Policy.Callable = o.Outbound.Check
	}
	return &Endpoint{options: o, sources: newLimiter(o.PerSource), changes: newLimiter(10 * o.PerSource)}, nil
}

// answer is the client information response (RFC 7591, section 3.2.1; RFC 7592,
// section 3).
type answer struct {
	ClientID      string `json:"client_id"`
	IssuedAt      int64  `json:"client_id_issued_at"`
	Secret        string `json:"client_secret,omitempty"`
	SecretExpires *int   `json:"client_secret_expires_at,omitempty"` // 0: never; there where a secret is
	AccessToken   string `json:"registration_access_token"`
	URI           string `json:"registration_client_uri"`

	Metadata
}

func (e *Endpoint) answer(g *gin.Context, status int, c *client.Client, clientSecret, accessToken string) {
	a := answer{
		ClientID: c.ID, IssuedAt: c.IssuedAt, Secret: clientSecret, AccessToken: accessToken,
		URI: e.options.URL + "/" + c.ID, Metadata: of(c),
	}
	if clientSecret != "" {
		a.SecretExpires = new(int)
	}
	wire.WriteJSON(g, status, a)
}

// Register is the registration endpoint (RFC 7591, section 3).
func (e *Endpoint) Register(g *gin.Context) error {
	wire.NoStore(g)
	if g.Request.Method != http.MethodPost {
		return wire.MethodNotAllowed(http.MethodPost)
	}
	ctx := g.Request.Context()
	invited, err := e.invitation(g)
	if err != nil {
		return err
	}
	r, err := read(g)
	if err != nil {
		return err
	}
	made := &client.Client{ID: "dyn_" + secret.ID(), Source: client.SourceDynamic}
	made.IssuedAt = e.options.Now().Unix()
	n := &Entry{Client: made, MaxClients: e.options.Policy.MaxClients, Event: e.event(g, "client_registered", made.ID)}
	if invited != nil {
		n.Invitation, made.Invitation, made.Ceiling = &invited.Hash, invited.ID, invited.Scopes
	}
	if err := e.options.Policy.Judge(&r.Metadata, made.Ceiling); err != nil {
		return told(err)
	}
	if invited == nil {
		if wait, ok := e.sources.allow(e.options.PeerAddr(g.Request), e.options.Now()); !ok {
			return tooMany(g, wait)
		}
	}
	if err := e.checkSector(ctx, &r.Metadata); err != nil {
		return err
	}
	token := secret.Token(accessPrefix)
	made.AccessTokenHash = secret.Hash(token)
	shown := reissue(made, r.AuthMethod)
	r.apply(made)
	if err := checked(made); err != nil {
		return err
	}
	if err := e.store(ctx, n); err != nil {
		return err
	}
	g.Set(wire.LogClient, made.ID)
	e.answer(g, http.StatusCreated, made, shown, token)
	return nil
}

func (e *Endpoint) store(ctx context.Context, n *Entry) error {
	defer e.options.Changed(n.Client.ID)
	err := e.options.Storage.RegisterClient(ctx, n)
	switch {
	case errors.Is(err, identity.ErrConflict):
		return wire.Of("invalid_token", errors.New("the invitation was used up meanwhile"))
	case errors.Is(err, ErrFull):
		return &wire.Error{Status: http.StatusForbidden, Code: "access_denied", Description: "No more clients may be registered.", Cause: err}
	}
	return wire.Outage(err)
}

// invitation returns the one that the request has, nil where it has none and
// needs none.
func (e *Endpoint) invitation(g *gin.Context) (*Invitation, error) {
	token, err := bearer(g.Request)
	switch {
	case err != nil:
		return nil, err
	case token == "" && e.options.Open:
		return nil, nil
	case token == "":
		return nil, &wire.Error{Status: http.StatusUnauthorized, Code: "invalid_token", Challenge: "Bearer", Bare: true}
	}
	i, err := e.options.Storage.FindInvitation(g.Request.Context(), hashOf(token))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, wire.Of("invalid_token", errors.New("no such invitation"))
	case err != nil:
		return nil, wire.Outage(err)
	case !i.live(e.options.Now()):
		return nil, wire.Of("invalid_token", errors.New("the invitation is used up or has expired"))
	}
	return i, nil
}

// bearer reads a token from the header (RFC 6750, section 2.1); "" where there
// is none.
func bearer(r *http.Request) (string, error) {
	all := r.Header.Values("Authorization")
	if len(all) == 0 {
		return "", nil
	}
	scheme, token, _ := strings.Cut(all[0], " ")
	if len(all) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" || len(token) > 512 {
		return "", wire.Of("invalid_token", errors.New("malformed Authorization header"))
	}
	return token, nil
}

// checkSector fetches what stands at sector_identifier_uri. An outage there is
// the client's, and not ours.
func (e *Endpoint) checkSector(ctx context.Context, m *Metadata) error {
	if m.SectorURI == "" {
		return nil
	}
	a, err := e.options.Outbound.Get(ctx, m.SectorURI, "application/json")
	if err != nil {
		refusal := refuse("sector_identifier_uri", "cannot be fetched")
		return &wire.Error{Status: http.StatusBadRequest, Code: refusal.Code, Description: refusal.Description, Cause: err}
	}
	return told(CheckSector(a.Body, m.RedirectURIs))
}

// reissue gives a client what its method of authentication needs, anew where
// the method is not the one it had, and returns a secret that it made.
func reissue(c *client.Client, method string) (made string) {
	was := c.AuthMethod
	switch method {
	case string(client.AuthSecretBasic), string(client.AuthSecretPost):
		if string(was) != method || len(c.SecretHashes) == 0 {
			var hash string
			made, hash = client.NewSecret()
			c.SecretHashes = []string{hash}
		}
	default:
		c.SecretHashes = nil
	}
	return made
}

// checked is the last look, by the rules that hold for every client.
func checked(c *client.Client) error {
	if err := c.Check(); err != nil {
		return &wire.Error{
			Status: http.StatusBadRequest, Code: invalidMetadata,
			Description: "The members do not go together, or ask for what is not offered.", Cause: err,
		}
	}
	return nil
}

// told is a refusal as it is answered.
func told(err error) error {
	var r *Refusal
	if errors.As(err, &r) {
		return &wire.Error{Status: http.StatusBadRequest, Code: r.Code, Description: r.Description, Cause: err}
	}
	return err
}

// equal compares a secret that has 256 random bits with its hash.
func equal(hash, presented string) bool {
	return hash != "" && subtle.ConstantTimeCompare([]byte(hash), []byte(secret.Hash(presented))) == 1
}

func (e *Endpoint) event(g *gin.Context, kind, id string) identity.Event {
	at := identity.Event{At: e.options.Now(), Kind: kind, ClientID: id, RequestID: g.GetString(wire.RequestID)}
	if addr := e.options.PeerAddr(g.Request); addr.IsValid() {
		at.RemoteAddr = addr.Unmap().String()
	}
	return at
}
