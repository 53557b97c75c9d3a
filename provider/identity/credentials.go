package identity

import (
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// Credentials are what one login attempt presents. Its LogValue and String
// hide the password.
type Credentials struct {
	Directory  string
	Username   string
	Password   string
	System     string // the legacy system's instance, "" for a browser login
	Client     string // the OAuth client that the login is for
	RemoteAddr netip.Addr
	RequestID  string // for the audit trail

	// StatusFirst makes a user's status decide before the password does, as
	// some legacy systems do; it tells an unverified name from a wrong password.
	StatusFirst bool
	// AllowUnverified lets an unverified user in, as some legacy systems do.
	AllowUnverified bool
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
}

// Authenticator says who presents these credentials.
// Errors are [*Failure].
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
