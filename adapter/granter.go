package adapter

import (
	"context"

	"keyway/provider"
	"keyway/provider/identity"
)

// Granter is what the adapter sees of the provider. Errors are
// [*identity.Failure].
type Granter interface {
	// GrantPassword makes the grant and its access token.
	GrantPassword(ctx context.Context, g provider.PasswordGrant) (*provider.Grant, error)
	// InspectGrant returns the live grant behind an access token.
	// invalid_token: unknown, or not of this system; expired_token: expired;
	// [provider.ErrRevoked] in the chain: ended before its time.
	InspectGrant(ctx context.Context, q provider.TokenQuery) (*provider.Grant, error)
	// RevokeGrant ends the grant behind an access token.
	RevokeGrant(ctx context.Context, q provider.TokenQuery) error
	// LookupUser finds a user that a system with a key of its own asks for.
	LookupUser(ctx context.Context, q provider.UserQuery) (*identity.User, *identity.Account, error)
}
