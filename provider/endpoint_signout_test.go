package provider_test

import (
	"context"
	"crypto"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/outbound"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

// listener is where clients are told of sign-outs.
type listener struct {
	*httptest.Server
	mu   sync.Mutex
	told []url.Values // with the path as "path"
}

func newListener(t *testing.T) *listener {
	t.Helper()
	l := &listener{}
	l.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		r.PostForm.Set("path", r.Method+" "+r.URL.Path)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.told = append(l.told, r.PostForm)
	}))
	t.Cleanup(l.Close)
	return l
}

// take waits for n more notices, and returns what all said.
func (l *listener) take(t *testing.T, n int) []url.Values {
	t.Helper()
	var all []url.Values
	require.Eventually(t, func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.told) < n {
			return false
		}
		all, l.told = l.told, nil
		return true
	}, 20*time.Second, 10*time.Millisecond)
	require.Len(t, all, n)
	return all
}

// newTellingWorld is a world that runs, whose clients "web" and "native" are told.
func newTellingWorld(t *testing.T, dsn string) (*world, *listener) {
	t.Helper()
	calls, err := outbound.New(outbound.Options{AllowLoopback: true})
	require.NoError(t, err)
	w := newWorld(t, dsn, func(o *provider.Options) { o.Outbound = calls })
	w.seedApps(t)
	l := newListener(t)
	w.change(t, "web", func(c *provider.Client) { c.BackchannelLogoutURI = l.URL + "/web" })
	w.change(t, "native", func(c *provider.Client) {
		c.BackchannelLogoutURI, c.BackchannelLogoutSession, c.IDTokenAlg = l.URL+"/native", true, "ES256"
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	return w, l
}

func (w *world) change(t *testing.T, id string, f func(*provider.Client)) {
	t.Helper()
	c, err := w.store.FindClient(t.Context(), id)
	require.NoError(t, err)
	f(c)
	require.NoError(t, w.SaveClient(t.Context(), c))
}

// logoutToken verifies a notice as a relying party does.
func (w *world) logoutToken(t *testing.T, notice url.Values, client string) (*coreosoidc.LogoutToken, map[string]any) {
	t.Helper()
	var set jose.JSONWebKeySet
	require.NoError(t, json.Unmarshal([]byte(w.do(httptest.NewRequest(http.MethodGet, "/tenant/oauth2/jwks", nil)).raw), &set))
	static := &coreosoidc.StaticKeySet{}
	for _, k := range set.Keys {
		static.PublicKeys = append(static.PublicKeys, crypto.PublicKey(k.Key))
	}
	token := notice.Get("logout_token")
	verified, err := coreosoidc.NewVerifier(issuer, static, &coreosoidc.Config{
		ClientID: client, Now: w.clock.Now, SupportedSigningAlgs: []string{"RS256", "ES256"},
	}).VerifyLogout(t.Context(), token)
	require.NoError(t, err)
	return verified, header(t, token)
}

// TestBackChannelLogout is the rows of back-channel logout.
func TestBackChannelLogout(t *testing.T) {
	onDatabases(t, func(t *testing.T, dsn string) {
		w, l := newTellingWorld(t, dsn)
		t.Run("the metadata says that it is supported, with sid", func(t *testing.T) {
			a := w.do(httptest.NewRequest(http.MethodGet, "/tenant/.well-known/openid-configuration", nil))
			for _, name := range []string{"backchannel_logout_supported", "backchannel_logout_session_supported", "frontchannel_logout_supported", "frontchannel_logout_session_supported"} {
				require.Equal(t, true, a.body[name], name)
			}
		})
		t.Run("a logout by an app tells each client of the session, by a token of the right make", func(t *testing.T) {
			b := w.newBrowser()
			tokens := b.tokens(t, "web")
			b.tokens(t, "native")
			about := w.idToken(t, tokens)
			require.Equal(t, http.StatusOK, b.get(bye("id_token_hint", tokens.str("id_token"))).status)
			seen := map[string]bool{}
			for _, notice := range l.take(t, 2) {
				client := strings.TrimPrefix(notice.Get("path"), "POST /")
				said, head := w.logoutToken(t, notice, client)
				require.Equal(t, "logout+jwt", head["typ"])
				require.Equal(t, map[string]any{"web": "RS256", "native": "ES256"}[client], head["alg"])
				require.Equal(t, about["sub"], said.Subject)
				require.Equal(t, about["sid"], said.SessionID)
				require.Equal(t, []string{client}, said.Audience)
				require.NotEmpty(t, said.TokenID)
				require.LessOrEqual(t, said.Expiry.Sub(said.IssuedAt), 2*time.Minute)
				payload := payloadOf(t, notice.Get("logout_token"))
				require.NotContains(t, payload, "nonce")
				require.Equal(t, map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, payload["events"])
				require.Len(t, notice, 2, "the token and nothing else")
				seen[client] = true
			}
			require.Len(t, seen, 2)
			require.Equal(t, http.StatusUnauthorized, w.userinfo(tokens.str("access_token")).status)
		})
		t.Run("a logout token is no hint and no access token", func(t *testing.T) {
			b := w.newBrowser()
			b.get(bye("id_token_hint", b.tokens(t, "web").str("id_token")))
			token := l.take(t, 1)[0].Get("logout_token")
			wantPage(t, w.newBrowser().get(bye("id_token_hint", token)), http.StatusBadRequest)
			require.Equal(t, http.StatusUnauthorized, w.userinfo(token).status)
		})
		t.Run("another session that is ended takes its grants along, but for offline access", func(t *testing.T) {
			other, b := w.newBrowser(), w.newBrowser()
			online := other.tokens(t, "web", "scope", "openid")
			offline := other.tokens(t, "native", "scope", "openid offline_access")
			mine := b.tokens(t, "web", "scope", "openid")
			_, values := fields(t, b.get(issuer+"/account"))
			sid, _ := w.idToken(t, online)["sid"].(string)
			b.post(issuer+"/account/sessions/end", url.Values{"csrf": values["csrf"], "id": {sid}})
			for _, notice := range l.take(t, 2) {
				require.Equal(t, sid, payloadOf(t, notice.Get("logout_token"))["sid"])
			}
			require.Equal(t, http.StatusUnauthorized, w.userinfo(online.str("access_token")).status)
			require.Equal(t, http.StatusOK, w.userinfo(offline.str("access_token")).status)
			require.Equal(t, http.StatusOK, w.userinfo(mine.str("access_token")).status)
		})
		t.Run("signing out everywhere tells of all sessions at once", func(t *testing.T) {
			b := w.newBrowser()
			b.tokens(t, "web")
			_, values := fields(t, b.get(issuer+"/account"))
			b.post(issuer+"/account/signout-everywhere", url.Values{"csrf": values["csrf"]})
			all := l.take(t, 2) // native has the offline grant of before
			for _, notice := range all {
				if notice.Get("path") == "POST /web" {
					require.NotContains(t, payloadOf(t, notice.Get("logout_token")), "sid")
				}
			}
		})
		t.Run("a user who is disabled is signed out at once", func(t *testing.T) {
			b := w.newBrowser()
			tokens := b.tokens(t, "web")
			require.NoError(t, w.Directory(w.store).SetStatus(t.Context(), w.alice, identity.StatusDisabled))
			l.take(t, 1)
			require.True(t, isLogin(b.get(issuer+"/account")))
			require.Equal(t, http.StatusUnauthorized, w.userinfo(tokens.str("access_token")).status)
			require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusActive))
		})
		require.Eventually(t, func() bool {
			events, err := w.store.ListEvents(t.Context(), store.EventQuery{Kind: "logout_notice_delivered", Subject: w.alice})
			return err == nil && len(events) == 8 && events[0].ClientID != ""
		}, 10*time.Second, 10*time.Millisecond)
		require.NotContains(t, w.log.text(), "eyJ", "no token is logged")
	})
}

