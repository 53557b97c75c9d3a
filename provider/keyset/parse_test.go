package keyset_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/keyset"
)

// published is the set of the public keys, whose ids are their names.
func published(t testing.TB, keys map[string]crypto.PublicKey) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for kid, k := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k, KeyID: kid})
	}
	b, err := json.Marshal(set)
	require.NoError(t, err)
	return b
}

func ecKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return k
}

func TestParse(t *testing.T) {
	ec := ecKey(t)
	edwards, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	wide, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	good := published(t, map[string]crypto.PublicKey{"ec": ec.Public(), "ed": edwards, "rsa": wide.Public()})
	set, err := keyset.Parse(good)
	require.NoError(t, err)
	for _, kid := range []string{"ec", "ed", "rsa"} {
		require.True(t, keyset.Has(set, kid))
	}
	require.False(t, keyset.Has(set, "other"))
	require.False(t, keyset.Has(set, ""))

	mixed := strings.Replace(string(good), `"keys":[`, `"keys":[{"kty":"new"},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},7,`, 1)
	set, err = keyset.Parse([]byte(mixed))
	require.NoError(t, err, "keys that are not understood are left out")
	require.Len(t, set.Keys, 3)

	secrets, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: private}}})
	require.NoError(t, err)
	many := strings.Repeat(`{"kty":"new"},`, 33)
	narrow := &rsa.PublicKey{N: wide.N, E: 65537}
	narrow.N = narrow.N.Rsh(narrow.N, 1025)
	for _, c := range []struct {
		name, body string
		want       error
	}{
		{"nothing", "", keyset.ErrMalformed},
		{"no object", `[]`, keyset.ErrMalformed},
		{"keys that are no list", `{"keys":{}}`, keyset.ErrMalformed},
		{"no keys", `{}`, keyset.ErrEmpty},
		{"an empty list", `{"keys":[]}`, keyset.ErrEmpty},
		{"only keys that are not understood", `{"keys":[{"kty":"new"}]}`, keyset.ErrEmpty},
		{"an RSA key that is too short", string(published(t, map[string]crypto.PublicKey{"a": narrow})), keyset.ErrEmpty},
		{"a private key", string(secrets), keyset.ErrSecret},
		{"a symmetric key", `{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}`, keyset.ErrSecret},
		{"the private part of a kind that is not known", `{"keys":[{"kty":"new","d":"x"}]}`, keyset.ErrSecret},
		{"too many keys", `{"keys":[` + strings.TrimSuffix(many, ",") + `]}`, keyset.ErrTooLarge},
		{"too many bytes", `{"keys":[]}` + strings.Repeat(" ", keyset.MaxSize), keyset.ErrTooLarge},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			_, err := keyset.Parse([]byte(c.body))
			require.ErrorIs(t, err, c.want)
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(published(f, map[string]crypto.PublicKey{"a": ecKey(f).Public()}))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"eA"},{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[null,[],{"kty":"OKP","crv":"Ed25519","x":""}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		set, err := keyset.Parse(body)
		if err != nil {
			require.Nil(t, set)
			return
		}
		require.NotEmpty(t, set.Keys)
		for _, k := range set.Keys {
			require.True(t, k.IsPublic())
			require.True(t, k.Valid())
		}
	})
}
