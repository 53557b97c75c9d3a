package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

func TestToken(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	credentials := url.Values{"grant_type": {"client_credentials"}}

	t.Run("client credentials give a token without anything about a person", func(t *testing.T) {
		a := w.post("/oauth2/token", "app", credentials)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.Equal(t, "Bearer", a.str("token_type"))
		require.Equal(t, "read write", a.str("scope"))
		require.InDelta(t, 900, a.body["expires_in"], 0)
		require.True(t, strings.HasPrefix(a.str("access_token"), "kw_at_"))
		require.NotContains(t, a.body, "refresh_token")
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		active := w.introspect(a.str("access_token"))
		require.Equal(t, true, active.body["active"])
		require.Equal(t, "app", active.str("sub"))
	})
	t.Run("a scope beyond the client's is refused", func(t *testing.T) {
		wantError(t, w.post("/oauth2/token", "app", url.Values{"grant_type": {"client_credentials"}, "scope": {"admin"}}), 400, "invalid_scope")
	})
	t.Run("a grant type that the client may not use is unauthorized_client", func(t *testing.T) {
		wantError(t, w.post("/oauth2/token", "spa", credentials), 400, "unauthorized_client")
		wantError(t, w.post("/oauth2/token", "api", credentials), 400, "unauthorized_client")
		wantError(t, w.refresh("api", "nope"), 400, "unauthorized_client")
		wantError(t, w.refresh("spa", "nope"), 400, "invalid_grant")
	})
	t.Run("a JWT follows RFC 9068 and is signed by the published key", func(t *testing.T) {
		a := w.post("/oauth2/token", "jwt", credentials)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		claims, err := w.Decode(t.Context(), a.str("access_token"))
		require.NoError(t, err)
		require.Equal(t, "jwt", claims["client_id"])
		require.Equal(t, "jwt", claims["sub"])
		require.Equal(t, issuer, claims["iss"])
		require.Equal(t, []any{issuer}, claims["aud"])
		require.Equal(t, "read write", claims["scope"])
		require.NotEmpty(t, claims["jti"])
		require.NotContains(t, claims, "scp")
		header, _, _ := strings.Cut(a.str("access_token"), ".")
		require.Contains(t, decodeSegment(t, header), `"typ":"at+jwt"`)
		require.Contains(t, decodeSegment(t, header), `"alg":"ES256"`)
		require.Equal(t, true, w.introspect(a.str("access_token")).body["active"])
	})
	t.Run("the token dies when its time is over", func(t *testing.T) {
		a := w.post("/oauth2/token", "app", credentials)
		w.clock.add(15*time.Minute - time.Second)
		require.Equal(t, true, w.introspect(a.str("access_token")).body["active"])
		w.clock.add(time.Second)
		require.Equal(t, map[string]any{"active": false}, w.introspect(a.str("access_token")).body)
	})
}

func TestTokenRefusals(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	send := func(change func(*http.Request), form string) answer {
		r := httptest.NewRequest(http.MethodPost, "/tenant/oauth2/token", strings.NewReader(form))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		change(r)
		return w.do(r)
	}
	basic := func(r *http.Request) { r.SetBasicAuth("app", w.secrets["app"]) }
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		form   string
		status int
		code   string
	}{
		{"an unknown grant type is unsupported_grant_type", basic, "grant_type=urn:x", 400, "unsupported_grant_type"},
		{"the password grant is unsupported_grant_type", basic, "grant_type=password&username=alice&password=x", 400, "unsupported_grant_type"},
		{"a missing grant type is invalid_request", basic, "scope=read", 400, "invalid_request"},
		{"a duplicate parameter is refused", basic, "grant_type=client_credentials&scope=read&scope=write", 400, "invalid_request"},
		{
			"two client authentications are refused", basic,
			"grant_type=client_credentials&client_id=app&client_secret=" + w.secrets["app"], 400, "invalid_request",
		},
		{"another client_id beside Basic is refused", basic, "grant_type=client_credentials&client_id=other", 400, "invalid_request"},
		{"a method that is not the registered one is refused", func(*http.Request) {}, "grant_type=client_credentials&client_id=app", 401, "invalid_client"},
		{"no client at all is refused", func(*http.Request) {}, "grant_type=client_credentials", 401, "invalid_client"},
		{"a wrong secret is refused", func(r *http.Request) { r.SetBasicAuth("app", "nope") }, "grant_type=client_credentials", 401, "invalid_client"},
		{"an unknown client is refused", func(r *http.Request) { r.SetBasicAuth("nobody", "nope") }, "grant_type=client_credentials", 401, "invalid_client"},
		{"an internal client is refused", func(*http.Request) {}, "grant_type=refresh_token&refresh_token=x&client_id=" + legacyID, 401, "invalid_client"},
		{"Bearer is no client authentication", func(r *http.Request) { r.Header.Set("Authorization", "Bearer x") }, "grant_type=client_credentials", 401, "invalid_client"},
		{"a NUL is refused", basic, "grant_type=client_credentials&scope=%00", 400, "invalid_request"},
		{"invalid UTF-8 is refused", basic, "grant_type=client_credentials&scope=%ff", 400, "invalid_request"},
		{"a broken escape is refused", basic, "grant_type=%zz", 400, "invalid_request"},
		{"too many parameters are refused", basic, strings.Repeat("a=&", 200), 400, "invalid_request"},
		{"a body over 64 KiB is refused", basic, "grant_type=client_credentials&x=" + strings.Repeat("a", 64<<10), 413, "invalid_request"},
		{"JSON is refused", func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, "{}", 400, "invalid_request"},
		{"GET is refused", func(r *http.Request) { r.Method = http.MethodGet }, "", 405, "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := send(c.change, c.form)
			wantError(t, a, c.status, c.code)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
			require.NotContains(t, a.str("error_description"), `"`)
			if c.status == http.StatusUnauthorized {
				require.Contains(t, a.header.Get("WWW-Authenticate"), "Basic ")
			}
			if c.status == http.StatusMethodNotAllowed {
				require.Equal(t, "POST", a.header.Get("Allow"))
			}
		})
	}
}

