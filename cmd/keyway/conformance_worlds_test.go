package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/provider/identity"
	"keyway/provider/store"
)

// TestTheSamePersonInBothWorlds signs in through every legacy call and through
// the pages: one subject, one audit trail, one lockout counter, and one "sign
// out everywhere".
func TestTheSamePersonInBothWorlds(t *testing.T) {
	s := startSite(t, func(c *config.Config) { c.Systems = demoSystems(c.Issuer) })
	for _, l := range legacyLogins() {
		s.row(t, l.system+": one subject and one audit trail", func(v *visitor) { oneSubject(v, l) })
		s.row(t, l.system+": one lockout counter", func(v *visitor) { oneCounter(v, l) })
		s.row(t, l.system+": one sign out everywhere", func(v *visitor) { oneSignOut(v, l) })
	}
}

// oldLogin is the legacy call, and the access token in its reply; "" where it
// has none. OSSN sets its cookie whether or not somebody is signed in.
func (v *visitor) oldLogin(l legacyLogin, password string) string {
	v.Helper()
	body := strings.ReplaceAll(l.body, "correct-horse", url.QueryEscape(password))
	req, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.site.URL+l.path, strings.NewReader(body))
	require.NoError(v, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	a := v.makes(req)
	require.Less(v, a.status, 501, a.body)
	token := l.token(a.header, []byte(a.body))
	if token != "" && v.introspects(token)["active"] != true {
		return ""
	}
	return token
}

func oneSubject(v *visitor, l legacyLogin) {
	begin := v.site.clock.Now().Add(-time.Millisecond)
	token := v.oldLogin(l, sitePassword)
	require.NotEmpty(v, token)
	subject := v.introspects(token)["sub"]
	require.Equal(v, subject, v.idToken("web", v.tokens("web"))["sub"])
	require.Equal(v, subject, v.userinfo(token).object["sub"])

	events, err := v.site.program.store.ListEvents(v.Context(), store.EventQuery{Subject: subject.(string), Kind: "login", After: begin})
	require.NoError(v, err)
	var from []string
	for _, e := range events {
		require.Equal(v, identity.Reason(""), e.Reason)
		require.Equal(v, "127.0.0.1", e.RemoteAddr)
		from = append(from, e.System+e.ClientID)
	}
	require.Equal(v, []string{l.system + "legacy-" + l.system, "web"}, from)
}

func oneCounter(v *visitor, l legacyLogin) {
	page := v.get(v.site.ask("web"))
	for range 2 { // of the four that lock
		require.Empty(v, v.oldLogin(l, "wrong"))
		require.True(v, v.submit(page, "username", "alice", "password", "wrong").has("login-error"))
	}
	require.Empty(v, v.oldLogin(l, sitePassword), "locked here")
	require.True(v, v.submit(page, "username", "alice", "password", sitePassword).has("login-error"), "and there")
	v.site.clock.advance(time.Hour)
	require.NotEmpty(v, v.oldLogin(l, sitePassword), "until the window has passed")
}

func oneSignOut(v *visitor, l legacyLogin) {
	token := v.oldLogin(l, sitePassword)
	app := v.tokens("web", "scope", "openid offline_access")
	other := v.site.visitor(v.T)
	other.tokens("web")
	require.Equal(v, true, v.introspects(token)["active"])

	_, values := v.get("/account").form(v.T)
	a := v.follow(v.send(http.MethodPost, "/account/signout-everywhere", url.Values{"csrf": {values.Get("csrf")}}))
	require.Equal(v, http.StatusOK, a.status, a.body)

	require.Equal(v, map[string]any{"active": false}, v.introspects(token))
	v.userinfo(token).fails(v.T, http.StatusUnauthorized, "invalid_token")
	v.userinfo(app.text("access_token")).fails(v.T, http.StatusUnauthorized, "invalid_token")
	v.refreshes("web", app.text("refresh_token")).fails(v.T, http.StatusBadRequest, "invalid_grant")
	for _, b := range []*visitor{v, other} {
		b.refused(b.get(v.site.ask("web", "prompt", "none")), "login_required")
	}
	if l.system == "faveo" {
		require.NotContains(v, v.get("/api/v1/authenticate/user?token="+url.QueryEscape(token)).body, l.good)
	}
	require.NotEqual(v, token, v.oldLogin(l, sitePassword), "a new login is a new token")
}