// TestFrontChannelLogout is the row of front-channel logout.
func TestFrontChannelLogout(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	const uri = "https://app.example.com/out?x=1"
	w.change(t, "web", func(c *provider.Client) { c.FrontchannelLogoutURI, c.FrontchannelLogoutSession = uri, true })
	frame := func(t *testing.T, a answer, sid any) {
		t.Helper()
		require.Equal(t, http.StatusOK, a.status, a.raw)
		text, _ := sid.(string)
		want := `src="` + uri + `&amp;iss=` + url.QueryEscape(issuer) + `&amp;sid=` + text + `"`
		require.Equal(t, 1, strings.Count(a.raw, "<iframe"), a.raw)
		require.Contains(t, a.raw, want)
		require.Contains(t, a.header.Get("Content-Security-Policy"), "; frame-src https://app.example.com/out")
		require.NotContains(t, a.header.Get("Content-Security-Policy"), "script-src")
	}
	t.Run("a logout by an app frames the client's URI, and goes on by itself", func(t *testing.T) {
		b := w.newBrowser()
		tokens := b.tokens(t, "web")
		a := b.get(bye("id_token_hint", tokens.str("id_token"), "post_logout_redirect_uri", farewell, "state", "s"))
		frame(t, a, w.idToken(t, tokens)["sid"])
		require.Contains(t, a.raw, `http-equiv="refresh" content="3;url=`+farewell+`?state=s"`)
		require.Contains(t, a.raw, `href="`+farewell+`?state=s"`)
		require.NotContains(t, b.cookies, "__Host-keyway_session-tenant")
	})
	t.Run("the account page does too, and ends there", func(t *testing.T) {
		for _, action := range []string{"signout", "signout-everywhere"} {
			b := w.newBrowser()
			sid := w.idToken(t, b.tokens(t, "web"))["sid"]
			_, values := fields(t, b.get(issuer+"/account"))
			a := b.post(issuer+"/account/"+action, url.Values{"csrf": values["csrf"]})
			frame(t, a, sid)
			require.NotContains(t, a.raw, "refresh")
			require.NotContains(t, b.cookies, "__Host-keyway_session-tenant")
		}
	})
	t.Run("a client that the person did not come to is not framed", func(t *testing.T) {
		b := w.newBrowser()
		tokens := b.tokens(t, "native")
		a := b.get(bye("id_token_hint", tokens.str("id_token")))
		require.NotContains(t, a.raw, "<iframe")
		require.NotContains(t, a.header.Get("Content-Security-Policy"), "frame-src")
	})
	t.Run("nobody is told where nothing is called, and the metadata says so", func(t *testing.T) {
		a := w.do(httptest.NewRequest(http.MethodGet, "/tenant/.well-known/openid-configuration", nil))
		require.Equal(t, false, a.body["backchannel_logout_supported"])
	})
}

