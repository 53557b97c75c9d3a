package keyset_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/keyset"
)

func TestHeaderOf(t *testing.T) {
	head := func(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
	require.Equal(t, keyset.Header{KeyID: "k1", Algorithm: "ES256"}, keyset.HeaderOf(head(`{"alg":"ES256","kid":"k1"}`)+".e30.sig"))
	for _, jws := range []string{"", "x", "%%.e30.x", head(`{}`) + ".e30.x", head(`{"alg":"ES256","kid":7}`) + ".e30.x", head(`{"kid":"`+strings.Repeat("k", 5000)+`"}`) + ".x.x", head(`{"kid":"k1"}`)} {
		require.Zero(t, keyset.HeaderOf(jws))
	}
}

// signed is a JWS in compact form.
func signed(t testing.TB, alg jose.SignatureAlgorithm, key any, header map[jose.HeaderKey]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, &jose.SignerOptions{ExtraHeaders: header})
	require.NoError(t, err)
	jws, err := signer.Sign([]byte("signed"))
	require.NoError(t, err)
	compact, err := jws.CompactSerialize()
	require.NoError(t, err)
	return compact
}

func TestVerify(t *testing.T) {
	a, b := ecKey(t), ecKey(t)
	wide, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: a.Public(), KeyID: "a"},
		{Key: b.Public(), KeyID: "b", Use: "sig", Algorithm: "ES256"},
		{Key: b.Public(), KeyID: "enc", Use: "enc"},
		{Key: wide.Public(), KeyID: "wide", Algorithm: "PS256"},
	}}
	kid := func(id string) map[jose.HeaderKey]any { return map[jose.HeaderKey]any{"kid": id} }
	good := signed(t, jose.ES256, b, kid("b"))
	head, rest, _ := strings.Cut(good, ".")
	for _, c := range []struct {
		name, jws string
		ok        bool
	}{
		{"by the key that it names", good, true},
		{"by any key where it names none", signed(t, jose.ES256, b, nil), true},
		{"by the algorithm of the key", signed(t, jose.PS256, wide, kid("wide")), true},
		{"by another key than it names", signed(t, jose.ES256, b, kid("a")), false},
		{"by a key that is not there", signed(t, jose.ES256, ecKey(t), nil), false},
		{"by a key to encrypt with", signed(t, jose.ES256, b, kid("enc")), false},
		{"by another algorithm than the key's", signed(t, jose.RS256, wide, kid("wide")), false},
		{"by an algorithm that does not count", signed(t, jose.PS512, wide, nil), false},
		{"by a key that it brings along", signed(t, jose.ES256, &jose.JSONWebKey{Key: ecKey(t)}, map[jose.HeaderKey]any{"jwk": a.Public()}), false},
		{"with a header that must be understood", signed(t, jose.ES256, b, map[jose.HeaderKey]any{"crit": []string{"exp"}, "exp": 1}), false},
		{"with its end cut off", good[:len(good)-2], false},
		{"without a signature", head + "." + strings.SplitN(rest, ".", 2)[0] + ".", false},
		{"with none as its algorithm", base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30.", false},
		{"in JSON", `{"payload":"c2lnbmVk","signatures":[]}..`, false},
		{"in nothing", "", false},
	} {
		t.Run("signed "+c.name, func(t *testing.T) {
			payload, err := keyset.Verify(set, c.jws, []string{"ES256", "RS256", "PS256"})
			if !c.ok {
				require.Error(t, err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, "signed", string(payload))
			_, err = keyset.Verify(nil, c.jws, []string{"ES256", "PS256"})
			require.Error(t, err)
		})
	}
}

func TestVerifyLeavesShortRSAKeysOut(t *testing.T) {
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: short.Public()}}}
	_, err = keyset.Verify(set, signed(t, jose.RS256, short, nil), []string{"RS256"})
	require.ErrorContains(t, err, "no key of the set")
}

func FuzzVerify(f *testing.F) {
	key := ecKey(f)
	set := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}}
	f.Add(signed(f, jose.ES256, key, nil))
	f.Add("e30.e30.")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, compact string) {
		_ = keyset.HeaderOf(compact)
		if payload, err := keyset.Verify(set, compact, []string{"ES256"}); err == nil {
			require.Equal(t, "signed", string(payload))
		}
	})
}
