package dpop

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"keyway/provider/identity"
)

// NonceHeader is the header that gives a nonce (RFC 9449, section 8.2).
const NonceHeader = "DPoP-Nonce"

// nonceWindow is how long a nonce is the current one. It is good for as long
// again, so that nobody gets one which has ended when it arrives.
const nonceWindow = 2 * time.Minute

// ErrNonce says that a proof needs a nonce of ours, or a newer one; its code is
// use_dpop_nonce (RFC 9449, section 8).
var ErrNonce = errors.New("the DPoP proof needs a current nonce")

// Remember stores (namespace, id) until a time and returns [identity.ErrConflict]
// if it is stored already.
type Remember func(ctx context.Context, namespace, id string, until time.Time) error

// Options are what a [Verifier] needs. RequireNonce alone has a default.
type Options struct {
	Secret       []byte // of the provider, the same on every replica
	Remember     Remember
	Now          func() time.Time
	RequireNonce bool // refuse proofs without one; one that is there is always judged
}

// Verifier judges proofs, each once.
type Verifier struct {
	o   Options
	key []byte
}

// NewVerifier fails only where a key cannot be derived.
func NewVerifier(o Options) (*Verifier, error) {
	key, err := hkdf.Key(sha256.New, o.Secret, nil, "keyway DPoP nonces", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return &Verifier{o: o, key: key}, nil
}

// Verify judges the proof in a request and uses it up. Errors are [ErrInvalid],
// [ErrNonce], or what storage says.
func (v *Verifier) Verify(ctx context.Context, header []string, r Request) (*Proof, error) {
	proof, err := Check(header, r, v.o.Now())
	if err != nil {
		return nil, err
	}
	if !v.acceptsNonce(proof.Nonce) {
		return nil, ErrNonce
	}
	err = v.o.Remember(ctx, "dpop:"+proof.Thumbprint, proof.ID, proof.Until)
	if errors.Is(err, identity.ErrConflict) {
		return nil, invalid("it was used before")
	}
	if err != nil {
		return nil, err
	}
	return proof, nil
}

// Nonce is the current nonce. It is computed of the time and stored nowhere, so
// every replica gives and accepts the same.
func (v *Verifier) Nonce() string { return v.nonce(v.window()) }

func (v *Verifier) window() uint64 {
	return uint64(max(v.o.Now().Unix(), 0)) / uint64(nonceWindow/time.Second)
}

func (v *Verifier) nonce(window uint64) string {
	mac := hmac.New(sha256.New, v.key)
	mac.Write(binary.BigEndian.AppendUint64(nil, window))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18])
}

func (v *Verifier) acceptsNonce(nonce string) bool {
	if nonce == "" {
		return !v.o.RequireNonce
	}
	now := v.window()
	for _, w := range []uint64{now, max(now, 1) - 1} {
		if hmac.Equal([]byte(nonce), []byte(v.nonce(w))) {
			return true
		}
	}
	return false
}
