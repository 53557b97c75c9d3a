package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/wire"
)

// The algorithms that the provider signs with (RFC 7518, section 3.1).
const (
	RS256   = "RS256"
	ES256   = "ES256"
	rsaBits = 2048
)

// Algorithms are those that the provider signs with.
func Algorithms() []string { return []string{RS256, ES256} }

// Ring signs and verifies with keys that are held in memory. It decides at
// the moment of signing which key signs, so no kid is ever stored.
type Ring struct {
	set atomic.Pointer[keySet]
}

// keySet never changes; a change of keys makes a new one.
type keySet struct {
	records []Record
	keys    map[string]*signingKey // by kid
	active  map[string]*signingKey // by algorithm
	jwks    wire.Document
}

type signingKey struct {
	kid    string
	alg    string
	signer crypto.Signer
	header map[string]string // typ -> the encoded header
}

// ErrNoKey says that no key of the ring fits.
var ErrNoKey = errors.New("no signing key for this algorithm")

// newKeySet prepares everything that signing and publishing need. Keys that
// old knows are not parsed again.
func newKeySet(records []Record, old *keySet) (*keySet, error) {
	s := &keySet{records: records, keys: map[string]*signingKey{}, active: map[string]*signingKey{}}
	public := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, r := range records {
		var k *signingKey
		if old != nil {
			k = old.keys[r.KID]
		}
		if k == nil {
			var err error
			if k, err = parseSigningKey(r); err != nil {
				return nil, fmt.Errorf("signing key %s: %w", r.KID, err)
			}
		}
		s.keys[r.KID] = k
		if r.State == Active {
			s.active[r.Algorithm] = k
		}
		public.Keys = append(public.Keys, jose.JSONWebKey{Key: k.signer.Public(), KeyID: k.kid, Algorithm: k.alg, Use: "sig"})
	}
	body, err := json.Marshal(public)
	if err != nil {
		return nil, err
	}
	s.jwks = wire.NewDocument(body)
	return s, nil
}

func parseSigningKey(r Record) (*signingKey, error) {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(r.PrivateJWK, &jwk); err != nil {
		return nil, errors.New("private key is not a JWK") // the cause could quote it
	}
	signer, ok := jwk.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key type %T cannot sign", jwk.Key)
	}
	k := &signingKey{kid: r.KID, alg: r.Algorithm, signer: signer, header: map[string]string{}}
	var err error
	for _, typ := range []string{"JWT", "at+jwt"} {
		if k.header[typ], err = k.encodeHeader(typ); err != nil {
			return nil, err
		}
	}
	return k, nil
}

func (k *signingKey) encodeHeader(typ string) (string, error) {
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		KID string `json:"kid"`
		Typ string `json:"typ"`
	}{k.alg, k.kid, typ})
	return base64.RawURLEncoding.EncodeToString(header), err
}

func (k *Ring) current() *keySet { return k.set.Load() }

// JWKS is the key set as it is published (RFC 7517, section 5).
func (k *Ring) JWKS() wire.Document { return k.current().jwks }

// Public returns the key of a kid, be it active or retired, and the one
// algorithm that it verifies; [ErrNoKey] where there is none.
func (k *Ring) Public(kid string) (key crypto.PublicKey, alg string, err error) {
	s := k.current().keys[kid]
	if s == nil {
		return nil, "", ErrNoKey
	}
	return s.signer.Public(), s.alg, nil
}

// Ready reports an algorithm without a key that signs.
func (k *Ring) Ready() error {
	for _, alg := range Algorithms() {
		if s := k.current(); s == nil || s.active[alg] == nil {
			return fmt.Errorf("%s: %w", alg, ErrNoKey)
		}
	}
	return nil
}

// Sign makes a compact JWS (RFC 7515, section 7.1) with the active key.
func (k *Ring) Sign(alg, typ string, claims map[string]any) (string, error) {
	key := k.current().active[alg]
	if key == nil {
		return "", ErrNoKey
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	header, ok := key.header[typ]
	if !ok {
		if header, err = key.encodeHeader(typ); err != nil {
			return "", err
		}
	}
	input := header + "." + base64.RawURLEncoding.EncodeToString(payload)
	signature, err := key.sign([]byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}

func (k *signingKey) sign(input []byte) ([]byte, error) {
	sum := sha256.Sum256(input)
	switch key := k.signer.(type) {
	case *rsa.PrivateKey:
		return rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return nil, err
		}
		out := make([]byte, 64) // RFC 7518, section 3.4
		r.FillBytes(out[:32])
		s.FillBytes(out[32:])
		return out, nil
	}
	return nil, ErrNoKey
}

// same reports whether records are those of the set, so that nothing needs
// to be made anew.
func (s *keySet) same(records []Record) bool {
	return s != nil && slices.EqualFunc(s.records, records, func(a, b Record) bool {
		return a.KID == b.KID && a.State == b.State
	})
}
