package provider_test

import (
	"net/http"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

// wantOutage is the answer of an endpoint whose storage is away.
func wantOutage(t *testing.T, a answer) {
	t.Helper()
	wantError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
	require.NotEmpty(t, a.header.Get("Retry-After"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
}

// outage checks every path while the storage is away: never invalid_client,
// active:false or 200.
func outage(t *testing.T, w *world, access, refresh string) {
	t.Helper()
	credentials := url.Values{"grant_type": {"client_credentials"}}
	token := url.Values{"token": {access}}
	for name, ask := range map[string]func() answer{
		"token":                        func() answer { return w.post("/oauth2/token", "app", credentials) },
		"refresh":                      func() answer { return w.refresh("app", refresh) },
		"introspection":                func() answer { return w.introspect(access) },
		"revocation (CVE-2020-15223)":  func() answer { return w.post("/oauth2/revoke", "app", token) },
		"userinfo":                     func() answer { return w.userinfo(access) },
		"device authorization":         func() answer { return w.beginWith("tv") },
		"the poll of a device":         func() answer { return w.poll("tv", answer{body: map[string]any{"device_code": "x"}}) },
		"an unknown client at token":   func() answer { return w.post("/oauth2/token", "spa", credentials) },
		"an unknown client at revoke":  func() answer { return w.post("/oauth2/revoke", "spa", token) },
		"an unknown token at userinfo": func() answer { return w.userinfo("nope") },
	} {
		t.Run(name+" says 503 (regression 7)", func(t *testing.T) { wantOutage(t, ask()) })
	}
	t.Run("a person is shown a page that says 503", func(t *testing.T) {
		b := w.newBrowser()
		b.cookies["__Host-keyway_session-tenant"] = &http.Cookie{Name: "__Host-keyway_session-tenant", Value: "x"}
		for _, path := range []string{"/oauth2/authorize?client_id=nobody-yet", "/oauth2/authorize?interaction=x", "/login?interaction=x", "/account", "/oauth2/logout", "/device", "/device?interaction=x"} {
			a := b.get(issuer + path)
			wantPage(t, a, http.StatusServiceUnavailable)
			require.NotEmpty(t, a.header.Get("Retry-After"))
		}
	})
	t.Run("a legacy login and its token are unavailable", func(t *testing.T) {
		_, err := w.GrantPassword(t.Context(), login())
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
		_, err = w.InspectGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: access})
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(w.RevokeGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: access})))
		_, _, err = w.LookupUser(t.Context(), provider.UserQuery{Directory: "default", Username: "alice"})
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
		require.Error(t, w.Ready(t.Context()))
	})
}

func TestStorageDown(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		w := newWorld(t, storetest.SQLite(t))
		w.seedDevices(t)
		refresh, _ := w.session(t, "app")
		issued := w.refresh("app", refresh)
		for _, id := range []string{"app", "api"} { // known before the outage, so that it is not the client that fails
			w.post("/oauth2/introspect", id, url.Values{"token": {"x"}})
		}
		require.NoError(t, w.store.Close())
		outage(t, w, issued.str("access_token"), issued.str("refresh_token"))
		w.clock.add(time.Minute)
		t.Run("with nothing cached", func(t *testing.T) { outage(t, w, issued.str("access_token"), issued.str("refresh_token")) })
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		server := storetest.StartServer(t)
		w := newWorld(t, server.DSN("postgres"))
		w.seedDevices(t)
		refresh, _ := w.session(t, "app")
		issued := w.refresh("app", refresh)
		w.introspect("x")
		server.Stop()
		outage(t, w, issued.str("access_token"), issued.str("refresh_token"))
		require.NoError(t, server.Start())
		t.Run("it recovers by itself, and the refresh token is still good", func(t *testing.T) {
			require.Equal(t, http.StatusOK, w.userinfo(issued.str("access_token")).status)
			require.Equal(t, http.StatusOK, w.refresh("app", issued.str("refresh_token")).status)
		})
	})
}

// TestColdStart is regression 15, for the race detector: the first requests come at once.
func TestColdStart(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	sessions := make(chan string, 8) // each refresh its own
	for range cap(sessions) {
		token, _ := w.session(t, "app")
		sessions <- token
	}
	w.start(t)
	access := w.post("/oauth2/token", "jwt", url.Values{"grant_type": {"client_credentials"}}).str("access_token")
	w.start(t)
	asks := []func() answer{
		func() answer { return w.post("/oauth2/token", "app", url.Values{"grant_type": {"client_credentials"}}) },
		func() answer { return w.post("/oauth2/token", "jwt", url.Values{"grant_type": {"client_credentials"}}) },
		func() answer { return w.refresh("app", <-sessions) },
		func() answer { return w.introspect(access) },
		func() answer { _ = w.Reload(t.Context()); return w.introspect(access) },
		func() answer { _, err := w.GrantPassword(t.Context(), login()); return answer{status: statusOf(err)} },
	}
	var turn atomic.Int32
	for _, a := range parallel(48, func() answer { return asks[int(turn.Add(1))%len(asks)]() }) {
		require.Equal(t, http.StatusOK, a.status, a.raw)
	}
}

func statusOf(err error) int {
	if err != nil {
		return http.StatusInternalServerError
	}
	return http.StatusOK
}
