package provider_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/details"
	"keyway/provider/exchange"
)

// unescape makes stored JSON readable.
func unescape(s string) string {
	return strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(s)
}

// fill sets every exported field to a value of its own.
func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	for i := range v.NumField() {
		f, name := v.Field(i), v.Type().Field(i).Name
		if !v.Type().Field(i).IsExported() {
			continue
		}
		switch f.Kind() {
		case reflect.String:
			f.SetString("<" + name + ">")
		case reflect.Int, reflect.Int64:
			f.SetInt(int64(1_000_000 + i))
		case reflect.Bool:
			f.SetBool(true)
		case reflect.Slice:
			if f.Type() == reflect.TypeFor[details.List]() {
				f.Set(reflect.ValueOf(details.List{json.RawMessage(`{"type":"x"}`)}))
				continue
			}
			f.Set(reflect.ValueOf([]string{"<" + name + ">"}))
		case reflect.Pointer:
			if f.Type() == reflect.TypeFor[*exchange.Actor]() { // it has itself in it
				f.Set(reflect.ValueOf(&exchange.Actor{Subject: "<" + name + ">"}))
				continue
			}
			f.Set(reflect.New(f.Type().Elem()))
			fill(t, f.Elem())
		case reflect.Map:
			f.Set(reflect.ValueOf(map[string]any{"<" + name + ">": "x", "sub": "reserved"}))
		default:
			t.Fatalf("field %s has a kind this test does not fill", name)
		}
	}
}

func TestSession(t *testing.T) {
	t.Run("every field is stored, in a form that only a new version may change", func(t *testing.T) {
		s := &provider.Session{}
		fill(t, reflect.ValueOf(s).Elem())
		stored, err := s.Encode()
		require.NoError(t, err)
		require.Equal(t, `{"v":1,"sub":"<Subject>","username":"<Username>","client_id":"<ClientID>","auth_time":1000004,`+
			`"amr":["<AMR>"],"acr":"<ACR>","nonce":"<Nonce>","rat":1000008,"claims":{"<Claims>":"x","sub":"reserved"},`+
			`"sid":"<SID>","factor":true,"connector":"<Connector>","act":{"sub":"<Act>"},"id_claims":["<IDClaims>"],"userinfo_claims":["<UserClaims>"],"authorization_details":[{"type":"x"}],"allow_unverified":true,`+
			`"cnf":{"jkt":"<Proof>","x5t#S256":"<Certificate>"}}`, unescape(string(stored)))
		again, err := provider.ParseSession(stored)
		require.NoError(t, err)
		require.Equal(t, s, again)
	})
	t.Run("another version is refused", func(t *testing.T) {
		for _, stored := range []string{`{"v":2}`, `{}`, `x`} {
			_, err := provider.ParseSession([]byte(stored))
			require.Error(t, err)
		}
	})
	t.Run("setting the subject sets that of every token", func(t *testing.T) {
		s := &provider.Session{}
		_ = s.IDTokenClaims()
		s.SetSubject("alice")
		require.Equal(t, "alice", s.GetSubject())
		require.Equal(t, "alice", s.IDTokenClaims().Subject)
		require.Equal(t, "alice", s.GetJWTClaims().ToMapClaims()["sub"])
	})
	t.Run("every token has claims of its own, and stored ones cannot replace reserved ones", func(t *testing.T) {
		s := &provider.Session{ClientID: "app", Claims: map[string]any{"sub": "mallory", "client_id": "x", "team": "blue"}}
		a, b := s.GetJWTClaims().ToMapClaims(), s.GetJWTClaims().ToMapClaims()
		require.NotEqual(t, a["jti"], b["jti"])
		require.Equal(t, "app", a["sub"])
		require.Equal(t, "app", a["client_id"])
		require.Equal(t, "blue", a["team"])
	})
	t.Run("a clone shares nothing that changes", func(t *testing.T) {
		s := &provider.Session{Subject: "alice", AMR: []string{"pwd"}, Claims: map[string]any{"a": 1}}
		c, ok := s.Clone().(*provider.Session)
		require.True(t, ok)
		c.AMR[0], c.Claims["a"] = "otp", 2
		c.SetExpiresAt(fosite.AccessToken, time.Unix(1, 0))
		require.Equal(t, []string{"pwd"}, s.AMR)
		require.Equal(t, 1, s.Claims["a"])
		require.True(t, s.GetExpiresAt(fosite.AccessToken).IsZero())
	})
}
