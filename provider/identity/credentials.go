package identity

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/netip"
	"time"
)

// Credentials are what one login attempt presents. Printed, logged or encoded
// as JSON they hide the password.
type Credentials struct {
	Directory string
	Username  string
	Password  string `json:"-"`
	// Equivalent are other readings of what was typed, for a legacy system that
	// alters passwords before it looks at them. They are tried where Password is
	// wrong, within the same attempt; at most the first one is, and only if it
	// differs from Password.
	Equivalent []string `json:"-"`
	System     string   // the legacy system's instance, "" for a browser login
	Client     string   // the OAuth client that the login is for
	RemoteAddr netip.Addr
	RequestID  string // for the audit trail

	// StatusFirst makes a user's status decide before the password does, as
	// some legacy systems do; it tells an unverified name from a wrong password.
	StatusFirst bool
	// AllowUnverified lets an unverified user in, as some legacy systems do.
	AllowUnverified bool
	// Hopeless makes any password wrong, for a legacy system that does not take
	// this way to sign in. It takes the time of a wrong password, but counts
	// against the source alone, so that nobody is locked out by it.
	Hopeless bool
	// Stranger says that the caller knows the name to be nobody's in its system,
	// whosever it is elsewhere. It signs in as a name that nobody has: as slowly,
	// counted and recorded as unknown_user, whatever the password. Upstreams are
	// asked all the same: they may know somebody whom the system knows from then on.
	Stranger bool
	// Login is whom the name leads to, where the caller has asked
	// [Credentials.Resolve] already; nil when not.
	Login *Login
	// Admit is asked about whoever the password proves, before they are let in: the
	// caller's system may not know them, or know them since this very sign-in. Its
	// errors are [*Failure] and count as any other.
	Admit func(ctx context.Context, who *Identity) error `json:"-"`
}

// Resolve returns whom the login name leads to, nil when nobody has it. Errors
// are [*Failure].
func (c Credentials) Resolve(ctx context.Context, users Users) (*Login, error) {
	return findLogin(ctx, users, c)
}

// login is Resolve, but for what the caller knows already.
func (c Credentials) login(ctx context.Context, users Users) (*Login, error) {
	switch {
	case c.Stranger:
		return nil, nil //nolint:nilnil // an unknown name
	case c.Login != nil:
		return c.Login, nil
	}
	return findLogin(ctx, users, c)
}

// readings are the passwords to be tried, in their order: at least one.
func (c Credentials) readings() []string {
	if c.Hopeless {
		return []string{rand.Text()} // nobody's, so that the answer takes its usual time
	}
	if len(c.Equivalent) > 0 && c.Equivalent[0] != c.Password {
		return []string{c.Password, c.Equivalent[0]}
	}
	return []string{c.Password}
}

// LogValue implements [slog.LogValuer].
func (c Credentials) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("directory", c.Directory),
		slog.String("system", c.System),
		slog.String("client", c.Client),
		slog.String("remote_addr", c.RemoteAddr.String()),
		slog.String("request_id", c.RequestID),
	)
}

// String hides the username, which people sometimes mistype as their
// password, and the password.
func (c Credentials) String() string { return "credentials for " + c.Directory }

// GoString hides what String hides.
func (c Credentials) GoString() string { return c.String() }

// Identity is who signed in.
type Identity struct {
	User     User
	AuthTime time.Time
	AMR      []string // RFC 8176, for instance "pwd"

	Connector string // whose upstream vouches for them; "" for a proof of our own
	ACR       string // by the word of that upstream; "" where it gave none
	Upstream  Vouching
	Person    string // what failures of theirs were of before they were a user, see [Failure]; "" for none

	AppPassword bool   // proved by an app password, and not by the person's own
	Verifier    string // the step of a [Chain] that said so, for the audit trail

	SecondFactor bool // proved by a second factor, too: to us, or to an upstream that is believed that
}

// Authenticator says who presents these credentials. Errors are [*Failure].
//
// Once it has looked at the password it says what it found, whatever has become
// of ctx: a client that hangs up must not take its guess back.
type Authenticator interface {
	Authenticate(ctx context.Context, c Credentials) (*Identity, error)
}

// LoginAuthenticator is an [Authenticator] that can be told whom the login
// name leads to, so that it need not be looked up again.
type LoginAuthenticator interface {
	Authenticator
	// AuthenticateLogin is Authenticate for a name that was resolved to l; a nil
	// l means that nobody has it.
	AuthenticateLogin(ctx context.Context, c Credentials, l *Login) (*Identity, error)
}
