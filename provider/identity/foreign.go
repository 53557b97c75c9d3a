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

// Adopt returns what takes the place of c here, once password was right: a new hash,
// but for one that would refuse other passwords that c takes. Errors are
// [*Failure].
func (f *Foreign) Adopt(ctx context.Context, c *Credential, password string) (*Credential, error) {
	s, err := parseHash(*c)
	if err != nil {
		return nil, Failf(ReasonInternal, "stored hash: %w", err)
	}
	if !f.hasher.renewable(*c, s, password) {
		return c, nil
	}
	next, err := f.hasher.Replace(ctx, *c, password)
	if err != nil {
		return nil, err
	}
	return &next, nil
}
