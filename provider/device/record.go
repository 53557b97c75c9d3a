package device

import (
	"context"
	"time"

	"keyway/provider/identity"
	"keyway/provider/usercode"
)

// State is how far a person got with a device.
type State string

// The states.
const (
	Pending  State = "pending"
	Allowed  State = "allowed"
	Denied   State = "denied"
	Redeemed State = "redeemed"
)

// Record is one stored device authorization.
type Record struct {
	Hash     [32]byte // of the device code
	UserCode usercode.Code
	ClientID string
	Scopes   []string
	Audience []string
	// RemoteAddr is where the device asked from, for the person to see; Source is
	// what is counted as one address.
	RemoteAddr string
	Source     string
	State      State
	GrantID    string // of the grant that was made when a person allowed it
	IssuedAt   time.Time
	ExpiresAt  time.Time
}

// Judge returns the error code with which a poll of the client is answered
// (RFC 8628, section 3.5), or "" where the code may be redeemed. Whether a
// poll came too soon is [Storage.PollDevice]'s to say.
func (r *Record) Judge(client string, now time.Time) string {
	switch {
	case r.ClientID != client, r.State == Redeemed:
		return "invalid_grant"
	case !now.Before(r.ExpiresAt):
		return "expired_token"
	case r.State == Denied:
		return "access_denied"
	case r.State == Allowed:
		return ""
	}
	return "authorization_pending"
}

// Limits bound how many records there may be that are neither redeemed nor
// expired.
type Limits struct {
	Client int // of one client
	Source int // from one address
}

// Storage stores records.
type Storage interface {
	// AddDevice returns [identity.ErrConflict] where the user code is taken, and a
	// [*identity.Failure] with [identity.ReasonRateLimited] where a limit is
	// reached.
	AddDevice(ctx context.Context, r *Record, most Limits) error
	// FindDevice returns the record of a user code while it is pending and has
	// not expired, or [identity.ErrNotFound].
	FindDevice(ctx context.Context, code usercode.Code) (*Record, error)
	// PollDevice notes that the client asked about a pending record, and tells
	// whether that was too soon: within the interval after the last time, which then
	// grows by 5 s for good (RFC 8628, section 3.5).
	PollDevice(ctx context.Context, hash [32]byte, at time.Time) (tooSoon bool, err error)
	// DenyDevice writes that a person refused. It returns [identity.ErrConflict]
	// where the record is not pending any more, or has expired.
	DenyDevice(ctx context.Context, hash [32]byte, e *identity.Event) error
}
