package provider_test

import (
	"encoding/base64"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func decodeSegment(t *testing.T, s string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	require.NoError(t, err)
	return string(b)
}

func TestRefresh(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		t.Run("a refresh gives an access token, a successor and an ID token", func(t *testing.T) {
			token, _ := w.session(t, "app")
			a := w.refresh("app", token)
			require.Equal(t, http.StatusOK, a.status, a.raw)
			require.NotEqual(t, token, a.str("refresh_token"))
			require.Equal(t, http.StatusOK, w.userinfo(a.str("access_token")).status)
			claims, err := w.Decode(t.Context(), a.str("id_token"))
			require.NoError(t, err)
			require.Equal(t, w.alice, claims["sub"])
			require.NotEmpty(t, claims["at_hash"])
			require.NotEmpty(t, claims["auth_time"])
			again := w.refresh("app", a.str("refresh_token"))
			require.Equal(t, http.StatusOK, again.status, again.raw)
			require.Equal(t, http.StatusUnauthorized, w.userinfo(a.str("access_token")).status, "the paired access token ends")
		})
		t.Run("a used refresh token presented by another client is rejected and the family untouched (CVE-2026-55672, regression 4)", func(t *testing.T) {
			token, _ := w.session(t, "app")
			next := w.refresh("app", token).str("refresh_token")
			w.clock.add(time.Minute)
			wantError(t, w.refresh("other", token), 400, "invalid_grant")
			require.Equal(t, http.StatusOK, w.refresh("app", next).status)
		})
		t.Run("a retry within the grace window yields the same successor", func(t *testing.T) {
			token, _ := w.session(t, "app")
			first := w.refresh("app", token)
			w.clock.add(5 * time.Second)
			second := w.refresh("app", token)
			require.Equal(t, http.StatusOK, second.status, second.raw)
			require.Equal(t, first.str("refresh_token"), second.str("refresh_token"))
			require.Equal(t, http.StatusUnauthorized, w.userinfo(first.str("access_token")).status, "one access token at a time")
			require.Equal(t, http.StatusOK, w.userinfo(second.str("access_token")).status)
			events, err := w.store.ListEvents(t.Context(), store.EventQuery{Kind: "refresh_repeated"})
			require.NoError(t, err)
			require.Len(t, events, 1)
			require.Equal(t, w.alice, events[0].Subject)
			require.NotEmpty(t, events[0].RequestID)
		})
		t.Run("a fourth presentation within the grace window revokes the family", func(t *testing.T) {
			token, _ := w.session(t, "app")
			var last answer
			for range 3 {
				last = w.refresh("app", token)
				require.Equal(t, http.StatusOK, last.status, last.raw)
			}
			wantError(t, w.refresh("app", token), 400, "invalid_grant")
			require.Equal(t, false, w.introspect(last.str("access_token")).body["active"])
			require.Equal(t, "refresh_token_reuse", w.token(t, token).Grant.RevokeReason)
		})
		t.Run("parallel refreshes inside the grace window agree on one successor (CVE-2026-1035, regression 5)", func(t *testing.T) {
			token, grant := w.session(t, "app")
			got := parallel(3, func() answer { return w.refresh("app", token) })
			for _, a := range got {
				require.Equal(t, http.StatusOK, a.status, a.raw)
				require.Equal(t, got[0].str("refresh_token"), a.str("refresh_token"))
			}
			require.Equal(t, grant, w.token(t, got[0].str("refresh_token")).Grant.ID)
		})
		t.Run("reuse outside the grace window revokes the family (regression 5)", func(t *testing.T) {
			token, _ := w.session(t, "app")
			a := w.refresh("app", token)
			w.clock.add(10 * time.Second)
			wantError(t, w.refresh("app", token), 400, "invalid_grant")
			wantError(t, w.refresh("app", a.str("refresh_token")), 400, "invalid_grant")
			require.Equal(t, false, w.introspect(a.str("access_token")).body["active"])
			require.Equal(t, "refresh_token_reuse", w.token(t, token).Grant.RevokeReason)
		})
		t.Run("a retry after the successor was used revokes the family", func(t *testing.T) {
			token, _ := w.session(t, "app")
			a := w.refresh("app", w.refresh("app", token).str("refresh_token"))
			wantError(t, w.refresh("app", token), 400, "invalid_grant")
			require.Equal(t, false, w.introspect(a.str("access_token")).body["active"])
		})
		t.Run("a narrowed scope does not shrink the refresh token (regression 5)", func(t *testing.T) {
			token, _ := w.session(t, "app")
			a := w.refresh("app", token, "scope", "read")
			require.Equal(t, "read", a.str("scope"))
			require.NotContains(t, a.body, "id_token")
			require.Equal(t, "read", w.introspect(a.str("access_token")).str("scope"))
			wantError(t, w.userinfo(a.str("access_token")), 403, "insufficient_scope")
			require.Equal(t, "openid email offline_access read", w.refresh("app", a.str("refresh_token")).str("scope"))
		})
		t.Run("a wider scope is invalid_scope and leaves the token good", func(t *testing.T) {
			token, _ := w.session(t, "app")
			wantError(t, w.refresh("app", token, "scope", "read write"), 400, "invalid_scope")
			require.Equal(t, http.StatusOK, w.refresh("app", token).status)
		})
		t.Run("a chain ends at its greatest age (regression 5)", func(t *testing.T) {
			token, _ := w.session(t, "app")
			for range 3 {
				w.clock.add(29 * 24 * time.Hour)
				a := w.refresh("app", token)
				require.Equal(t, http.StatusOK, a.status, a.raw)
				token = a.str("refresh_token")
			}
			require.Equal(t, 3*24*time.Hour, w.token(t, token).Token.ExpiresAt.Sub(w.clock.Now()))
			w.clock.add(3 * 24 * time.Hour)
			wantError(t, w.refresh("app", token), 400, "invalid_grant")
		})
		t.Run("an access token is no refresh token", func(t *testing.T) {
			token, _ := w.session(t, "app")
			wantError(t, w.refresh("app", w.refresh("app", token).str("access_token")), 400, "invalid_grant")
		})
		t.Run("a disabled user cannot refresh (CVE-2026-43983)", func(t *testing.T) {
			token, _ := w.session(t, "app")
			access := w.refresh("app", token)
			require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusDisabled))
			wantError(t, w.refresh("app", access.str("refresh_token")), 400, "invalid_grant")
			wantError(t, w.userinfo(access.str("access_token")), 401, "invalid_token")
			require.Equal(t, false, w.introspect(access.str("access_token")).body["active"])
		})
	})
}

