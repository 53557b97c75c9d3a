package oidc_test

import (
	"encoding/json"
	"testing"

	"keyway/provider/upstream/oidc"
)

func FuzzClaims(f *testing.F) {
	f.Add([]byte(`{"sub":"u1","sub":"u2"}`))
	f.Add([]byte(`{"a":{"b":[1,2]}}`))
	f.Add([]byte(`[1`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		claims, err := oidc.ParseClaims(payload)
		if err != nil {
			return
		}
		var plain map[string]any
		if d := json.Unmarshal(payload, &plain); d == nil && len(plain) != len(claims) {
			t.Fatalf("%d claims of %d", len(claims), len(plain))
		}
	})
}
