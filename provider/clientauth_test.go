package provider_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/store/storetest"
)

func encodeSegment(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// assert signs claims as a client would.
func assert(t testing.TB, alg string, key crypto.Signer, claims map[string]any) string {
	t.Helper()
	return signJWS(t, jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, nil, claims)
}

// signJWS is a JWS in compact form.
func signJWS(t testing.TB, key jose.SigningKey, header *jose.SignerOptions, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(key, header)
	require.NoError(t, err)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	jws, err := signer.Sign(payload)
	require.NoError(t, err)
	out, err := jws.CompactSerialize()
	require.NoError(t, err)
	return out
}

func keySetOf(t testing.TB, key crypto.Signer) string {
	t.Helper()
	b, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public()}}})
	require.NoError(t, err)
	return string(b)
}

func TestPrivateKeyJWT(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	onEach(t, func(t *testing.T, w *world) {
		serial := 0
		claims := func(change ...any) map[string]any {
			serial++
			now := w.clock.Now()
			c := map[string]any{
				"iss": "pk", "sub": "pk", "aud": issuer, "jti": "j" + string(rune('a'+serial)),
				"exp": now.Add(time.Minute).Unix(), "iat": now.Unix(),
			}
			for i := 0; i+1 < len(change); i += 2 {
				name, _ := change[i].(string)
				if c[name] = change[i+1]; change[i+1] == nil {
					delete(c, name)
				}
			}
			return c
		}
		register := func(key crypto.Signer) {
			require.NoError(t, w.SaveClient(t.Context(), &provider.Client{
				ID: "pk", AuthMethod: provider.AuthPrivateKeyJWT, JWKS: keySetOf(t, key),
				GrantTypes: []string{"client_credentials"}, Scopes: []string{"read"},
			}))
		}
		send := func(assertion string) answer {
			return w.post("/oauth2/token", "", url.Values{
				"grant_type": {"client_credentials"}, "client_assertion": {assertion},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			})
		}
		for alg, key := range map[string]crypto.Signer{"ES256": ec, "RS256": rs, "PS256": rs, "EdDSA": ed} {
			t.Run(alg+" is accepted, for the issuer and for the token endpoint", func(t *testing.T) {
				register(key)
				require.Equal(t, http.StatusOK, send(assert(t, alg, key, claims())).status)
				a := send(assert(t, alg, key, claims("aud", []string{"x", issuer + "/oauth2/token"})))
				require.Equal(t, http.StatusOK, a.status, a.raw)
			})
		}
		register(ec)
		t.Run("times with a fraction are accepted (RFC 7519, section 2)", func(t *testing.T) {
			now := float64(w.clock.Now().Unix())
			a := send(assert(t, "ES256", ec, claims("exp", now+59.5, "iat", now-0.25, "nbf", now-0.25)))
			require.Equal(t, http.StatusOK, a.status, a.raw)
		})
		t.Run("the pushed authorization request endpoint is an audience (RFC 9126, section 2)", func(t *testing.T) {
			a := send(assert(t, "ES256", ec, claims("aud", issuer+"/oauth2/par")))
			require.Equal(t, http.StatusOK, a.status, a.raw)
		})
		for name, c := range map[string]map[string]any{
			"a foreign audience":    claims("aud", "https://elsewhere"),
			"no audience":           claims("aud", nil),
			"another issuer":        claims("iss", "app"),
			"another subject":       claims("sub", "app"),
			"no jti":                claims("jti", nil),
			"a jti with a NUL":      claims("jti", "a\x00b"),
			"no exp":                claims("exp", nil),
			"an exp that is a text": claims("exp", "soon"),
			"an exp of no clock":    claims("exp", 1e300),
			"an exp long ago":       claims("exp", w.clock.Now().Add(-2*time.Minute).Unix()),
			"an exp far off":        claims("exp", w.clock.Now().Add(2*time.Hour).Unix()),
			"an iat in the future":  claims("iat", w.clock.Now().Add(2*time.Minute).Unix()),
			"an nbf in the future":  claims("nbf", w.clock.Now().Add(2*time.Minute).Unix()),
			"an object as audience": claims("aud", map[string]any{"a": issuer}),
		} {
			t.Run(name+" is refused", func(t *testing.T) {
				wantError(t, send(assert(t, "ES256", ec, c)), 401, "invalid_client")
			})
		}
		t.Run("another key, no signature and a symmetric one are refused", func(t *testing.T) {
			other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			require.NoError(t, err)
			wantError(t, send(assert(t, "ES256", other, claims())), 401, "invalid_client")
			good := assert(t, "ES256", ec, claims())
			_, rest, _ := strings.Cut(good, ".")
			wantError(t, send(encodeSegment([]byte(`{"alg":"none"}`))+"."+rest), 401, "invalid_client")
			wantError(t, send(encodeSegment([]byte(`{"alg":"HS256"}`))+"."+rest), 401, "invalid_client")
			wantError(t, send("x"), 401, "invalid_client")
			wantError(t, send(strings.Repeat("a", 20_000)), 401, "invalid_client")
		})
		t.Run("of parallel replays of one jti one wins (CVE-2020-15222, regression 17)", func(t *testing.T) {
			assertion := assert(t, "ES256", ec, claims())
			won := 0
			for _, a := range parallel(20, func() answer { return send(assertion) }) {
				if a.status == http.StatusOK {
					won++
				} else {
					wantError(t, a, 401, "invalid_client")
				}
			}
			require.Equal(t, 1, won)
		})
		t.Run("another assertion type is refused", func(t *testing.T) {
			a := w.post("/oauth2/token", "", url.Values{"grant_type": {"client_credentials"}, "client_assertion": {"x"}, "client_assertion_type": {"saml"}})
			wantError(t, a, 400, "invalid_request")
		})
	})
}

func TestASecretMayComeEitherWay(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for _, id := range []string{"app", "other"} { // registered for Basic, and for the body
		values := url.Values{"grant_type": {"client_credentials"}}
		require.Equal(t, http.StatusOK, w.post("/oauth2/token", id, values).status)
		values.Set("client_id", id)
		values.Set("client_secret", w.secrets[id])
		require.Equal(t, http.StatusOK, w.post("/oauth2/token", "", values).status, id)
		values.Set("client_secret", "wrong")
		wantError(t, w.post("/oauth2/token", "", values), 401, "invalid_client")
	}
	wantError(t, w.post("/oauth2/token", "", url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}}), 401, "invalid_client")
}