func TestClientChanges(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	token := w.post("/oauth2/token", "app", url.Values{"grant_type": {"client_credentials"}}).str("access_token")
	c, err := w.store.FindClient(t.Context(), "app")
	require.NoError(t, err)

	t.Run("an imported slow secret is accepted, another is not", func(t *testing.T) {
		slow := *c
		slow.ID = "slow"
		hasher, err := identity.NewHasher(identity.HasherOptions{Memory: 1024, Time: 1})
		require.NoError(t, err)
		hash, err := hasher.Hash(t.Context(), "typed by a person")
		require.NoError(t, err)
		slow.SecretHashes = []string{hash}
		require.NoError(t, w.SaveClient(t.Context(), &slow))
		w.secrets["slow"] = "typed by a person"
		for range 2 { // the second time from memory
			require.Equal(t, 200, w.post("/oauth2/token", "slow", url.Values{"grant_type": {"client_credentials"}}).status)
		}
		w.secrets["slow"] = "not the one"
		wantError(t, w.post("/oauth2/token", "slow", url.Values{"grant_type": {"client_credentials"}}), 401, "invalid_client")
	})
	t.Run("a disabled client stops working at once, and its tokens with it", func(t *testing.T) {
		off := *c
		off.Disabled = true
		require.NoError(t, w.SaveClient(t.Context(), &off))
		wantError(t, w.post("/oauth2/token", "app", url.Values{"grant_type": {"client_credentials"}}), 401, "invalid_client")
		require.Equal(t, false, w.introspect(token).body["active"])
	})
	t.Run("a deleted client is unknown", func(t *testing.T) {
		require.NoError(t, w.DeleteClient(t.Context(), "other"))
		wantError(t, w.post("/oauth2/token", "other", url.Values{"grant_type": {"client_credentials"}}), 401, "invalid_client")
	})
	t.Run("what could not work is not saved", func(t *testing.T) {
		err := w.SaveClient(t.Context(), &provider.Client{
			ID: "bad id", AuthMethod: "magic", GrantTypes: []string{"password", "implicit"}, Scopes: []string{`a"b`},
			AccessTokenFormat: provider.FormatHex32, IDTokenAlg: "none",
		})
		for _, want := range []string{"client_id", "magic", "password grant", "implicit", "scope", "hex32", "none"} {
			require.ErrorContains(t, err, want)
		}
	})
}

// What the operator takes from a client between the code and its redemption is not
// in the token: not in the answer, and not where the token is asked about.
func TestALostScopeIsNotInTheTokenOfAnEarlierCode(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		code := w.newBrowser().signIn(t, ask("web", "scope", "openid email read")).Get("code")
		c, err := w.store.FindClient(t.Context(), "web")
		require.NoError(t, err)
		c.Scopes = []string{"openid", "read"}
		require.NoError(t, w.SaveClient(t.Context(), c))
		a := w.exchange("web", code, callback)
		require.Equal(t, "openid read", a.str("scope"), a.raw)
		require.Equal(t, "openid read", w.introspect(a.str("access_token")).str("scope"))
		require.Equal(t, map[string]any{"sub": w.alice}, w.userinfo(a.str("access_token")).body)
	})
}
