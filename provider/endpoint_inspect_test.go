package provider_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

func TestIntrospection(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	refresh, _ := w.session(t, "app")
	issued := w.refresh("app", refresh)
	access, next := issued.str("access_token"), issued.str("refresh_token")
	ask := func(client, token string) answer {
		return w.post("/oauth2/introspect", client, url.Values{"token": {token}})
	}
	t.Run("an authorised client learns of any token", func(t *testing.T) {
		a := ask("api", access)
		require.Equal(t, true, a.body["active"])
		require.Equal(t, w.alice, a.str("sub"))
		require.Equal(t, "app", a.str("client_id"))
		require.Equal(t, "Bearer", a.str("token_type"))
		require.Equal(t, issuer, a.str("iss"))
		require.Equal(t, []any{"pwd"}, a.body["amr"])
		require.InDelta(t, w.clock.Now().Add(15*time.Minute).Unix(), a.body["exp"], 0)
	})
	t.Run("a refresh token shows its own exp (regression 9)", func(t *testing.T) {
		a := ask("api", next)
		require.Equal(t, true, a.body["active"])
		require.InDelta(t, w.clock.Now().Add(30*24*time.Hour).Unix(), a.body["exp"], 0)
		require.NotContains(t, a.body, "token_type")
	})
	t.Run("a client learns of its own tokens", func(t *testing.T) {
		require.Equal(t, true, ask("app", access).body["active"])
	})
	for _, c := range []struct{ name, client, token string }{
		{"another client learns nothing", "other", access},
		{"a truncated token is not the token", "api", access[:len(access)-1]}, // CVE-2026-27840
		{"a lengthened token is not the token", "api", access + "A"},
		{"the random part alone is not the token", "api", strings.TrimPrefix(access, "kw_at_")},
		{"a used refresh token is not active", "api", refresh},
		{"an unknown token is not active", "api", "nope"},
		{"a token with a NUL is not active", "api", "a\x01b"},
		{"a huge token is not active", "api", strings.Repeat("a", 20_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := ask(c.client, c.token)
			require.Equal(t, http.StatusOK, a.status)
			require.JSONEq(t, `{"active":false}`, a.raw)
		})
	}
	t.Run("a public client, a stranger and a bearer token may not ask (regression 9)", func(t *testing.T) {
		wantError(t, ask("spa", access), 401, "invalid_client")
		wantError(t, ask("", access), 401, "invalid_client")
		r := httptest.NewRequest(http.MethodPost, "/tenant/oauth2/introspect", strings.NewReader("token="+access))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer "+access)
		wantError(t, w.do(r), 401, "invalid_client")
	})
	t.Run("a missing token is invalid_request", func(t *testing.T) {
		wantError(t, w.post("/oauth2/introspect", "api", url.Values{"x": {"y"}}), 400, "invalid_request")
	})
}

func TestRevocation(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		revoke := func(client, token string) answer {
			return w.post("/oauth2/revoke", client, url.Values{"token": {token}})
		}
		refresh, _ := w.session(t, "app")
		issued := w.refresh("app", refresh)
		t.Run("a foreign client is told, and nothing ends (regression 8)", func(t *testing.T) {
			wantError(t, revoke("other", issued.str("access_token")), 400, "unauthorized_client")
			require.Equal(t, true, w.introspect(issued.str("access_token")).body["active"])
		})
		t.Run("an unknown token is answered 200 (regression 8)", func(t *testing.T) {
			require.Equal(t, http.StatusOK, revoke("app", "nope").status)
		})
		t.Run("revoking one token ends the whole grant, twice without an error", func(t *testing.T) {
			require.Equal(t, http.StatusOK, revoke("app", issued.str("access_token")).status)
			require.Equal(t, http.StatusOK, revoke("app", issued.str("access_token")).status)
			require.Equal(t, false, w.introspect(issued.str("access_token")).body["active"])
			require.Equal(t, http.StatusUnauthorized, w.userinfo(issued.str("access_token")).status)
			wantError(t, w.refresh("app", issued.str("refresh_token")), 400, "invalid_grant")
		})
		t.Run("a client that does not authenticate is refused", func(t *testing.T) {
			wantError(t, revoke("", "nope"), 401, "invalid_client")
		})
	})
}

