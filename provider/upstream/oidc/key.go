package oidc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"

	"github.com/go-jose/go-jose/v3"
)

const (
	maxKey     = 64 << 10 // bytes
	minKeyBits = 2048     // of RSA (NIST SP 800-57)
)

var errNoKey = errors.New("key: must be a private key for signing, RSA of at least 2048 bits, P-256 or Ed25519, as a JWK or PEM")

// ParseKey reads our private key at an upstream, a JWK or PEM. Without an
// algorithm or an id of its own it gets the algorithm of its kind, and its
// thumbprint (RFC 7638). Errors do not quote it.
func ParseKey(text string) (*jose.JSONWebKey, error) {
	if len(text) > maxKey {
		return nil, errNoKey
	}
	k := new(jose.JSONWebKey)
	if block, _ := pem.Decode([]byte(text)); block != nil {
		key, err := parseDER(block.Bytes)
		if err != nil {
			return nil, errNoKey
		}
		k.Key = key
	} else if json.NewDecoder(bytes.NewReader([]byte(text))).Decode(k) != nil {
		return nil, errNoKey
	}
	want := algorithmOf(k.Key)
	if k.Algorithm == "" {
		k.Algorithm = want
	}
	switch {
	case want == "", !k.Valid(), k.Use != "" && k.Use != "sig", k.Algorithm != want && (want != "RS256" || k.Algorithm != "PS256"):
		return nil, errNoKey
	}
	k.Use = "sig"
	if k.KeyID == "" {
		sum, err := k.Thumbprint(crypto.SHA256)
		if err != nil {
			return nil, errNoKey
		}
		k.KeyID = base64.RawURLEncoding.EncodeToString(sum)
	}
	return k, nil
}

func parseDER(der []byte) (any, error) {
	if key, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		return key, nil
	}
	if key, err := x509.ParseECPrivateKey(der); err == nil {
		return key, nil
	}
	return x509.ParsePKCS1PrivateKey(der)
}

// algorithmOf is "" for what is no private key of ours.
func algorithmOf(key any) string {
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() >= minKeyBits {
			return "RS256"
		}
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			return "ES256"
		}
	case ed25519.PrivateKey:
		return "EdDSA"
	}
	return ""
}
