package identity

import (
	"context"
	"time"
)

// Users is what sign-in reads and writes of people.
type Users interface {
	// FindLogin resolves a login name; name is folded by [FoldName].
	// It returns [ErrNotFound] where there is none.
	FindLogin(ctx context.Context, directory, name string) (*Login, error)
	// FindUser returns [ErrNotFound] where there is no such user.
	FindUser(ctx context.Context, subject string) (*User, error)
	// FindAccount returns [ErrNotFound] where the user has none in system.
	FindAccount(ctx context.Context, system, subject string) (*Account, error)
	// ReplaceHash stores a new hash of the same password, if the credential
	// still has the old one; otherwise [ErrConflict]. It does not change the
	// credential version.
	ReplaceHash(ctx context.Context, old, new Credential) error
}

// Attempts counts failed sign-ins, for lockout.
type Attempts interface {
	// CountFailures returns how often each key failed since then.
	CountFailures(ctx context.Context, keys []string, since time.Time) (map[string]int, error)
	// RecordFailure counts one failure for each key and stores the event.
	RecordFailure(ctx context.Context, keys []string, e Event) error
	// ClearFailures forgets the failures of the keys.
	ClearFailures(ctx context.Context, keys []string) error
}

// Event is one row of the audit trail. It never holds a secret, and holds
// a login name only when that name is known.
type Event struct {
	At         time.Time
	Kind       string // what happened: "login", "token_revoked", "refresh_repeated", "user_disabled", "client_saved", ...
	Reason     Reason // "" for success
	Subject    string
	Directory  string
	System     string
	Connector  string // the upstream that vouched, or failed to; "" for none
	Verifier   string // of a password: which one answered; "" where none was asked
	ClientID   string
	GrantID    string
	RemoteAddr string
	RequestID  string
}
