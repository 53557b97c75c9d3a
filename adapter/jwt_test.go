package adapter

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

func sign(header, claims, secret string) string {
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString([]byte(claims))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}

const hs256 = `{"alg":"HS256","typ":"JWT"}`

func TestALegacyTokenSaysWhatIsWrongWithIt(t *testing.T) {
	for _, c := range []struct {
		name, token string
		want        Outcome
	}{
		{"two segments", "a.b", OutcomeTokenMalformed},
		{"four segments", "a.b.c.d", OutcomeTokenMalformed},
		{"no base64", "?.?.?", OutcomeInvalidToken},
		{"another secret", sign(hs256, `{"sub":1}`, "other"), OutcomeInvalidToken},
		{"no algorithm", sign(`{"alg":"none"}`, `{"sub":1}`, "s"), OutcomeInvalidToken},
		{"claims that are no object", sign(hs256, `[`, "s"), OutcomeInvalidToken},
		{"an expiry that is no time", sign(hs256, `{"exp":"soon"}`, "s"), OutcomeInvalidToken},
		{"expired", sign(hs256, `{"exp":1000}`, "s"), OutcomeExpiredToken},
		{"expires now", sign(hs256, `{"exp":2000}`, "s"), OutcomeExpiredToken},
		{"expires later, as a string", sign(hs256, `{"exp":"2001"}`, "s"), ""},
		{"never expires", sign(hs256, `{"sub":1}`, "s"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, got := readLegacyJWT(c.token, []byte("s"), time.Unix(2000, 0))
			require.Equal(t, c.want, got)
		})
	}
	_, got := readLegacyJWT(sign(hs256, `{}`, ""), nil, time.Unix(0, 0))
	require.Equal(t, OutcomeInvalidToken, got, "an empty secret signs nothing")
}

// A token that the shared secret signed but that no grant stands behind is told
// apart by whether its user is still there.
func TestAWellSignedTokenWithoutAGrant(t *testing.T) {
	in := Instance{
		Name: "clinic", System: clinic(t), SiteURL: "http://c.example", Client: "c",
		Settings: map[string]any{"jwt_secret": "s", "passphrase": "p"},
	}
	notOurs := identity.Failf(identity.ReasonInvalidToken, "unknown")
	for _, c := range []struct {
		name, claims string
		err, lookup  error
		want         string
	}{
		{"the user is there", `{"sub":5}`, notOurs, nil, "token_revoked"},
		{"the user is gone", `{"sub":"5"}`, notOurs, identity.Failf(identity.ReasonUnknownUser, ""), "unknown_user"},
		{"nobody can tell", `{"sub":5}`, notOurs, identity.Failf(identity.ReasonUnavailable, ""), "invalid_token"},
		{"it names nobody", `{}`, notOurs, nil, "invalid_token"},
		{"it was ended", `{"sub":5}`, identity.Fail(identity.ReasonInvalidToken, provider.ErrRevoked), nil, "token_revoked"},
		{"its user is disabled", `{"sub":5}`, identity.Failf(identity.ReasonDisabled, ""), nil, "disabled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := serve(t, &scripted{err: c.err, lookErr: c.lookup}, nil, in)
			r := httptest.NewRequest(http.MethodGet, "/user/profile", nil)
			r.Header.Set("Token", sign(hs256, c.claims, "s"))
			key, err := opensslSalted("p", "k")
			require.NoError(t, err)
			r.Header.Set("Key", key)
			w := httptest.NewRecorder()
			a.ServeHTTP(w, r)
			require.Equal(t, `{"code":"`+c.want+`"}`, w.Body.String())
		})
	}
}

func TestExpressETag(t *testing.T) {
	require.Equal(t, `W/"0-2jmj7l5rSw0yVb/vlWAYkK/YBwk"`, expressETag(""))
}
