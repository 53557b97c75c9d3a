package provider_test

import (
	"bytes"
	"compress/flate"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/store/storetest"
)

// The tests here are named after what went wrong in other servers. Those about
// refresh tokens are in TestRefresh and TestRefreshWithoutGrace.

// hostileTokens are what made parsers of JOSE work far more than their senders.
func hostileTokens(t *testing.T) map[string]string {
	t.Helper()
	var bomb bytes.Buffer
	z, err := flate.NewWriter(&bomb, flate.BestCompression)
	require.NoError(t, err)
	_, err = z.Write(make([]byte, 4<<20))
	require.NoError(t, err)
	require.NoError(t, z.Close())
	compressed := encodeSegment([]byte(`{"alg":"ES256","zip":"DEF"}`)) + "." + encodeSegment(bomb.Bytes())
	return map[string]string{
		"an oversized one":            encodeSegment([]byte(`{"alg":"ES256"}`)) + "." + strings.Repeat("A", 40<<10) + ".AA",
		"one of a million segments":   strings.Repeat(".", 50<<10),
		"many segments within bounds": strings.Repeat("a.", 4<<10),
		"a compressed JWS":            compressed + ".AA",
		"a compressed JWE":            compressed + ".AA.AA.AA",
		"a JWE of passwords":          encodeSegment([]byte(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA"}`)) + ".AA.AA.AA.AA",
	}
}

// CVE-2024-28180, CVE-2025-27144 and CVE-2026-34986 (go-jose): tokens that were
// split, decompressed or unwrapped before anybody looked at their size or kind.
func TestCVE202428180And202527144And202634986HostileTokensAreRefusedCheaply(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for name, token := range hostileTokens(t) {
		t.Run(name+" is no client assertion", func(t *testing.T) {
			wantError(t, w.post("/oauth2/token", "", url.Values{
				"grant_type": {"client_credentials"}, "client_assertion": {token},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			}), 401, "invalid_client")
		})
		t.Run(name+" is no token", func(t *testing.T) {
			wantError(t, w.userinfo(token), 401, "invalid_token")
			require.Equal(t, map[string]any{"active": false}, w.introspect(token).body)
			wantError(t, w.refresh("app", token), 400, "invalid_grant")
			require.Equal(t, http.StatusOK, w.post("/oauth2/revoke", "app", url.Values{"token": {token}}).status)
		})
		t.Run(name+" costs next to no memory", func(t *testing.T) {
			keys := &jose.JSONWebKeySet{}
			const runs = 20
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range runs {
				_ = provider.AssertedClient(token)
				_, err := provider.VerifyAssertion(keys, token)
				require.Error(t, err)
			}
			runtime.ReadMemStats(&after)
			require.Less(t, (after.TotalAlloc-before.TotalAlloc)/runs, uint64(64<<10), "bytes")
		})
	}
}

// everywhere sends what f makes of a request to every endpoint.
func (w *world) everywhere(f func(method, path string) *http.Request, each func(path string, a answer)) {
	for _, path := range []string{
		"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/userinfo", "/oauth2/jwks", "/.well-known/openid-configuration",
	} {
		for _, method := range []string{http.MethodPost, http.MethodGet, http.MethodOptions} {
			each(method+" "+path, w.do(f(method, "/tenant"+path)))
		}
	}
}

// CVE-2019-8400 (Hydra): what a request said came back in the page that refused it.
func TestCVE20198400NothingOfARequestIsInItsError(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	const script = `<script>alert("canary")</script>`
	names := []string{
		"grant_type", "client_id", "client_secret", "scope", "audience", "refresh_token", "token", "token_type_hint", "access_token",
		"client_assertion", "client_assertion_type", "error", "error_description", "error_hint", "error_debug", "redirect_uri", "state", script,
	}
	for _, name := range names {
		for _, grant := range []string{"client_credentials", "refresh_token", script} {
			form := url.Values{"grant_type": {grant}}
			form.Set(name, script)
			w.everywhere(func(method, path string) *http.Request {
				r := httptest.NewRequest(method, path+"?"+url.Values{name: {script}}.Encode(), strings.NewReader(form.Encode()))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.Header.Set("User-Agent", script)
				if name == "token" || name == "scope" {
					r.SetBasicAuth("app", w.secrets["app"])
				}
				return r
			}, func(path string, a answer) {
				require.NotContains(t, a.raw, "canary", "%s %s", path, name)
				for header, values := range a.header {
					require.NotContains(t, strings.Join(values, " "), "canary", "%s %s %s", path, name, header)
				}
				if a.raw != "" {
					require.Contains(t, a.header.Get("Content-Type"), "application/json", "%s %s", path, name)
				}
			})
		}
	}
}

// CVE-2024-41657 (Casdoor): any origin was reflected, and might send credentials.
func TestCVE202441657NoOriginIsReflectedAndNoneMaySendCredentials(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for _, origin := range []string{"https://evil.example", "null", issuer, "https://id.example.com.evil.example"} {
		w.everywhere(func(method, path string) *http.Request {
			r := httptest.NewRequest(method, path, nil)
			r.Header.Set("Origin", origin)
			r.Header.Set("Access-Control-Request-Method", http.MethodPost)
			r.Header.Set("Access-Control-Request-Headers", "authorization")
			r.Header.Set("Cookie", "session=x")
			return r
		}, func(path string, a answer) {
			require.Contains(t, []string{"", "*"}, a.header.Get("Access-Control-Allow-Origin"), path)
			require.Empty(t, a.header.Get("Access-Control-Allow-Credentials"), path)
			require.Empty(t, a.header.Get("Access-Control-Allow-Headers"), path)
		})
	}
}
