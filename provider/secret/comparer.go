package secret

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"time"

	"keyway/provider/identity"
)

// generatedTag marks the hash of a generated secret. Those have 256 random
// bits, to which a slow hash adds nothing but cost.
const generatedTag = "sha256:"

// prefix lets secret scanners recognise what leaks.
const prefix = "kw_cs_"

// New returns a generated client secret and its hash.
func New() (secret, hash string) {
	secret = Token(prefix)
	return secret, Hash(secret)
}

// Hash returns the hash of a secret that has at least 256 random bits.
func Hash(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return generatedTag + hex.EncodeToString(sum[:])
}

// Verifier verifies imported client secrets against their slow hashes.
type Verifier interface {
	// Verify reports whether password is the one behind c. Errors are
	// [*identity.Failure].
	Verify(ctx context.Context, c identity.Credential, password string) (ok, rehash bool, err error)
}

// ErrWrong says that a client's secret is wrong.
var ErrWrong = errors.New("wrong client secret")

// Comparer compares client secrets. Those imported with a slow hash are
// remembered for a short time once they were right.
type Comparer struct {
	verifier Verifier
	now      func() time.Time
	key      [32]byte // under which right secrets are remembered; of this process only

	mu    sync.Mutex
	right map[[32]byte]time.Time // -> until
}

const (
	rememberSecret = time.Minute
	maxRemembered  = 1000
	maxSecret      = 512 // bytes
)

// NewComparer returns a Comparer; without a verifier, it refuses imported
// secrets.
func NewComparer(v Verifier, now func() time.Time) (*Comparer, error) {
	s := &Comparer{verifier: v, now: now, right: map[[32]byte]time.Time{}}
	if _, err := rand.Read(s.key[:]); err != nil {
		return nil, err
	}
	return s, nil
}

// Hash implements fosite.Hasher. Secrets are only ever generated.
func (*Comparer) Hash(_ context.Context, secret []byte) ([]byte, error) {
	return []byte(Hash(string(secret))), nil
}

// Compare implements fosite.Hasher. Errors are ErrWrong or a
// [*identity.Failure].
func (s *Comparer) Compare(ctx context.Context, hash, secret []byte) error {
	if len(secret) == 0 || len(secret) > maxSecret {
		return ErrWrong
	}
	if want, ok := strings.CutPrefix(string(hash), generatedTag); ok {
		sum := sha256.Sum256(secret)
		if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(want)) != 1 {
			return ErrWrong
		}
		return nil
	}
	return s.compareSlow(ctx, string(hash), string(secret))
}

func (s *Comparer) compareSlow(ctx context.Context, hash, secret string) error {
	if s.verifier == nil {
		return ErrWrong
	}
	mac := hmac.New(sha256.New, s.key[:])
	mac.Write([]byte(hash))
	mac.Write([]byte{0})
	mac.Write([]byte(secret))
	key := [32]byte(mac.Sum(nil))
	now := s.now()
	s.mu.Lock()
	until, known := s.right[key]
	s.mu.Unlock()
	if known && now.Before(until) {
		return nil
	}
	ok, _, err := s.verifier.Verify(ctx, identity.Credential{Hash: hash}, secret)
	switch {
	case err != nil:
		return err
	case !ok:
		return ErrWrong
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.right) >= maxRemembered {
		clear(s.right)
	}
	s.right[key] = now.Add(rememberSecret)
	return nil
}

// CompareAny compares with every hash, for a client has two while its secret
// is being changed.
func (s *Comparer) CompareAny(ctx context.Context, hashes []string, secret string) error {
	for _, h := range hashes {
		err := s.Compare(ctx, []byte(h), []byte(secret))
		if !errors.Is(err, ErrWrong) {
			return err
		}
	}
	return ErrWrong
}
