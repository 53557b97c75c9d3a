package identity

import (
	"context"
	"errors"
	"time"
)

// Foreign holds passwords against hashes that are kept elsewhere, such as in an
// old system's own database.
//
// All failures cost the same, as those of [Local] do: a name that is unknown
// there, a hash of no known form, a wrong password.
type Foreign struct {
	hasher *Hasher
	now    func() time.Time
	decoys decoys
}

// NewForeign returns a Foreign, which is for the hashes of one place.
func NewForeign(h *Hasher, now func() time.Time) (*Foreign, error) {
	if h == nil || now == nil {
		return nil, errors.New("foreign hashes: a hasher and a clock are needed")
	}
	return &Foreign{hasher: h, now: now}, nil
}

// Verify reports whether password is the one behind c; nil is nobody's. A hash that
// cannot be verified is nobody's, too, and readable false tells it. Errors are
// [*Failure]: unavailable where the hasher is busy.
func (f *Foreign) Verify(ctx context.Context, c *Credential, password string) (right, readable bool, err error) {
	now := f.now()
	dear := f.decoys.get("", now)
	if c == nil || CheckHash(*c) != nil {
		return false, c == nil, f.hasher.verifyNobody(ctx, []string{password}, dear)
	}
	v, err := f.hasher.verify(ctx, trial{credential: *c, readings: []string{password}, dear: dear})
	if v.work > f.hasher.dearer {
		f.decoys.learn("", *c, v.work, now)
	}
	return v.ok, true, err
}
