package identity

import (
	"bytes"
	"context"
	"strings"
)

// Verify reports whether password is the one behind c, and if so, whether c
// should be replaced by a new hash. Errors are [*Failure].
func (h *Hasher) Verify(ctx context.Context, c Credential, password string) (ok, rehash bool, err error) {
	s, err := parseHash(c)
	if err != nil {
		return false, false, Failf(ReasonInternal, "stored hash: %w", err)
	}
	v, err := h.verify(ctx, trial{credential: c, readings: []string{password}})
	return v.ok, v.ok && h.renewable(c, s, password), err
}

// VerifyDummy costs what a verification of a new hash costs and finds nothing.
// It stands in where there is nothing to verify, so that the time of an answer
// does not tell whether a name is known.
func (h *Hasher) VerifyDummy(ctx context.Context, password string) error {
	return h.verifyNobody(ctx, []string{password}, nil)
}

func (h *Hasher) verifyNobody(ctx context.Context, readings []string, dear *stored) error {
	readings = hashable(readings)
	if len(readings) == 0 {
		return nil
	}
	return h.pool.run(ctx, func() {
		for _, r := range readings {
			h.pad(stored{cheap: true}, dear, r)
		}
	})
}

// trial is one login attempt at a credential.
type trial struct {
	credential Credential
	readings   []string // of what was typed, tried in their order
	upgrade    bool     // make a new hash where the present one is outdated
	dear       *stored  // what every failure costs beside a new hash; nil for nothing
}

// verdict is what became of a trial.
type verdict struct {
	ok   bool
	work int         // of the hash, see stored
	next *Credential // what should replace the credential; nil to leave it
}

// verify does everything that a trial needs in one place of the pool.
//
// All failures cost the same, so that the time of an answer does not tell
// whether a name is known: a new hash, and one as dear as the dearest imported
// one, of which the credential's own is either.
func (h *Hasher) verify(ctx context.Context, t trial) (verdict, error) {
	s, err := parseHash(t.credential)
	if err != nil {
		return verdict{}, Failf(ReasonInternal, "stored hash: %w", err)
	}
	v := verdict{work: s.work}
	readings := hashable(t.readings)
	if len(readings) == 0 {
		return v, nil
	}
	full := h.pool.run(ctx, func() {
		for _, r := range readings {
			if v.ok = s.match([]byte(r)); v.ok {
				if t.upgrade && h.renewable(t.credential, s, r) {
					v.next = h.renew(t.credential, r)
				}
				return
			}
			h.pad(s, t.dear, r)
		}
	})
	if full != nil {
		return verdict{}, full
	}
	return v, nil
}

// pad makes up for what s cost less than a new hash and a dear one together.
func (h *Hasher) pad(s stored, dear *stored, password string) {
	if s.cheap || dear != nil && s.work >= dear.work {
		h.dummy.match([]byte(password))
	}
	if dear != nil && s.work < dear.work {
		dear.match([]byte(password))
	}
}

// hashable drops what is too long to be anybody's password.
func hashable(readings []string) []string {
	short := make([]string, 0, len(readings))
	for _, r := range readings {
		if len(r) <= MaxPassword {
			short = append(short, r)
		}
	}
	return short
}

// renewable reports whether c, which password is right for, is outdated and a
// new hash of password would let in everybody whom c lets in.
func (h *Hasher) renewable(c Credential, s stored, password string) bool {
	upToDate := strings.HasPrefix(c.Hash, h.prefix) && (c.Scheme == "" || c.Scheme == SchemeOSSN)
	p := []byte(password)
	return !upToDate && bytes.IndexByte(p, 0) < 0 && (s.blind == nil || !s.blind(p))
}

// Replace returns c with the hash of another password, as [Local] makes them. Errors
// are [*Failure].
func (h *Hasher) Replace(ctx context.Context, c Credential, password string) (Credential, error) {
	var next *Credential
	if len(password) <= MaxPassword {
		if full := h.pool.run(ctx, func() { next = h.renew(c, password) }); full != nil {
			return Credential{}, full
		}
	}
	if next == nil {
		return Credential{}, Failf(ReasonInternal, "password could not be hashed")
	}
	return *next, nil
}

// renew returns c with a new hash, or nil if there is none to be had. An ossn
// credential stays one: all passwords that OSSN takes for the same go on being
// the same.
func (h *Hasher) renew(c Credential, password string) *Credential {
	if c.Scheme == SchemeOSSN {
		password = OSSNInput(password) + c.Salt
	} else {
		c.Scheme, c.Salt = "", ""
	}
	hash, err := h.hash(password)
	if err != nil {
		return nil
	}
	c.Hash = hash
	return &c
}
