package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/store/storetest"
)

const farewell = "https://app.example.com/bye"

// bye is the URL of a logout request.
func bye(more ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return issuer + "/oauth2/logout?" + values.Encode()
}

func asksLogout(a answer) bool { return strings.Contains(a.raw, `id="logout-form"`) }

// TestLogout is the rows of RP-initiated logout.
func TestLogout(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	begin := func(t *testing.T) (*browser, string) {
		b := w.newBrowser()
		return b, b.tokens(t, "web").str("id_token")
	}
	gone := func(t *testing.T, b *browser) {
		t.Helper()
		wantReply(t, b.get(ask("web", "prompt", "none")), "login_required")
	}
	stays := func(t *testing.T, b *browser) {
		t.Helper()
		require.NotEmpty(t, returned(t, b.get(ask("web", "prompt", "none"))).Get("code"))
	}
	sent := func(t *testing.T, a answer, to string) {
		t.Helper()
		require.Equal(t, http.StatusSeeOther, a.status, a.raw)
		require.Equal(t, to, a.header.Get("Location"))
	}

	t.Run("hint + uri + state", func(t *testing.T) {
		b, hint := begin(t)
		sent(t, b.get(bye("id_token_hint", hint, "post_logout_redirect_uri", farewell, "state", "s &")), farewell+"?state=s+%26")
		require.NotContains(t, b.cookies, "__Host-keyway_session-tenant")
		gone(t, b)
	})
	t.Run("no state", func(t *testing.T) {
		b, hint := begin(t)
		sent(t, b.get(bye("id_token_hint", hint, "post_logout_redirect_uri", farewell)), farewell)
		gone(t, b)
	})
	t.Run("foreign uri", func(t *testing.T) {
		b, hint := begin(t)
		for _, uri := range []string{"https://evil.example/", callback, farewell + "/", "//evil.example", "/\t/evil.example", `https:\\evil.example`, "javascript:alert(1)"} {
			wantPage(t, b.get(bye("id_token_hint", hint, "post_logout_redirect_uri", uri)), http.StatusBadRequest)
		}
		stays(t, b)
	})
	t.Run("query added", func(t *testing.T) {
		b, hint := begin(t)
		wantPage(t, b.get(bye("id_token_hint", hint, "post_logout_redirect_uri", farewell+"?foo=bar")), http.StatusBadRequest)
		sent(t, b.get(bye("id_token_hint", hint, "post_logout_redirect_uri", farewell+"?x=1", "state", "s")), farewell+"?x=1&state=s")
	})
	t.Run("alg none", func(t *testing.T) {
		b, hint := begin(t)
		wantPage(t, b.get(bye("id_token_hint", unsigned(hint), "post_logout_redirect_uri", farewell)), http.StatusBadRequest)
		stays(t, b)
	})
	t.Run("stranger's signature", func(t *testing.T) {
		b, hint := begin(t)
		wantPage(t, b.get(bye("id_token_hint", stranger(t, hint), "post_logout_redirect_uri", farewell)), http.StatusBadRequest)
		stays(t, b)
	})
	t.Run("no hint", func(t *testing.T) {
		b, _ := begin(t)
		page := b.get(bye("post_logout_redirect_uri", farewell, "state", "s"))
		require.True(t, asksLogout(page), page.raw)
		a := b.submit(t, page, "decision", "logout")
		require.Equal(t, http.StatusOK, a.status, "nobody vouches for the URI")
		gone(t, b)
	})
	t.Run("no hint, but a client: asks, and then goes there", func(t *testing.T) {
		b, _ := begin(t)
		page := b.get(bye("client_id", "web", "post_logout_redirect_uri", farewell, "state", "s"))
		require.True(t, asksLogout(page))
		require.Contains(t, page.raw, "Web &lt;b&gt;app&lt;/b&gt;")
		stays(t, b)
		sent(t, b.submit(t, page, "decision", "logout"), farewell+"?state=s")
		gone(t, b)
	})
	for name, more := range map[string][]string{"no parameters": nil, "only state": {"state", "s"}} {
		t.Run(name, func(t *testing.T) {
			b, _ := begin(t)
			page := b.get(bye(more...))
			require.True(t, asksLogout(page), page.raw)
			stays(t, b)
			require.Equal(t, http.StatusOK, b.submit(t, page, "decision", "logout").status)
			gone(t, b)
		})
	}
	t.Run("no uri", func(t *testing.T) {
		b, hint := begin(t)
		a := b.get(bye("id_token_hint", hint))
		require.Equal(t, http.StatusOK, a.status)
		require.False(t, asksLogout(a))
		gone(t, b)
	})
	t.Run("POST", func(t *testing.T) {
		b, hint := begin(t)
		sent(t, b.post("/tenant/oauth2/logout", url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {farewell}, "state": {"s"}}), farewell+"?state=s")
		gone(t, b)
	})
	t.Run("who says no stays", func(t *testing.T) {
		b, _ := begin(t)
		page := b.get(bye())
		b.submit(t, page, "decision", "stay")
		stays(t, b)
		wantPage(t, b.submit(t, page, "csrf", "x", "decision", "logout"), http.StatusForbidden)
		wantPage(t, b.submit(t, page, "decision", "logout", "client_id", "web", "post_logout_redirect_uri", "https://evil.example/"), http.StatusBadRequest)
		stays(t, b)
	})
	t.Run("a hint of somebody else asks first", func(t *testing.T) {
		w.seedBob(t)
		_, hint := begin(t)
		b := w.newBrowser()
		returned(t, b.submit(t, b.get(ask("web-post")), "username", "bob", "password", password))
		require.True(t, asksLogout(b.get(bye("id_token_hint", hint))))
	})
	t.Run("a client that is not the hint's, unknown, or a repeated parameter is refused", func(t *testing.T) {
		b, hint := begin(t)
		wantPage(t, b.get(bye("id_token_hint", hint, "client_id", "native")), http.StatusBadRequest)
		wantPage(t, b.get(bye("client_id", "nobody")), http.StatusBadRequest)
		wantPage(t, b.get(bye("state", "a")+"&state=b"), http.StatusBadRequest)
		wantPage(t, b.send(http.MethodDelete, bye(), nil), http.StatusMethodNotAllowed)
		stays(t, b)
	})
	t.Run("who is not signed in is signed out already", func(t *testing.T) {
		require.Equal(t, http.StatusOK, w.newBrowser().get(bye()).status)
		sent(t, w.newBrowser().get(bye("client_id", "web", "post_logout_redirect_uri", farewell)), farewell)
	})
}