// TestLogoutURIs are those that a client may have.
func TestLogoutURIs(t *testing.T) {
	good := provider.Client{
		ID: "c", AuthMethod: provider.AuthNone, GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{"https://app.example.com:8443/cb"},
		BackchannelLogoutURI: "https://elsewhere.example.com/out", FrontchannelLogoutURI: "https://app.example.com:8443/out",
	}
	require.NoError(t, good.Check())
	for _, uri := range []string{"http://app.example.com/out", "https://app.example.com/out#x", "com.example.app:/out", "https://u@app.example.com/out", "javascript:alert(1)", "https://app.example.com:8443/a;b", "/out"} {
		back, front := good, good
		back.BackchannelLogoutURI, front.FrontchannelLogoutURI = uri, uri
		require.ErrorContains(t, back.Check(), "backchannel_logout_uri", uri)
		require.ErrorContains(t, front.Check(), "frontchannel_logout_uri", uri)
	}
	for _, uri := range []string{"https://app.example.com/out", "https://app.example.com:9443/out", "https://other.example.com:8443/out"} {
		c := good
		c.FrontchannelLogoutURI = uri
		require.ErrorContains(t, c.Check(), "redirect URI", uri)
	}
}

// payloadOf reads a token's claims.
func payloadOf(t *testing.T, token string) map[string]any {
	t.Helper()
	jws, err := jose.ParseSigned(token)
	require.NoError(t, err)
	var claims map[string]any
	require.NoError(t, json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claims))
	return claims
}

