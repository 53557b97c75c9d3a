package keyset

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v3"
)

// Limits of a key set.
const (
	MaxSize    = 64 << 10 // bytes
	maxKeys    = 32
	minRSABits = 2048
	maxRSABits = 8192 // more would make a verification slow
)

// Why a key set is refused. None of these texts quotes it.
var (
	ErrMalformed = errors.New("is not a JWK set")
	ErrTooLarge  = errors.New("is too large")
	ErrSecret    = errors.New("has a private or symmetric key")
	ErrEmpty     = errors.New("has no key that can be used")
)

// Parse reads a JWK set. Keys of kinds that are not known here are left out
// (RFC 7517, section 5), and so are RSA keys under 2048 bits; a private or
// symmetric key is [ErrSecret], for it is one no longer.
func Parse(body []byte) (*jose.JSONWebKeySet, error) {
	if len(body) > MaxSize {
		return nil, ErrTooLarge
	}
	var raw struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if json.Unmarshal(body, &raw) != nil {
		return nil, ErrMalformed
	}
	if len(raw.Keys) > maxKeys {
		return nil, ErrTooLarge
	}
	set := &jose.JSONWebKeySet{}
	for _, b := range raw.Keys {
		if secret(b) {
			return nil, ErrSecret
		}
		var k jose.JSONWebKey
		if json.Unmarshal(b, &k) == nil && usable(&k) {
			set.Keys = append(set.Keys, k)
		}
	}
	if len(set.Keys) == 0 {
		return nil, ErrEmpty
	}
	return set, nil
}

// secret reports whether a key has a member that only its owner may know
// (RFC 7518, sections 6.2.2, 6.3.2 and 6.4.1).
func secret(key []byte) bool {
	var members map[string]json.RawMessage
	if json.Unmarshal(key, &members) != nil {
		return false
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, ok := members[name]; ok {
			return true
		}
	}
	return false
}

func usable(k *jose.JSONWebKey) bool {
	if !k.Valid() {
		return false
	}
	switch key := k.Key.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= minRSABits && key.N.BitLen() <= maxRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

// Has reports whether one of the keys has the id. No set has "".
func Has(set *jose.JSONWebKeySet, kid string) bool {
	return kid != "" && slices.ContainsFunc(set.Keys, func(k jose.JSONWebKey) bool { return k.KeyID == kid })
}
