package provider

import (
	"context"
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
	"strings"
	"sync/atomic"

	"github.com/go-jose/go-jose/v3"
	fositejwt "github.com/ory/fosite/token/jwt"
)

// The algorithms that the provider signs with.
const (
	algRS256 = "RS256"
	algES256 = "ES256"
	rsaBits  = 2048
)

func signingAlgs() []string { return []string{algRS256, algES256} }

// keyring signs and verifies with keys that are held in memory. It decides at
// the moment of signing which key signs, so no kid is ever stored.
type keyring struct {
	set atomic.Pointer[keySet]
}

// keySet never changes; a change of keys makes a new one.
type keySet struct {
	records []KeyRecord
	keys    map[string]*signingKey // by kid
	active  map[string]*signingKey // by algorithm
	jwks    document
}

type signingKey struct {
	kid    string
	alg    string
	signer crypto.Signer
	header map[string]string // typ -> the encoded header
}

var _ fositejwt.Signer = (*keyring)(nil)

var errNoKey = errors.New("no signing key for this algorithm")

// newKeySet prepares everything that signing and publishing need. Keys that
// old knows are not parsed again.
func newKeySet(records []KeyRecord, old *keySet) (*keySet, error) {
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
		if r.State == KeyActive {
			s.active[r.Algorithm] = k
		}
		public.Keys = append(public.Keys, jose.JSONWebKey{Key: k.signer.Public(), KeyID: k.kid, Algorithm: k.alg, Use: "sig"})
	}
	body, err := json.Marshal(public)
	if err != nil {
		return nil, err
	}
	s.jwks = newDocument(body)
	return s, nil
}

func parseSigningKey(r KeyRecord) (*signingKey, error) {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(r.PrivateJWK, &jwk); err != nil {
		return nil, errors.New("private key is not a JWK") // the cause could quote it
	}
	signer, ok := jwk.Key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("key type %T cannot sign", jwk.Key)
	}
	k := &signingKey{kid: r.KID, alg: r.Algorithm, signer: signer, header: map[string]string{}}
	for _, typ := range []string{"JWT", "at+jwt"} {
		header, err := json.Marshal(struct {
			Alg string `json:"alg"`
			KID string `json:"kid"`
			Typ string `json:"typ"`
		}{k.alg, k.kid, typ})
		if err != nil {
			return nil, err
		}
		k.header[typ] = base64.RawURLEncoding.EncodeToString(header)
	}
	return k, nil
}

func (k *keyring) current() *keySet { return k.set.Load() }

// sign makes a compact JWS (RFC 7515, section 7.1) with the active key.
func (k *keyring) sign(alg, typ string, claims map[string]any) (string, error) {
	key := k.current().active[alg]
	if key == nil {
		return "", errNoKey
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	input := key.header[typ] + "." + base64.RawURLEncoding.EncodeToString(payload)
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
	return nil, errNoKey
}

// Generate implements [fositejwt.Signer] for ID tokens; the header names the
// algorithm (see [Session.IDTokenHeaders]).
func (k *keyring) Generate(_ context.Context, claims fositejwt.MapClaims, header fositejwt.Mapper) (token, signature string, err error) {
	alg := algRS256
	if h, ok := header.(*fositejwt.Headers); ok {
		if a, ok := h.Get("alg").(string); ok && a != "" {
			alg = a
		}
	}
	if token, err = k.sign(alg, "JWT", claims); err != nil {
		return "", "", err
	}
	return token, token[strings.LastIndexByte(token, '.')+1:], nil
}

// Decode implements [fositejwt.Signer]: it verifies with the key that the kid
// names, be it active or retired, and only by that key's own algorithm.
func (k *keyring) Decode(_ context.Context, token string) (*fositejwt.Token, error) {
	if len(token) > maxToken {
		return nil, &fositejwt.ValidationError{Errors: fositejwt.ValidationErrorMalformed}
	}
	return fositejwt.ParseWithClaims(token, fositejwt.MapClaims{}, func(t *fositejwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key := k.current().keys[kid]
		if key == nil || string(t.Method) != key.alg {
			return nil, errNoKey
		}
		return key.signer.Public(), nil
	})
}

// Validate implements [fositejwt.Signer].
func (k *keyring) Validate(ctx context.Context, token string) (string, error) {
	if _, err := k.Decode(ctx, token); err != nil {
		return "", err
	}
	return k.GetSignature(ctx, token)
}

// Hash implements [fositejwt.Signer].
func (*keyring) Hash(_ context.Context, in []byte) ([]byte, error) {
	sum := sha256.Sum256(in)
	return sum[:], nil
}

// GetSignature implements [fositejwt.Signer].
func (*keyring) GetSignature(_ context.Context, token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("not a JWS in compact form")
	}
	return parts[2], nil
}

// GetSigningMethodLength implements [fositejwt.Signer].
func (*keyring) GetSigningMethodLength(context.Context) int { return sha256.Size }

// same reports whether records are those of the set, so that nothing needs
// to be made anew.
func (s *keySet) same(records []KeyRecord) bool {
	return s != nil && slices.EqualFunc(s.records, records, func(a, b KeyRecord) bool {
		return a.KID == b.KID && a.State == b.State
	})
}
