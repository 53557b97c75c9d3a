package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

// appCallback is where nobody listens: browsers stop before it.
const appCallback = "http://127.0.0.1:8765/callback"

// visitsApp signs alice in at Example Corp for an app that wants to refresh, and
// returns its tokens.
func (d *demo) visitsApp(t *testing.T, s *surfer) map[string]any {
	t.Helper()
	code := ""
	s.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), appCallback) {
			code = r.URL.Query().Get("code")
			return http.ErrUseLastResponse
		}
		return nil
	}
	s.open(d.URL + "/oauth2/authorize?" + url.Values{
		"client_id": {"demo-web"}, "response_type": {"code"}, "redirect_uri": {appCallback}, "scope": {"openid email offline_access"},
		"connector": {"corp"}, "state": {"a-state-of-the-app"},
	}.Encode())
	if strings.HasPrefix(s.at, d.URL+"/corp/login") {
		s.signsInAtCorp(d)
	}
	if s.recovery != "" {
		s.submit("recovery-form", "code", s.recovery)
	}
	if strings.HasPrefix(s.at, d.URL+"/consent") {
		s.submit("consent-form", "decision", "allow")
	}
	require.NotEmpty(t, code, "at %s:\n%s", s.at, s.page)
	status, answer := d.tokenCall(t, url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {appCallback}})
	require.Equal(t, http.StatusOK, status, answer)
	return answer
}

func (d *demo) tokenCall(t *testing.T, form url.Values) (int, map[string]any) {
	t.Helper()
	form.Set("client_id", "demo-web")
	form.Set("client_secret", "demo-web-secret-6f1d8f0c2a9b4e7d")
	status, _, body := d.post(t, "/oauth2/token", form.Encode())
	answer := map[string]any{}
	require.NoError(t, json.Unmarshal(body, &answer))
	return status, answer
}

func (d *demo) refreshes(t *testing.T, tokens map[string]any) (int, map[string]any) {
	t.Helper()
	token, _ := tokens["refresh_token"].(string)
	return d.tokenCall(t, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
}

// isSignedIn reports whether the browser sees an account page of a provider.
func (s *surfer) isSignedIn(base string) bool {
	s.Helper()
	s.open(base + "/account")
	return strings.HasPrefix(s.at, base+"/account")
}

// disable disables alice at Example Corp.
func (d *demo) disableAtCorp(t *testing.T, to identity.Status) {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{DSN: filepath.Join(d.Dir, "corp", "keyway.db"), SealKey: make([]byte, 32), Now: time.Now})
	require.NoError(t, err)
	defer db.Close() //nolint:errcheck // what was written is written
	l, err := db.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	require.NoError(t, db.SetStatus(t.Context(), l.User.Subject, to))
}

// TestLifeAfterSigningInAtAnotherKeyway is what becomes of somebody who came from a
// second provider of the same make, over HTTP.
func TestLifeAfterSigningInAtAnotherKeyway(t *testing.T) {
	d := startDemo(t)
	t.Run("who signs out here is taken to sign out there, and back to the app", func(t *testing.T) {
		s := newSurfer(t)
		s.open(d.URL + "/demo/login")
		s.submit("upstream-form", "connector", "corp")
		s.signsInAtCorp(d)
		if strings.HasPrefix(s.at, d.URL+"/consent") {
			s.submit("consent-form", "decision", "allow")
		}
		require.True(t, s.isSignedIn(d.URL+"/corp"))
		s.open(d.URL + "/demo/logout")
		s.isAt(d.URL + "/demo")
		require.False(t, s.isSignedIn(d.URL))
		require.False(t, s.isSignedIn(d.URL+"/corp"))
	})
	t.Run("who signs out there is signed out here by the back channel", func(t *testing.T) {
		s := newSurfer(t)
		d.visitsApp(t, s)
		require.True(t, s.isSignedIn(d.URL))
		s.open(d.URL + "/corp/oauth2/logout")
		s.submit("logout-form", "decision", "logout")
		require.Eventually(t, func() bool { return !s.isSignedIn(d.URL) }, 20*time.Second, 100*time.Millisecond)
	})
	t.Run("a refresh asks there, and goes on", func(t *testing.T) {
		s := newSurfer(t)
		tokens := d.visitsApp(t, s)
		for range 2 { // so that the second uses the refresh token that the first one got there
			time.Sleep(demoRecheck + 100*time.Millisecond)
			status, next := d.refreshes(t, tokens)
			require.Equal(t, http.StatusOK, status, next)
			tokens = next
		}
		require.True(t, s.isSignedIn(d.URL))
		d.disableAtCorp(t, identity.StatusDisabled)
		require.Eventually(t, func() bool { return !s.isSignedIn(d.URL) }, 20*time.Second, 100*time.Millisecond)
		require.Eventually(t, func() bool {
			status, next := d.refreshes(t, tokens)
			if status != http.StatusOK {
				require.Equal(t, []any{http.StatusBadRequest, "invalid_grant"}, []any{status, next["error"]})
				return true
			}
			tokens = next
			return false
		}, 20*time.Second, time.Second)
		access, _ := tokens["access_token"].(string)
		require.Equal(t, false, d.introspect(t, access)["active"])
		d.disableAtCorp(t, identity.StatusActive)
		d.visitsApp(t, newSurfer(t))
	})
	require.Subset(t, d.upstreamEvents(t), []string{"upstream_logout", "upstream_ended"})
}

func TestWhoWasRefusedAtTheUpstreamIsShownSo(t *testing.T) {
	keyway, dir := linksProgram(t)
	db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(dir, "keyway.db"), SealKey: make([]byte, 32), Now: time.Now})
	require.NoError(t, err)
	l, err := db.FindLogin(t.Context(), "default", "zoe")
	require.NoError(t, err)
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	require.NoError(t, db.AddLink(t.Context(), &identity.Link{
		Connector: "corp", Issuer: "https://corp.example", UpstreamSubject: "z1", Subject: l.User.Subject, Origin: identity.LinkProved, LinkedAt: at, RefusedAt: at,
	}))
	require.NoError(t, db.Close())
	code, stdout, stderr := keyway("users", "show", "zoe")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "corp z1, proved at 2026-11-29T12:00:00Z, refused there since 2026-11-29T12:00:00Z")
}