// onDatabases runs a test on an empty database of each kind.
func onDatabases(t *testing.T, f func(t *testing.T, dsn string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, storetest.SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, storetest.Postgres(t)) })
}

// TestChangePassword is the account page's form, and what follows from it in both
// worlds.
func TestChangePassword(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		const fresh = "battery staple canary <&>"
		b, other := w.newBrowser(), w.newBrowser()
		mine, theirs := b.tokens(t, "web"), other.tokens(t, "native", "scope", "openid offline_access")
		legacy, err := w.GrantPassword(t.Context(), login())
		require.NoError(t, err)
		change := func(current, fresh string, more ...string) answer {
			_, values := fields(t, b.get(issuer+"/account"))
			form := url.Values{"csrf": values["csrf"], "current": {current}, "new": {fresh}}
			for _, name := range more {
				form.Set(name, "1")
			}
			return b.post(issuer+"/account/password", form)
		}
		page := b.get(issuer + "/account")
		require.Contains(t, page.raw, `id="password-form"`)
		for name, x := range map[string][3]string{
			"a wrong password":      {"wrong", fresh, "until now is wrong"},
			"a common new password": {password, "Password1!", "would be guessed"},
			"a short new password":  {password, "short", "8 characters or more"},
			"the same password":     {password, password, "the one that you have"},
			"the login name":        {password, "alice@example.com", "your own name"},
		} {
			a := change(x[0], x[1], "end_others")
			require.Equal(t, http.StatusBadRequest, a.status, name)
			require.Contains(t, a.raw, x[2], name)
			require.Contains(t, a.raw, `role="alert"`, name)
			require.NotContains(t, a.raw, "canary", name)
		}
		require.Equal(t, http.StatusOK, w.userinfo(legacy.AccessToken).status)
		wantPage(t, b.post(issuer+"/account/password", url.Values{"current": {password}, "new": {fresh}}), http.StatusForbidden)
		wantPage(t, b.send(http.MethodGet, issuer+"/account/password", nil), http.StatusMethodNotAllowed)

		a := change(password, fresh, "end_others")
		require.Contains(t, b.last, "notice=password_changed")
		require.Contains(t, a.raw, "in your old apps too")
		require.Equal(t, http.StatusOK, w.userinfo(mine.str("access_token")).status, "this browser goes on")
		require.Equal(t, http.StatusUnauthorized, w.userinfo(theirs.str("access_token")).status)
		require.Equal(t, http.StatusUnauthorized, w.userinfo(legacy.AccessToken).status)
		require.True(t, isLogin(other.get(issuer+"/account")))
		wantError(t, w.refresh("native", theirs.str("refresh_token")), http.StatusBadRequest, "invalid_grant")

		_, err = w.GrantPassword(t.Context(), login())
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
		again := login()
		again.Credentials.Password = fresh
		_, err = w.GrantPassword(t.Context(), again)
		require.NoError(t, err)

		other.tokensBy(t, fresh)
		change(fresh, password)
		require.False(t, isLogin(other.get(issuer+"/account")), "the others stay where nobody ends them")
		require.NotContains(t, w.log.text(), "canary")
	})
}

// tokensBy signs alice in with another password.
func (b *browser) tokensBy(t *testing.T, password string) {
	t.Helper()
	a := b.submit(t, b.get(ask("native")), "username", "alice", "password", password)
	require.NotEmpty(t, returned(t, a).Get("code"))
}
