package identity

import "context"

// Record is one user with everything that belongs to them, as `keyway users
// import` and a declared users file give it.
type Record struct {
	User        User // Subject is "" unless the source fixes it
	Credentials []RecordCredential
	Accounts    []Account // Subject is filled when saved
}

// RecordCredential is a credential to be saved. Exactly one of Password and
// Credential.Hash is set. It hides itself as its Credential does.
type RecordCredential struct {
	Credential
	Password string `json:"-"` // plain; hashed before it reaches a store
	// Source tells one imported hash from another without being one: saving a
	// record whose Source is the stored one leaves the stored hash alone, for
	// it may have been upgraded or changed since.
	Source string
}

// SaveResult is what became of one [Record].
type SaveResult struct {
	Subject string
	Change  Change
	Err     error // the record was not saved: a login name or account id belongs to somebody else
}

// Change says what saving a record did.
type Change string

// The changes.
const (
	ChangeCreated   Change = "created"
	ChangeUpdated   Change = "updated"
	ChangeUnchanged Change = "unchanged"
)

// Directory is what administration writes of people.
type Directory interface {
	// SaveRecords saves each record, found again by its first login name, and
	// returns a result for each. A bad record does not stop the others. A
	// record's status counts where it differs from the one that was saved last,
	// so that a status set since stays.
	SaveRecords(ctx context.Context, records []Record) ([]SaveResult, error)
	// ListUsers returns at most limit users in the order of their subjects, beginning
	// behind after, whose login name, e-mail or subject contains match.
	ListUsers(ctx context.Context, match, after string, limit int) ([]User, error)
	// ListAccounts returns the user's accounts in the order of their systems.
	ListAccounts(ctx context.Context, subject string) ([]Account, error)
	// SetStatus changes a user's status and records that as user_enabled,
	// user_disabled and so on; disabling revokes every grant of theirs in the same
	// transaction, and no grant is made after it. [ErrNotFound] where there is no such user.
	SetStatus(ctx context.Context, subject string, to Status) error
}
