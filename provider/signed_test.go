package provider_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/store/storetest"
)

// alter changes a client that is there.
func (w *world) alter(t *testing.T, id string, change func(c *provider.Client)) {
	t.Helper()
	c, err := w.store.FindClient(t.Context(), id)
	require.NoError(t, err)
	altered := *c
	change(&altered)
	require.NoError(t, w.SaveClient(t.Context(), &altered))
}

func TestSignedUserinfo(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	w.alter(t, "web", func(c *provider.Client) { c.UserinfoAlg = "ES256" })
	b := w.newBrowser()
	a := w.userinfo(b.tokens(t, "web", "scope", "openid email").str("access_token"))
	require.Equal(t, http.StatusOK, a.status)
	require.Equal(t, "application/jwt", a.header.Get("Content-Type"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Equal(t, "ES256", header(t, a.raw)["alg"])
	claims, err := w.Decode(t.Context(), a.raw)
	require.NoError(t, err)
	require.Equal(t, issuer, claims["iss"])
	require.Equal(t, "web", claims["aud"])
	require.Equal(t, w.alice, claims["sub"])
	require.Equal(t, "alice@example.com", claims["email"])
	wantPage(t, b.get(issuer+"/oauth2/logout?id_token_hint="+a.raw), http.StatusBadRequest)
	require.Error(t, w.SaveClient(t.Context(), &provider.Client{ID: "x", AuthMethod: provider.AuthNone, UserinfoAlg: "none"}))
}

func TestSignedIntrospection(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	token := w.machine("app").str("access_token")
	ask := func(accept, token string) answer {
		return w.postWith("/oauth2/introspect", "api", url.Values{"token": {token}}, "Accept", accept)
	}
	const media = "application/token-introspection+jwt"
	read := func(a answer) (claims, about map[string]any) {
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.Equal(t, media, a.header.Get("Content-Type"))
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		claims, err := w.Decode(t.Context(), a.raw)
		require.NoError(t, err)
		about, _ = claims["token_introspection"].(map[string]any)
		return claims, about
	}
	a := ask(media, token)
	claims, about := read(a)
	require.Equal(t, "token-introspection+jwt", header(t, a.raw)["typ"])
	require.Equal(t, "RS256", header(t, a.raw)["alg"])
	require.Equal(t, issuer, claims["iss"])
	require.Equal(t, "api", claims["aud"])
	require.EqualValues(t, w.clock.Now().Unix(), claims["iat"])
	require.NotContains(t, claims, "sub", "it is no access token (RFC 9701, section 8.1)")
	require.NotContains(t, claims, "exp")
	require.Equal(t, true, about["active"])
	require.Equal(t, "app", about["client_id"])
	require.Equal(t, http.StatusUnauthorized, w.userinfo(a.raw).status)

	_, about = read(ask("text/html, "+media+";q=0.5", "unknown"))
	require.Equal(t, map[string]any{"active": false}, about)
	w.alter(t, "api", func(c *provider.Client) { c.IntrospectionAlg = "ES256" })
	require.Equal(t, "ES256", header(t, ask(media, token).raw)["alg"])
	for _, accept := range []string{"", "*/*", "application/json", "application/token-introspection", ";;"} {
		plain := ask(accept, token)
		require.Contains(t, plain.header.Get("Content-Type"), "application/json", accept)
		require.True(t, json.Valid([]byte(plain.raw)))
	}
	wantError(t, w.postWith("/oauth2/introspect", "spa", url.Values{"token": {token}}, "Accept", media), http.StatusUnauthorized, "invalid_client")
}

func TestBrowsersOfClientsMayCall(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	w.alter(t, "web-post", func(c *provider.Client) { c.AllowedCORSOrigins = []string{"https://pages.example.com"} })
	w.clock.add(w.options.Lifetimes.ClientCache)
	call := func(method, path, origin string) answer {
		r := httptest.NewRequest(method, "/tenant"+path, nil)
		r.Header.Set("Origin", origin)
		r.Header.Set("Access-Control-Request-Method", http.MethodPost)
		return w.do(r)
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/revoke", "/oauth2/userinfo"} {
		for _, origin := range []string{"https://narrow.example.com", "https://pages.example.com", "http://127.0.0.1", "http://[::1]:8080"} {
			preflight := call(http.MethodOptions, path, origin)
			require.Equal(t, http.StatusNoContent, preflight.status, path)
			require.Equal(t, origin, preflight.header.Get("Access-Control-Allow-Origin"))
			require.Equal(t, "Authorization, Content-Type, DPoP", preflight.header.Get("Access-Control-Allow-Headers"))
			a := call(http.MethodPost, path, origin)
			require.GreaterOrEqual(t, a.status, 400)
			require.Equal(t, origin, a.header.Get("Access-Control-Allow-Origin"), "an error is to be read as well")
			require.Contains(t, a.header.Get("Access-Control-Expose-Headers"), "DPoP-Nonce")
		}
		for _, origin := range []string{"https://app.example.com", "https://evil.example", "null", "com.example.app"} {
			for _, method := range []string{http.MethodOptions, http.MethodPost} {
				a := call(method, path, origin)
				require.Empty(t, a.header.Get("Access-Control-Allow-Origin"), "%s %s", path, origin)
				require.Empty(t, a.header.Get("Access-Control-Allow-Credentials"))
				require.Equal(t, "Origin", a.header.Get("Vary"))
			}
		}
	}
	for _, path := range []string{"/oauth2/introspect", "/oauth2/authorize", "/login"} {
		require.Empty(t, call(http.MethodOptions, path, "https://narrow.example.com").header.Get("Access-Control-Allow-Origin"), path)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/oauth2/jwks"} {
		require.Equal(t, "*", call(http.MethodOptions, path, "https://anybody.example").header.Get("Access-Control-Allow-Origin"), path)
		require.Equal(t, http.StatusNoContent, call(http.MethodOptions, path, "https://anybody.example").status)
	}
	w.alter(t, "narrow", func(c *provider.Client) { c.Disabled = true })
	w.clock.add(w.options.Lifetimes.ClientCache + 1e10)
	require.Empty(t, call(http.MethodPost, "/oauth2/token", "https://narrow.example.com").header.Get("Access-Control-Allow-Origin"))
}
