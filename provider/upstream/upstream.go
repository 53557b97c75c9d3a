// Package upstream is what the provider and its connectors tell each other of
// an identity provider that people sign in at.
//
//	AuthCodeURL(Attempt) ── the browser goes to the upstream and comes back ── Exchange(Attempt, answer) ──> Person
//	Verify(Login) ── the upstream is asked about a password ──> Person
//	Follow(Known) ── the upstream is asked what became of somebody ──> Person
//
// A connector implements those of them that its upstream can do. It believes nothing of an answer but what it verified, and says of
// every failure which [Kind] it is: the page, the audit trail and the breaker
// differ by that alone.
package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"keyway/provider/identity"
)

// Attempt is one trip of one browser to an upstream. It is stored while it
// lasts, bound to the browser, and used once.
type Attempt struct {
	State    string // comes back with the answer (RFC 6749, section 4.1.1)
	Nonce    string // comes back in the ID token (OpenID Connect Core 1.0, section 3.1.2.1)
	Verifier string // of PKCE (RFC 7636, section 4.1)

	LoginHint string
	Prompt    string   // "" for what the connector is set to
	ACRValues []string // empty for what the connector is set to
	Locales   string
	Fresh     bool // the person has to prove themselves now: max_age=0
}

// NewAttempt returns an attempt with fresh secrets.
func NewAttempt() Attempt {
	return Attempt{State: rand.Text(), Nonce: rand.Text(), Verifier: rand.Text() + rand.Text()}
}

// Person is who an upstream says signed in. (Issuer, Subject) is who they are;
// nothing else of it identifies anybody.
type Person struct {
	Issuer  string
	Subject string
	Claims  map[string]any // of the ID token and of userinfo; numbers are json.Number

	AuthTime time.Time // zero where the upstream does not say
	AMR      []string
	ACR      string
	SID      string // of the upstream's session

	// Password is what the password was verified by, for who takes it over; nil for
	// nothing.
	Password *identity.Credential `json:"-"`

	IDToken       string    // as it came: the hint when signing out there
	RefreshToken  string    // "" for none
	AccessToken   string    // "" for none
	AccessExpires time.Time // zero where the upstream does not say
}

// Logout is what an upstream says of a session that ended there (OpenID Connect
// Back-Channel Logout 1.0, section 2.4). One of Subject and SID is set.
type Logout struct {
	Issuer  string
	Subject string
	SID     string
	ID      string // jti: to be taken once
	Expires time.Time
}

// Kind is what went wrong.
type Kind string

// The kinds of failures.
const (
	Refused     Kind = "refused"     // the upstream said no, or the person did there
	Untrusted   Kind = "untrusted"   // the answer does not hold
	Unavailable Kind = "unavailable" // there was no answer, or no sensible one
	Unknown     Kind = "unknown"     // nobody there has the name, or nobody here is linked to who has
	Collision   Kind = "collision"   // what the person would be called here is somebody else's

	Wrong      Kind = "wrong"      // the password
	Disabled   Kind = "disabled"   // the account there, or it has expired
	Unverified Kind = "unverified" // the account there, whose owner has not confirmed it
	Locked     Kind = "locked"     // the account there, for a while
	Expired    Kind = "expired"    // the password there, which has to be changed first
)

// Error is every error of a connector. Err is for the log only.
type Error struct {
	Kind Kind
	Err  error

	// Issuer and Subject are whom a login name leads to there, where that is known
	// although they are refused: guesses by all their names count as one then.
	Issuer, Subject string
}

// Error implements [error].
func (e *Error) Error() string { return fmt.Sprintf("upstream %s: %v", e.Kind, e.Err) }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Fail is an [*Error] of our own words.
func Fail(kind Kind, why string) error { return &Error{Kind: kind, Err: errors.New(why)} }

// KindOf is the kind of err, [Unavailable] for one that is no [*Error].
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Unavailable
}

// Connector signs browsers in at one upstream. Errors are [*Error].
type Connector interface {
	// AuthCodeURL is where the browser goes.
	AuthCodeURL(ctx context.Context, a *Attempt) (string, error)
	// Exchange judges what the browser brought back.
	Exchange(ctx context.Context, a *Attempt, answer url.Values) (*Person, error)
}

// Login is what somebody typed, for an upstream to judge. Printed, logged or
// encoded as JSON it hides the password.
type Login struct {
	Username string // as it was typed, in the form NFC of Unicode
	Password string `json:"-"` // never empty
	System   string // the legacy system's instance, "" for a browser
}

// String hides what was typed: people mistype their password as their name.
func (Login) String() string { return "a login" }

// GoString hides what String hides.
func (l Login) GoString() string { return l.String() }

// Verifier asks an upstream whether a password is right. Errors are [*Error]:
// [Unknown] for a name that nobody there has, and where the upstream does not tell
// one from the other [Wrong].
type Verifier interface {
	Verify(ctx context.Context, l *Login) (*Person, error)
}

// Known is somebody whom an upstream vouched for before.
type Known struct {
	Issuer       string
	Subject      string
	RefreshToken string // that the upstream gave; "" for none
}

// Follower asks an upstream what has become of somebody. Errors are [*Error]:
// [Unavailable] says nothing about the person; every other one ends what they
// have here. Claims are nil where the upstream vouches for them and says no more.
//
// The person has the refresh token that counts from now on. One may come with an
// error, too: the upstream may have taken the old one before something went wrong.
type Follower interface {
	Follow(ctx context.Context, k *Known) (*Person, error)
}
