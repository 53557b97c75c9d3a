package upstreamtest

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"time"
)

// Family is what an upstream knows of refresh tokens that are good for once each: one
// that comes twice ends them all (RFC 9700, section 4.14.2).
type Family struct {
	Uses   int // refreshes that were granted
	Reused int // refreshes with a token that was used before
	Gone   bool
	Slow   time.Duration // each refresh takes so long, without holding others up

	current string
	used    map[string]bool
}

// NewFamily makes the provider rotate its refresh tokens.
func (s *IDP) NewFamily() *Family {
	f := &Family{used: map[string]bool{}}
	s.Change(func() { s.family = f })
	return f
}

// Count returns what has come so far.
func (s *IDP) Count(f *Family) (uses, reused int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return f.Uses, f.Reused
}

// refuses judges a refresh, and answers one that does not hold.
func (f *Family) refuses(w http.ResponseWriter, form url.Values) bool {
	if form.Get("grant_type") != "refresh_token" {
		return false
	}
	token := form.Get("refresh_token")
	if f.used[token] {
		f.Reused++
		f.Gone = true
	}
	if f.Gone || token != f.current {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
		return true
	}
	f.used[token] = true
	f.Uses++
	return false
}

// next is the refresh token that counts from now on.
func (f *Family) next() string {
	f.current = rand.Text()
	return f.current
}
