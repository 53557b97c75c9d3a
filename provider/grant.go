package provider

import (
	"errors"
	"net/netip"
	"time"

	"keyway/provider/identity"
	"keyway/provider/legacytoken"
)

// LegacyToken says how the access token of a password grant looks.
type LegacyToken = legacytoken.Token

// TokenFacts are what a legacy token's claims may say.
type TokenFacts = legacytoken.Facts

// PasswordGrant is one resource-owner password credentials grant
// (RFC 6749, section 4.3), asked for in process.
type PasswordGrant struct {
	Client        string // the internal client's id
	Credentials   identity.Credentials
	AccountSystem string            // where the user's account is looked up
	NeedAccount   bool              // without an account there the user is unknown
	Match         map[string]string // account attribute -> value it must have (or contain, if a list); else unknown user
	Token         LegacyToken
	RequestID     string
}

// Grant is a live grant with its access token.
type Grant struct {
	ID          string
	ClientID    string
	AccessToken string // as presented or issued; never logged
	IssuedAt    time.Time
	ExpiresAt   time.Time
	Scopes      []string
	User        *identity.User    // nil when the client acts for itself
	Account     *identity.Account // nil when the user has none in the system asked for
	Claims      []byte            // of a legacy JWT: its claims as signed; else nil
}

// TokenQuery presents an access token on behalf of a legacy system.
type TokenQuery struct {
	Client        string // the internal client whose tokens are accepted
	Token         string
	AccountSystem string
	Credentials   identity.Credentials // for the gate: System, RemoteAddr, AllowUnverified
	RequestID     string
}

// UserQuery asks for a user without a token, on behalf of a legacy system
// that proved itself with its own key: by account id, or by login name.
type UserQuery struct {
	AccountSystem string
	AccountID     string
	Directory     string
	Username      string
	System        string     // for the gate: the legacy system's instance, whose networks must hold
	RemoteAddr    netip.Addr // for the gate
	RequestID     string
}

// ErrRevoked is in the chain of an invalid_token failure when the token was
// good once and was ended before its time.
var ErrRevoked = errors.New("revoked")
