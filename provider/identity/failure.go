package identity

import (
	"errors"
	"fmt"
)

// Reason says why a request was refused. The set is closed: each writer
// (legacy reply table, OAuth error, error page) is total over it.
type Reason string

// The reasons.
const (
	ReasonInvalidRequest Reason = "invalid_request" // malformed, or a required field is missing
	ReasonInvalidClient  Reason = "invalid_client"  // the calling application did not prove itself
	ReasonUnknownUser    Reason = "unknown_user"
	ReasonWrongPassword  Reason = "wrong_password"
	ReasonUnverified     Reason = "unverified" // the user has not confirmed the account
	ReasonDisabled       Reason = "disabled"   // disabled or deleted
	ReasonLocked         Reason = "locked"     // too many failures in the window
	ReasonSecondFactor   Reason = "second_factor"
	ReasonInvalidToken   Reason = "invalid_token" // unknown, revoked, or of the wrong kind
	ReasonExpiredToken   Reason = "expired_token"
	ReasonRateLimited    Reason = "rate_limited"
	ReasonUnavailable    Reason = "unavailable" // a part we depend on is away or overloaded; try again
	ReasonInternal       Reason = "internal"
)

// Reasons lists every reason, in the order of their declaration.
func Reasons() []Reason {
	return []Reason{
		ReasonInvalidRequest, ReasonInvalidClient, ReasonUnknownUser, ReasonWrongPassword, ReasonUnverified,
		ReasonDisabled, ReasonLocked, ReasonSecondFactor, ReasonInvalidToken, ReasonExpiredToken,
		ReasonRateLimited, ReasonUnavailable, ReasonInternal,
	}
}

// Failure is the one error that callers may branch on.
type Failure struct {
	Reason Reason
	Err    error // for the log, never for the wire; may be nil
	// Subject and Name say whose failure it was, where the login name did not and an
	// upstream does: a user of ours, or somebody who is none yet. Their failures
	// count as one, by whatever names they were tried; [Identity.Person] is that Name
	// once they come in.
	Subject, Name string
	// Candid says that everybody whom the upstream knows has an account in the calling
	// system: it may be told to who is unknown here.
	Candid bool
}

// Fail returns a failure with a cause for the log.
func Fail(reason Reason, err error) *Failure { return &Failure{Reason: reason, Err: err} }

// Failf returns a failure whose cause is formatted as by [fmt.Errorf].
func Failf(reason Reason, format string, args ...any) *Failure {
	return &Failure{Reason: reason, Err: fmt.Errorf(format, args...)}
}

func (f *Failure) Error() string {
	if f.Err == nil {
		return string(f.Reason)
	}
	return string(f.Reason) + ": " + f.Err.Error()
}

func (f *Failure) Unwrap() error { return f.Err }

// ReasonOf returns the reason of the first [*Failure] in err's chain,
// [ReasonInternal] for any other error, and "" for nil.
func ReasonOf(err error) Reason {
	if err == nil {
		return ""
	}
	var f *Failure
	if errors.As(err, &f) {
		return f.Reason
	}
	return ReasonInternal
}

// ErrNotFound is what a store returns for a row that is not there.
// It is not a [Failure]: the caller decides what an absence means.
var ErrNotFound = errors.New("not found")

// ErrConflict is what a store returns when a compare-and-set lost: the row
// was used, changed or revoked by somebody else first.
var ErrConflict = errors.New("conflict")
