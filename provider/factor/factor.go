package factor

import (
	"context"
	"time"

	"keyway/provider/identity"
)

// ACR is the authentication context of who proved a second factor. No upstream can
// claim it.
const ACR = "urn:keyway:mfa"

// Kind is what proves.
type Kind string

// The kinds of what people enrol.
const (
	KindTOTP    Kind = "totp"
	KindPasskey Kind = "passkey"
)

// Enrolment is one thing by which a person proves themselves. Printed, logged or
// encoded as JSON it hides its secret.
type Enrolment struct {
	ID         string
	Subject    string
	Kind       Kind
	Name       string // that the person gave it
	Secret     []byte `json:"-"` // sealed at rest, bound to its row: the key of the codes, or what is known of the passkey
	Credential []byte // a passkey's id; nil for an app
	Counter    int64  // the last time step that was used, or the last count of the passkey's signatures
	CreatedAt  time.Time
	UsedAt     time.Time // zero for never
}

// String hides the secret.
func (e Enrolment) String() string { return string(e.Kind) + " " + e.ID + " of " + e.Subject }

// GoString hides what String hides.
func (e Enrolment) GoString() string { return e.String() }

// Storage stores what people enrolled.
type Storage interface {
	// AddEnrolment is recorded as totp_added or passkey_added. Where it is a person's first, the
	// hashes of new recovery codes are stored with it; it reports whether it was.
	// [identity.ErrNotFound] where there is no such user, [identity.ErrConflict] where
	// they have too many or the passkey is somebody's already.
	AddEnrolment(ctx context.Context, e *Enrolment, codes [][32]byte) (first bool, err error)
	// ListEnrolments returns those of a user, the oldest first.
	ListEnrolments(ctx context.Context, subject string) ([]Enrolment, error)
	// UseEnrolment stores Secret, Counter and UsedAt of e, if its counter has grown, or
	// is and stays 0; else [identity.ErrConflict]. It is recorded as totp_used or
	// passkey_used, with what u says.
	UseEnrolment(ctx context.Context, e *Enrolment, u identity.Event) error
	// RemoveEnrolment is recorded as totp_removed or passkey_removed; with the last one go the
	// recovery codes. [identity.ErrNotFound] where the subject has no such one.
	RemoveEnrolment(ctx context.Context, subject, id string) error
}

// RecoveryStorage stores the hashes of recovery codes.
type RecoveryStorage interface {
	// ReplaceRecoveryCodes is recorded as recovery_codes_made; [identity.ErrNotFound]
	// where the subject has enrolled nothing.
	ReplaceRecoveryCodes(ctx context.Context, subject string, codes [][32]byte) error
	// HasRecoveryCode reports whether there is one, unused.
	HasRecoveryCode(ctx context.Context, subject string, code [32]byte) (bool, error)
	// UseRecoveryCode deletes it, and is recorded as recovery_code_used, with what u
	// says; [identity.ErrConflict] where there is none.
	UseRecoveryCode(ctx context.Context, subject string, code [32]byte, u identity.Event) error
	CountRecoveryCodes(ctx context.Context, subject string) (int, error)
}

// Challenge is what somebody was asked, until they answer. It is bound to one
// session of one browser, and taken once.
type Challenge struct {
	Hash      [32]byte // of its id
	Session   [32]byte // the browser session's
	Subject   string
	Purpose   string
	Secret    []byte // sealed at rest
	ExpiresAt time.Time
}

// ChallengeStorage stores challenges.
type ChallengeStorage interface {
	AddChallenge(ctx context.Context, c *Challenge) error
	// TakeChallenge returns it and deletes it: of many at once, one gets it.
	// [identity.ErrNotFound] where there is none, or where it has expired.
	TakeChallenge(ctx context.Context, hash [32]byte) (*Challenge, error)
}
