package provider_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	fositejwt "github.com/ory/fosite/token/jwt"
	"github.com/stretchr/testify/require"

	"keyway/provider/keys"
	"keyway/provider/store/storetest"
)

func kidOf(t *testing.T, token string) string {
	t.Helper()
	header, _, _ := strings.Cut(token, ".")
	var h struct{ KID string }
	require.NoError(t, json.Unmarshal([]byte(decodeSegment(t, header)), &h))
	return h.KID
}

func (w *world) published(t *testing.T) map[string]bool {
	t.Helper()
	a := w.do(httptest.NewRequest(http.MethodGet, "/tenant/oauth2/jwks", nil))
	var set struct{ Keys []struct{ KID string } }
	require.NoError(t, json.Unmarshal([]byte(a.raw), &set))
	kids := map[string]bool{}
	for _, k := range set.Keys {
		kids[k.KID] = true
	}
	return kids
}

func TestKeyRotation(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		machine := func() string {
			return w.post("/oauth2/token", "jwt", url.Values{"grant_type": {"client_credentials"}}).str("access_token")
		}
		token, _ := w.session(t, "app")
		issued := w.refresh("app", token)
		oldID := issued.str("id_token")

		t.Run("a next key is published before it signs", func(t *testing.T) {
			before := machine()
			require.NoError(t, w.Rotate(t.Context(), false))
			require.Len(t, w.published(t), 4)
			require.Equal(t, kidOf(t, before), kidOf(t, machine()))
			w.clock.add(24 * time.Hour)
			require.NoError(t, w.Reload(t.Context()))
			require.NotEqual(t, kidOf(t, before), kidOf(t, machine()))
			require.Len(t, w.published(t), 4)
		})
		t.Run("an old ID token is still accepted as a hint, and refreshed ones carry the new kid", func(t *testing.T) {
			require.NoError(t, w.Rotate(t.Context(), true))
			a := w.refresh("app", issued.str("refresh_token"))
			require.Equal(t, http.StatusOK, a.status, a.raw)
			require.NotEqual(t, kidOf(t, oldID), kidOf(t, a.str("id_token")))
			require.True(t, w.published(t)[kidOf(t, a.str("id_token"))])
			require.True(t, w.published(t)[kidOf(t, oldID)])
			_, err := w.Decode(t.Context(), oldID)
			requireSigned(t, err)
		})
		t.Run("another replica follows", func(t *testing.T) {
			replica := *w
			replica.start(t)
			require.NoError(t, keys.Rotate(t.Context(), w.store, keys.Policy{}, w.clock.Now()))
			require.NoError(t, replica.Reload(t.Context()))
			require.NoError(t, w.Reload(t.Context()))
			require.Equal(t, w.published(t), replica.published(t))
			_, err := replica.Decode(t.Context(), machine())
			requireSigned(t, err)
		})
		t.Run("keys rotate by themselves and leave when nothing they signed is valid", func(t *testing.T) {
			first := kidOf(t, machine())
			w.clock.add(90 * 24 * time.Hour)
			require.NoError(t, w.Reload(t.Context()))
			w.clock.add(24 * time.Hour)
			require.NoError(t, w.Reload(t.Context()))
			require.NotEqual(t, first, kidOf(t, machine()))
			w.clock.add(31 * 24 * time.Hour)
			require.NoError(t, w.Reload(t.Context()))
			require.False(t, w.published(t)[first])
			require.NoError(t, w.Ready(t.Context()))
		})
	})
}

// requireSigned passes over what a token says of time, which the library
// compares with the real one.
func requireSigned(t *testing.T, err error) {
	t.Helper()
	var v *fositejwt.ValidationError
	if errors.As(err, &v) && !v.Has(fositejwt.ValidationErrorSignatureInvalid|fositejwt.ValidationErrorUnverifiable|fositejwt.ValidationErrorMalformed) {
		return
	}
	require.NoError(t, err)
}

func TestForgedTokens(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	good := w.post("/oauth2/token", "jwt", url.Values{"grant_type": {"client_credentials"}}).str("access_token")
	parts := strings.Split(good, ".")
	encode := func(s string) string { return encodeSegment([]byte(s)) }
	for name, token := range map[string]string{
		"alg none":                   encode(`{"alg":"none","typ":"at+jwt"}`) + "." + parts[1] + ".",
		"alg None":                   encode(`{"alg":"None"}`) + "." + parts[1] + ".",
		"an emptied signature":       parts[0] + "." + parts[1] + ".",
		"HS256 under the public key": encode(`{"alg":"HS256","kid":"`+kidOf(t, good)+`"}`) + "." + parts[1] + "." + parts[2],
		"a traversing kid":           encode(`{"alg":"ES256","kid":"../../dev/null"}`) + "." + parts[1] + "." + parts[2],
		"an embedded key":            encode(`{"alg":"ES256","jwk":{"kty":"EC"}}`) + "." + parts[1] + "." + parts[2],
		"a critical header":          encode(`{"alg":"ES256","crit":["x"],"x":1,"kid":"`+kidOf(t, good)+`"}`) + "." + parts[1] + "." + parts[2],
		"another payload":            parts[0] + "." + encode(`{"sub":"alice"}`) + "." + parts[2],
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := w.Decode(t.Context(), token)
			require.Error(t, err)
			wantError(t, w.userinfo(token), 401, "invalid_token")
			require.Equal(t, false, w.introspect(token).body["active"])
		})
	}
}
