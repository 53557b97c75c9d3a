package oidc_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream/oidc"
)

func pemOf(t *testing.T, kind string, der []byte, err error) string {
	t.Helper()
	require.NoError(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func jwkOf(t *testing.T, k jose.JSONWebKey) string {
	t.Helper()
	text, err := json.Marshal(k)
	require.NoError(t, err)
	return string(text)
}

func TestAKeyIsReadAsItIsWritten(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	large, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	pkcs8, pkcs8Err := x509.MarshalPKCS8PrivateKey(ed)
	sec1, sec1Err := x509.MarshalECPrivateKey(ec)
	for name, c := range map[string]struct{ text, alg, kid string }{
		"PKCS #8":                     {pemOf(t, "PRIVATE KEY", pkcs8, pkcs8Err), "EdDSA", ""},
		"SEC 1":                       {pemOf(t, "EC PRIVATE KEY", sec1, sec1Err), "ES256", ""},
		"PKCS #1":                     {pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(large), nil), "RS256", ""},
		"a JWK":                       {jwkOf(t, jose.JSONWebKey{Key: ec, KeyID: "ours"}), "ES256", "ours"},
		"a JWK with a better padding": {jwkOf(t, jose.JSONWebKey{Key: large, Algorithm: "PS256"}), "PS256", ""},
	} {
		k, err := oidc.ParseKey(c.text)
		require.NoError(t, err, name)
		require.Equal(t, c.alg, k.Algorithm, name)
		require.NotEmpty(t, k.KeyID, name)
		if c.kid != "" {
			require.Equal(t, c.kid, k.KeyID, name)
		}
		again, err := oidc.ParseKey(c.text)
		require.NoError(t, err)
		require.Equal(t, k.KeyID, again.KeyID, "the id is the same at every start")
	}

	small, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	odd, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	for name, text := range map[string]string{
		"nothing": "", "a page": "<html>", "a short key": pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small), nil),
		"a public key": jwkOf(t, jose.JSONWebKey{Key: ec.Public(), KeyID: "a"}), "a shared key": `{"kty":"oct","k":"c2VjcmV0"}`,
		"a key of another curve": jwkOf(t, jose.JSONWebKey{Key: odd}), "a key for something else": jwkOf(t, jose.JSONWebKey{Key: ec, Use: "enc"}),
		"another kind's algorithm": jwkOf(t, jose.JSONWebKey{Key: ec, Algorithm: "RS256"}), "an endless text": strings.Repeat("a", 65<<10),
		"a certificate": pemOf(t, "CERTIFICATE", []byte("secret"), nil),
	} {
		_, err := oidc.ParseKey(text)
		require.Error(t, err, name)
		require.NotContains(t, err.Error(), "c2Vj", name)
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(`{"kty":"EC","crv":"P-256","x":"a","y":"b","d":"c"}`)
	f.Add("-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, text string) {
		if k, err := oidc.ParseKey(text); err == nil && (k.IsPublic() || k.Algorithm == "" || k.KeyID == "") {
			t.Fatalf("%s %q", k.Algorithm, k.KeyID)
		}
	})
}
