package visit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

// Gate is asked whether who is signed in may stay so; it is [*identity.Gate].
type Gate interface {
	// Ask returns a [*identity.Failure] when the answer is no.
	Ask(ctx context.Context, q identity.Question) error
}

// Storage stores what browsers do here.
type Storage interface {
	storage.SessionStorage
	storage.InteractionStorage
}

// Options are what [Visits] need; all must be given.
type Options struct {
	Issuer    string
	Directory string // in which people sign in
	Key       []byte // of the forms, the same on every replica
	Storage   Storage
	Gate      Gate
	// Vouched reports whether the upstream by whose word a session is goes on
	// vouching for its person.
	Vouched func(ctx context.Context, s *storage.BrowserSession) (bool, error)
	// Frame is what a frame loads so that a client sees to the end of a session
	// with that public id; "" for nothing.
	Frame     func(ctx context.Context, client, sid string) string
	PeerAddr  func(r *http.Request) netip.Addr
	Now       func() time.Time
	Lifetimes Lifetimes
}

// Lifetimes say how long things live.
type Lifetimes struct {
	Interaction time.Duration // in which a sign-in must be finished
	SessionIdle time.Duration // of a browser session that is not used
	SessionMax  time.Duration // of a browser session, however much it is used
}

// Visits knows browsers, and who is signed in there.
type Visits struct {
	options Options
	secure  bool   // there is https
	base    string // the path of the issuer: cookies know no paths that are worth anything, so their names tell two issuers of a host apart
}

// New returns Visits.
func New(o Options) (*Visits, error) {
	u, err := url.Parse(o.Issuer)
	if err != nil {
		return nil, fmt.Errorf("visits: issuer: %w", err)
	}
	if o.Storage == nil || o.Gate == nil || o.Vouched == nil || o.Frame == nil || o.PeerAddr == nil || o.Now == nil || len(o.Key) < 32 {
		return nil, errors.New("visits: storage, gate, vouched, frame, peer address, clock and key must be given")
	}
	return &Visits{options: o, secure: u.Scheme == "https", base: u.EscapedPath()}, nil
}

// PeerAddr is who sent the request.
func (v *Visits) PeerAddr(c *gin.Context) netip.Addr { return v.options.PeerAddr(c.Request) }

// Event is one that a person at a browser causes.
func (v *Visits) Event(c *gin.Context, kind, subject string) identity.Event {
	e := identity.Event{At: v.options.Now(), Kind: kind, Subject: subject, RequestID: c.GetString(wire.RequestID)}
	if addr := v.options.PeerAddr(c.Request); addr.IsValid() {
		e.RemoteAddr = addr.Unmap().String()
	}
	return e
}
