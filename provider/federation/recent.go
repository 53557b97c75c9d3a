package federation

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
	"time"

	"keyway/provider/identity"
)

const (
	recentFor = time.Minute
	maxRecent = 10_000 // people
)

// recent remembers for a minute what was saved of whom, so that an old app which
// logs in again and again costs no write each time. Whoever is not in it, or is said
// to be anything else than before, is saved.
type recent struct {
	mu sync.Mutex
	of map[[2]string]saving // by issuer and subject
}

type saving struct {
	digest [sha256.Size]byte
	at     time.Time
}

// digestOf is false for what has to be saved each time: what an upstream or a
// database gave anew.
func digestOf(f *identity.Federated) (digest [sha256.Size]byte, ok bool) {
	if f.Password != nil || len(f.RefreshToken) > 0 {
		return digest, false
	}
	text, err := json.Marshal(f) //nolint:gosec // it has no secret, as was just asked, and is hashed
	return sha256.Sum256(text), err == nil
}

// same reports whether f was saved as it is not long ago.
func (r *recent) same(f *identity.Federated, now time.Time) bool {
	digest, ok := digestOf(f)
	if !ok {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	was, known := r.of[[2]string{f.Issuer, f.Subject}]
	return known && was.digest == digest && now.Sub(was.at) < recentFor
}

// note remembers that f was saved.
func (r *recent) note(f *identity.Federated, now time.Time) {
	digest, ok := digestOf(f)
	r.mu.Lock()
	defer r.mu.Unlock()
	key := [2]string{f.Issuer, f.Subject}
	if !ok {
		delete(r.of, key)
		return
	}
	if r.of == nil || len(r.of) >= maxRecent {
		r.of = map[[2]string]saving{}
	}
	r.of[key] = saving{digest: digest, at: now}
}
