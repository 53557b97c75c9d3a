package provider

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

	"github.com/ory/fosite"

	"keyway/provider/identity"
)

// generatedTag marks the hash of a generated secret. Those have 256 random
// bits, to which a slow hash adds nothing but cost.
const generatedTag = "sha256:"

// NewClientSecret returns a generated client secret, to be shown once, and
// the hash to be stored in [Client.SecretHashes].
func NewClientSecret() (secret, hash string) {
	secret = randomToken(secretPrefix)
	return secret, HashClientSecret(secret)
}

// HashClientSecret returns the hash of a secret that has at least 256 random
// bits, such as one that an operator generated.
func HashClientSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return generatedTag + hex.EncodeToString(sum[:])
}

// errWrongSecret says that a client's secret is wrong.
var errWrongSecret = errors.New("wrong client secret")

// clientSecrets compares client secrets. Those imported with a slow hash are
// remembered for a short time once they were right.
type clientSecrets struct {
	verifier SecretVerifier
	now      func() time.Time
	key      [32]byte // under which right secrets are remembered; of this process only

	mu    sync.Mutex
	right map[[32]byte]time.Time // -> until
}

var _ fosite.Hasher = (*clientSecrets)(nil)

const (
	rememberSecret = time.Minute
	maxRemembered  = 1000
	maxSecret      = 512 // bytes
)

func newClientSecrets(o Options) (*clientSecrets, error) {
	s := &clientSecrets{verifier: o.Secrets, now: o.Now, right: map[[32]byte]time.Time{}}
	if _, err := rand.Read(s.key[:]); err != nil {
		return nil, err
	}
	return s, nil
}

// Hash implements [fosite.Hasher]. Secrets are only ever generated.
func (*clientSecrets) Hash(_ context.Context, secret []byte) ([]byte, error) {
	return []byte(HashClientSecret(string(secret))), nil
}

// Compare implements [fosite.Hasher]. Errors are errWrongSecret or a
// [*identity.Failure].
func (s *clientSecrets) Compare(ctx context.Context, hash, secret []byte) error {
	if len(secret) == 0 || len(secret) > maxSecret {
		return errWrongSecret
	}
	if want, ok := strings.CutPrefix(string(hash), generatedTag); ok {
		sum := sha256.Sum256(secret)
		if subtle.ConstantTimeCompare([]byte(hex.EncodeToString(sum[:])), []byte(want)) != 1 {
			return errWrongSecret
		}
		return nil
	}
	return s.compareSlow(ctx, string(hash), string(secret))
}

func (s *clientSecrets) compareSlow(ctx context.Context, hash, secret string) error {
	if s.verifier == nil {
		return errWrongSecret
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
		return errWrongSecret
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.right) >= maxRemembered {
		clear(s.right)
	}
	s.right[key] = now.Add(rememberSecret)
	return nil
}

// compareAny compares with every hash, for a client has two while its secret
// is being changed.
func (s *clientSecrets) compareAny(ctx context.Context, hashes []string, secret string) error {
	for _, h := range hashes {
		err := s.Compare(ctx, []byte(h), []byte(secret))
		if !errors.Is(err, errWrongSecret) {
			return err
		}
	}
	return errWrongSecret
}
