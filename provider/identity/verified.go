package identity

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"
)

// VerifiedOptions configures a [Verified] cache.
type VerifiedOptions struct {
	TTL  time.Duration // how long a verification counts; a few seconds to a minute
	Size int           // users remembered at most; default 10000
	Now  func() time.Time
}

// Verified remembers for seconds that a password was right, so that legacy
// clients which post it again and again do not cost a slow hash each time. It
// keeps a MAC under a key of this process, over user, slot, credential version
// and password: a changed credential is never found, and the memory of the
// process holds nothing that could be tried elsewhere. It says nothing about
// whether the user may come in; the [Gate] is asked all the same.
//
// A nil *Verified is a cache that is switched off.
type Verified struct {
	ttl  time.Duration
	size int
	now  func() time.Time
	key  []byte

	mu      sync.Mutex
	entries map[string]verifiedEntry // by subject
}

type verifiedEntry struct {
	mac     [sha256.Size]byte
	expires time.Time
}

// NewVerified returns a cache, or nil where o.TTL is 0.
func NewVerified(o VerifiedOptions) (*Verified, error) {
	if o.TTL == 0 {
		return nil, nil //nolint:nilnil // nil is the cache that is switched off
	}
	if o.Size == 0 {
		o.Size = 10_000
	}
	if o.Now == nil || o.TTL < 0 || o.Size < 0 {
		return nil, errors.New("verified: Now is missing, or TTL or Size is negative")
	}
	key := make([]byte, sha256.Size)
	if _, err := rand.Read(key); err != nil {
		return nil, fmt.Errorf("verified: %w", err)
	}
	return &Verified{ttl: o.TTL, size: o.Size, now: o.Now, key: key, entries: map[string]verifiedEntry{}}, nil
}

// Forget drops what is remembered of a user. It is called when the user is
// locked out or disabled.
func (v *Verified) Forget(subject string) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.entries, subject)
}

// knows reports whether password was found right for l not long ago.
func (v *Verified) knows(l *Login, password string) bool {
	if v == nil {
		return false
	}
	mac := v.mac(l, password)
	v.mu.Lock()
	e, ok := v.entries[l.User.Subject]
	v.mu.Unlock()
	return ok && v.now().Before(e.expires) && hmac.Equal(mac[:], e.mac[:])
}

// remember notes that password was found right for l.
func (v *Verified) remember(l *Login, password string) {
	if v == nil {
		return
	}
	e := verifiedEntry{mac: v.mac(l, password), expires: v.now().Add(v.ttl)}
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, ok := v.entries[l.User.Subject]; !ok && len(v.entries) >= v.size {
		v.evict()
	}
	v.entries[l.User.Subject] = e
}

// evict drops what has expired, and somebody if nothing has.
func (v *Verified) evict() {
	now, somebody := v.now(), ""
	for subject, e := range v.entries {
		somebody = subject
		if !now.Before(e.expires) {
			delete(v.entries, subject)
		}
	}
	if len(v.entries) >= v.size {
		delete(v.entries, somebody)
	}
}

func (v *Verified) mac(l *Login, password string) [sha256.Size]byte {
	h := hmac.New(sha256.New, v.key)
	var n [8]byte
	write := func(s string) {
		binary.BigEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	write(l.User.Subject)
	write(l.Credential.Slot)
	write(password)
	binary.BigEndian.PutUint64(n[:], uint64(l.User.CredentialVersion)) //nolint:gosec // any 64 bits will do
	h.Write(n[:])
	var mac [sha256.Size]byte
	h.Sum(mac[:0])
	return mac
}
