package federation

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"time"

	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// SignsOut is an upstream that browsers can sign out at (OpenID Connect
// RP-Initiated Logout 1.0).
type SignsOut interface {
	// SignOutURL is where the browser goes; "" where the upstream offers nothing of
	// that kind.
	SignOutURL(ctx context.Context, idToken, returnTo, state string) (string, error)
}

// TellsOfLogout is an upstream that says who signed out there (OpenID Connect
// Back-Channel Logout 1.0).
type TellsOfLogout interface {
	// VerifyLogout judges a logout token. Errors are [*upstream.Error].
	VerifyLogout(ctx context.Context, token string) (*upstream.Logout, error)
}

const (
	maxIDToken = 16 << 10       // bytes of an ID token that is kept
	rememberID = 25 * time.Hour // longer than a logout token may be old
)

// Leaving is a browser that has signed out here.
type Leaving struct {
	Connector string
	IDToken   []byte   // the hint
	Browser   [32]byte // the hash of its cookie
	ReturnTo  string   // our own fixed URL of the connector
	Then      string   // where it goes on from there; "" for our own page
}

// SignOut returns where the browser goes to sign out at the upstream too, "" where
// it stays here: the connector does not want it, or the upstream cannot, or is
// away. Who signed out here is so in any case.
func (f *Federation) SignOut(ctx context.Context, l Leaving) string {
	c := f.Find(l.Connector)
	if c == nil || !c.Life.SignOut {
		return ""
	}
	up, ok := c.Upstream.(SignsOut)
	if !ok {
		return ""
	}
	state, now := rand.Text()+rand.Text(), f.options.Now()
	to, err := up.SignOutURL(ctx, string(l.IDToken), l.ReturnTo, state)
	if err == nil && to != "" {
		err = f.options.Storage.AddTrip(ctx, &Trip{
			Hash: f.outwards(state), Connector: c.ID, Browser: l.Browser, Interaction: l.Then, CreatedAt: now, ExpiresAt: now.Add(f.options.Lifetime),
		})
	}
	if err != nil {
		f.options.Log.LogAttrs(ctx, slog.LevelWarn, "a browser could not be signed out at an upstream",
			slog.String("connector", c.ID), slog.String("cause", err.Error()))
		return ""
	}
	return to
}

// outwards is the hash of a trip that leads out. With our key in it, no state that a
// browser could bring to a sign-in has the same.
func (f *Federation) outwards(state string) (hash [32]byte) {
	mac := hmac.New(sha256.New, f.options.Key)
	mac.Write([]byte("keyway signing out\x00" + state))
	mac.Sum(hash[:0])
	return hash
}

// SignedOut returns where a browser goes on that comes back from signing out at an
// upstream; "" for our own page. It was judged before the browser left: what comes
// back with it chooses nothing.
func (f *Federation) SignedOut(ctx context.Context, connector string, browser [32]byte, state string) (string, error) {
	if state == "" || len(state) > maxState {
		return "", nil
	}
	trip, err := f.options.Storage.TakeTrip(ctx, f.outwards(state))
	if errors.Is(err, identity.ErrNotFound) {
		return "", nil
	}
	if err != nil || trip.Connector != connector || trip.Browser != browser {
		return "", err
	}
	return trip.Interaction, nil
}

// Ended obeys a logout token that an upstream posted, and returns how many
// sessions ended. Errors are [*upstream.Error], or those of storage.
func (f *Federation) Ended(ctx context.Context, connector, token string, e identity.Event) (int, error) {
	c := f.Find(connector)
	if c == nil {
		return 0, upstream.Fail(upstream.Untrusted, "there is no such connector")
	}
	up, ok := c.Upstream.(TellsOfLogout)
	if !ok {
		return 0, upstream.Fail(upstream.Untrusted, "the connector's upstream tells of no logouts")
	}
	l, err := up.VerifyLogout(ctx, token)
	if err != nil {
		return 0, err
	}
	l.Expires = f.options.Now().Add(rememberID)
	e.Kind, e.Connector = "upstream_logout", c.ID
	ended, err := f.options.Storage.EndUpstream(ctx, l, e)
	if errors.Is(err, identity.ErrConflict) {
		return 0, upstream.Fail(upstream.Untrusted, "the logout token was used before")
	}
	return ended, err
}

// hint is the ID token where it is needed to sign out at the upstream later.
func (c *Connector) hint(p *upstream.Person) []byte {
	if !c.Life.SignOut || len(p.IDToken) > maxIDToken {
		return nil
	}
	return []byte(p.IDToken)
}
