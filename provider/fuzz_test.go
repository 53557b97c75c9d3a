package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/assertion"
)

func splitLines(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }

func FuzzForm(f *testing.F) {
	f.Add("grant_type=client_credentials&scope=a+b")
	f.Add("a=1&a=2&%00=%ff&;=")
	f.Fuzz(func(t *testing.T, body string) {
		values, err := provider.ParseForm(body)
		if err != nil {
			return
		}
		for name, all := range values {
			for _, v := range append([]string{name}, all...) {
				if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
					t.Fatalf("%q passed", v)
				}
			}
			if len(all) > 1 && name != "resource" && name != "audience" {
				t.Fatalf("%q is repeated", name)
			}
		}
	})
}

func FuzzAssertion(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(f, err)
	var keys jose.JSONWebKeySet
	require.NoError(f, json.Unmarshal([]byte(keySetOf(f, key)), &keys))
	good := assert(f, "ES256", key, map[string]any{"iss": "pk", "sub": "pk"})
	f.Add(good)
	f.Add("e30.e30.")
	f.Add(`eyJhbGciOiJub25lIn0.e30.`)
	f.Fuzz(func(t *testing.T, presented string) {
		_ = assertion.Client(presented)
		payload, err := assertion.Verify(&keys, presented)
		if err == nil && string(payload) != `{"iss":"pk","sub":"pk"}` {
			t.Fatalf("something that was not signed passed: %q", payload)
		}
	})
}

func FuzzToken(f *testing.F) {
	f.Add("kw_at_abc")
	f.Add("a.b.c")
	f.Add("\x00\xff")
	f.Fuzz(func(t *testing.T, token string) {
		for _, form := range []string{token, "kw_at_" + token, token + ".e30."} {
			if s := provider.Signature(form); s != "" && len(s) != 64 {
				t.Fatalf("signature %q", s)
			}
		}
	})
}