func TestUserinfo(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	refresh, _ := w.session(t, "app", "openid", "email", "profile", "offline_access")
	issued := w.refresh("app", refresh)
	access := issued.str("access_token")

	t.Run("the scopes decide which claims are told", func(t *testing.T) {
		a := w.userinfo(access)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.Equal(t, w.alice, a.str("sub"))
		require.Equal(t, "alice@example.com", a.str("email"))
		require.Equal(t, true, a.body["email_verified"])
		require.Equal(t, "Alice", a.str("given_name"))
		require.Equal(t, "alice", a.str("preferred_username"))
		require.NotContains(t, a.body, "phone_number")
		require.NotContains(t, a.body, "secret_note")
	})
	t.Run("a POST body may carry the token", func(t *testing.T) {
		a := w.post("/oauth2/userinfo", "", url.Values{"access_token": {access}})
		require.Equal(t, http.StatusOK, a.status, a.raw)
	})
	t.Run("the query may not, and without a token there is no error code", func(t *testing.T) {
		a := w.do(httptest.NewRequest(http.MethodGet, "/tenant/oauth2/userinfo?access_token="+access, nil))
		require.Equal(t, http.StatusUnauthorized, a.status)
		require.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
		require.Empty(t, a.raw)
	})
	t.Run("two tokens are refused", func(t *testing.T) {
		r := httptest.NewRequest(http.MethodPost, "/tenant/oauth2/userinfo", strings.NewReader("access_token="+access))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "Bearer "+access)
		wantError(t, w.do(r), 400, "invalid_request")
	})
	t.Run("a refresh token is refused at userinfo (regression 9)", func(t *testing.T) {
		a := w.userinfo(issued.str("refresh_token"))
		wantError(t, a, 401, "invalid_token")
		require.Contains(t, a.header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`)
	})
	t.Run("an ID token is refused at userinfo", func(t *testing.T) {
		wantError(t, w.userinfo(issued.str("id_token")), 401, "invalid_token")
	})
	t.Run("a client's own token has no person behind it", func(t *testing.T) {
		own := w.post("/oauth2/token", "app", url.Values{"grant_type": {"client_credentials"}}).str("access_token")
		wantError(t, w.userinfo(own), 401, "invalid_token")
	})
	t.Run("an expired token is invalid_token", func(t *testing.T) {
		w.clock.add(15 * time.Minute)
		wantError(t, w.userinfo(access), 401, "invalid_token")
	})
	t.Run("a deleted user's token is invalid_token", func(t *testing.T) {
		next := w.refresh("app", issued.str("refresh_token")).str("access_token")
		require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusDeleted))
		wantError(t, w.userinfo(next), 401, "invalid_token")
	})
}

func TestDiscovery(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	get := func(path, etag string) answer {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.Header.Set("If-None-Match", etag)
		return w.do(r)
	}
	t.Run("both documents are where their RFCs put them and name what exists", func(t *testing.T) {
		for _, path := range []string{
			"/tenant/.well-known/openid-configuration",
			"/tenant/.well-known/oauth-authorization-server",
			"/.well-known/oauth-authorization-server/tenant",
		} {
			a := get(path, "")
			require.Equal(t, http.StatusOK, a.status, path)
			require.Equal(t, issuer, a.str("issuer"))
			require.Equal(t, []any{"authorization_code", "client_credentials", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code", exchangeGrant, bearerGrant}, a.body["grant_types_supported"])
			require.Equal(t, []any{"code"}, a.body["response_types_supported"])
			require.Equal(t, []any{"S256"}, a.body["code_challenge_methods_supported"])
			for _, absent := range []string{"registration_endpoint", "authorization_details_types_supported"} {
				require.NotContains(t, a.body, absent)
			}
			require.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
			require.Contains(t, a.header.Get("Cache-Control"), "max-age=300")
			require.Equal(t, http.StatusNotModified, get(path, a.header.Get("ETag")).status)
		}
	})
	t.Run("every endpoint that is named answers", func(t *testing.T) {
		a := get("/tenant/.well-known/openid-configuration", "")
		for name, v := range a.body {
			at, ok := v.(string)
			if !ok || name == "issuer" {
				continue
			}
			u, err := url.Parse(at)
			require.NoError(t, err)
			require.NotEqual(t, http.StatusNotFound, get(u.Path, "").status, name)
		}
	})
	t.Run("the key set has public parts only, under distinct kids", func(t *testing.T) {
		a := get("/tenant/oauth2/jwks", "")
		var set struct{ Keys []map[string]any }
		require.NoError(t, json.Unmarshal([]byte(a.raw), &set))
		require.Len(t, set.Keys, 2)
		seen := map[any]bool{}
		for _, k := range set.Keys {
			require.False(t, seen[k["kid"]])
			seen[k["kid"]] = true
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
				require.NotContains(t, k, private)
			}
		}
	})
	t.Run("POST is not allowed", func(t *testing.T) {
		a := w.do(httptest.NewRequest(http.MethodPost, "/tenant/oauth2/jwks", nil))
		require.Equal(t, http.StatusMethodNotAllowed, a.status)
		require.Equal(t, "GET, HEAD", a.header.Get("Allow"))
	})
}
