package keys

import (
	"context"
	"fmt"
	"time"

	"keyway/provider/wire"
)

// State is where a signing key is in its life.
type State string

// The states of a signing key.
const (
	Next    State = "next"    // published, not signing yet
	Active  State = "active"  // signing
	Retired State = "retired" // published, verifying only
)

// Record is one signing key. Storage seals PrivateJWK at rest, bound to
// the row's kid.
type Record struct {
	KID        string
	Algorithm  string // JWS "alg": RS256, ES256
	State      State
	PrivateJWK []byte // JSON (RFC 7517)
	CreatedAt  time.Time
	ActiveAt   time.Time // when it began, or is to begin, to sign
	RetiredAt  time.Time // when it stopped signing
	ExpiresAt  time.Time // when it leaves the key set; zero while not retired
}

// Storage stores signing keys.
type Storage interface {
	// ListKeys returns all keys with their private parts.
	ListKeys(ctx context.Context) ([]Record, error)
	// UpdateKeys lets change turn the present keys into what they shall be
	// from now on, in one transaction that no other caller can interleave
	// with; keys missing from the result are deleted. A change is recorded as
	// keys_rotated.
	UpdateKeys(ctx context.Context, change func(now []Record) ([]Record, error)) error
}

// Policy says how signing keys come and go. Zero values mean the defaults.
type Policy struct {
	RotateEvery  time.Duration // default 90 d
	PublishAhead time.Duration // of activation; at least the key set's cache time; default 24 h
	KeepRetired  time.Duration // published for verification; default 30 d
	Reload       time.Duration // how soon replicas follow; default 5 s
}

// Complete fills in the defaults. It fails where a key would sign before
// everybody can know it.
func (p *Policy) Complete() error {
	if p.PublishAhead != 0 && p.PublishAhead < wire.CacheTime {
		return fmt.Errorf("keys: publish ahead must be at least %s, the key set's cache time", wire.CacheTime)
	}
	orDefault(&p.RotateEvery, 90*24*time.Hour)
	orDefault(&p.PublishAhead, 24*time.Hour)
	orDefault(&p.KeepRetired, 30*24*time.Hour)
	orDefault(&p.Reload, 5*time.Second)
	return nil
}

func orDefault(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}