func TestRefreshWithoutGrace(t *testing.T) {
	onEach(t, testRefreshWithoutGrace, func(o *provider.Options) { o.Lifetimes.RefreshGrace = -1 })
}

func testRefreshWithoutGrace(t *testing.T, w *world) {
	t.Run("of parallel refreshes outside any grace one wins and the family ends (CVE-2026-1035, CVE-2022-3916)", func(t *testing.T) {
		token, _ := w.session(t, "app")
		won := 0
		for _, a := range parallel(20, func() answer { return w.refresh("app", token) }) {
			if a.status == http.StatusOK {
				won++
			} else {
				wantError(t, a, 400, "invalid_grant")
			}
		}
		require.Equal(t, 1, won)
		require.False(t, w.token(t, token).Grant.RevokedAt.IsZero())
	})
	t.Run("a refresh whose ID token fails leaves the refresh token good (regression 3)", func(t *testing.T) {
		token, _ := w.sessionOf(t, "app", &provider.Session{ClientID: "app"}) // no subject: no ID token can be made
		wantError(t, w.refresh("app", token), 500, "server_error")
		require.False(t, w.token(t, token).Token.Used)
		require.Equal(t, http.StatusOK, w.refresh("app", token, "scope", "read").status)
	})
	t.Run("revocation racing rotation leaves no token alive (regression 6)", func(t *testing.T) {
		for range 10 {
			token, grant := w.session(t, "app")
			got := make(chan answer, 1)
			go func() { got <- w.refresh("app", token) }()
			_, err := w.store.Revoke(t.Context(), provider.RevokeQuery{GrantID: grant, Reason: "test", At: w.clock.Now()})
			require.NoError(t, err)
			if a := <-got; a.status == http.StatusOK {
				require.Equal(t, false, w.introspect(a.str("access_token")).body["active"])
				wantError(t, w.refresh("app", a.str("refresh_token")), 400, "invalid_grant")
			}
		}
	})
}

// parallel calls f n times at once.
func parallel(n int, f func() answer) []answer {
	out := make([]answer, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { out[i] = f() })
	}
	wg.Wait()
	return out
}