// TestAccount is what people see and do about themselves.
func TestAccount(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		token := func(t *testing.T, a answer) string {
			t.Helper()
			_, values := fields(t, a)
			return values.Get("csrf")
		}
		enter := func(t *testing.T) (*browser, answer) {
			b := w.newBrowser()
			a := b.get(issuer + "/account")
			require.True(t, isLogin(a))
			a = b.submit(t, a, "username", "alice", "password", password)
			require.Equal(t, "/tenant/account", b.last)
			require.Equal(t, http.StatusOK, a.status)
			return b, a
		}
		do := func(b *browser, action, csrf string, more ...string) answer {
			values := url.Values{"csrf": {csrf}}
			for i := 0; i+1 < len(more); i += 2 {
				values.Set(more[i], more[i+1])
			}
			return b.post(issuer+"/account/"+action, values)
		}
		t.Run("it names the person, the sessions and the consents", func(t *testing.T) {
			b, _ := enter(t)
			b.tokens(t, "web", "scope", "openid email")
			a := b.get(issuer + "/account")
			for _, want := range []string{"alice@example.com", "Firefox", "Web &lt;b&gt;app&lt;/b&gt;"} {
				require.Contains(t, a.raw, want)
			}
		})
		t.Run("another session is ended", func(t *testing.T) {
			other, _ := enter(t)
			b, a := enter(t)
			id, _ := w.idToken(t, other.tokens(t, "native"))["sid"].(string)
			require.Contains(t, a.raw, `value="`+id+`"`)
			do(b, "sessions/end", token(t, a), "id", id)
			require.Contains(t, b.last, "notice=session_ended")
			require.True(t, isLogin(other.get(issuer+"/account")))
			require.False(t, isLogin(b.get(issuer+"/account")))
		})
		t.Run("a consent is withdrawn, with the client's tokens", func(t *testing.T) {
			b, a := enter(t)
			tokens := b.tokens(t, "web")
			do(b, "consents/revoke", token(t, a), "client", "web")
			require.Equal(t, http.StatusUnauthorized, w.userinfo(tokens.str("access_token")).status)
			wantReply(t, b.get(ask("web", "prompt", "none")), "consent_required")
		})
		t.Run("signing out ends this session only", func(t *testing.T) {
			other, _ := enter(t)
			b, a := enter(t)
			require.Equal(t, http.StatusOK, do(b, "signout", token(t, a)).status)
			require.True(t, isLogin(b.get(issuer+"/account")))
			require.False(t, isLogin(other.get(issuer+"/account")))
		})
		t.Run("signing out everywhere ends every session and token, those of legacy systems too", func(t *testing.T) {
			other, _ := enter(t)
			tokens := other.tokens(t, "native", "scope", "openid offline_access")
			legacy, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			b, a := enter(t)
			do(b, "signout-everywhere", token(t, a))
			require.True(t, isLogin(other.get(issuer+"/account")))
			require.Equal(t, http.StatusUnauthorized, w.userinfo(tokens.str("access_token")).status)
			require.Equal(t, http.StatusUnauthorized, w.userinfo(legacy.AccessToken).status)
			wantError(t, w.refresh("native", tokens.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		})
		t.Run("a form of another session, or none, changes nothing", func(t *testing.T) {
			_, a := enter(t)
			stolen := token(t, a)
			b, _ := enter(t)
			for _, action := range []string{"signout", "signout-everywhere", "sessions/end", "consents/revoke"} {
				wantPage(t, do(b, action, stolen), http.StatusForbidden)
				wantPage(t, do(b, action, ""), http.StatusForbidden)
				wantPage(t, b.send(http.MethodGet, issuer+"/account/"+action, nil), http.StatusMethodNotAllowed)
			}
			require.False(t, isLogin(b.get(issuer+"/account")))
			require.True(t, isLogin(do(w.newBrowser(), "signout-everywhere", stolen)))
		})
	})
}
