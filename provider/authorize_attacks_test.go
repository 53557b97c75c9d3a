package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

// TestRedirectAttacks is row 1 of the attacks: nobody is sent where the client
// did not register.
func TestRedirectAttacks(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.tokens(t, "web")
	for _, uri := range []string{
		callback + "/", callback + "/../callback", "https://app.example.com", "https://evil.example/callback", "https://app.example.com@evil.example/callback",
		"https://app.example.com.evil.example/callback", "https://APP.example.com/callback", callback + "#x", callback + "?x", callback + "%2f",
		`https://app.example.com\@evil.example/callback`, "https://app.example.com:444/callback", "javascript:alert(1)", "-", "",
	} {
		t.Run("web may not return to "+uri, func(t *testing.T) {
			wantPage(t, b.get(ask("web", "redirect_uri", uri)), http.StatusBadRequest)
			wantPage(t, b.get(ask("web", "redirect_uri", uri, "response_type", "token", "prompt", "none")), http.StatusBadRequest)
		})
	}
	t.Run("a native app has any port on loopback, and no user there", func(t *testing.T) {
		for _, uri := range []string{"http://127.0.0.1:51004/callback", "http://127.0.0.1/callback", "http://[::1]:9/callback", "com.example.app:/callback"} {
			a := b.get(ask("native", "redirect_uri", uri))
			require.True(t, strings.HasPrefix(a.header.Get("Location"), uri+"?"), a.raw)
		}
		for _, uri := range []string{"http://user@127.0.0.1:51004/callback", "http://127.0.0.1:51004/callback/x", "http://localhost:51004/callback"} {
			wantPage(t, b.get(ask("native", "redirect_uri", uri)), http.StatusBadRequest)
		}
	})
	t.Run("the client must be one that may be signed in to", func(t *testing.T) {
		for _, client := range []string{"nobody", "", legacyID, "%00"} {
			wantPage(t, b.get(ask("web", "client_id", client)), http.StatusBadRequest)
		}
		require.NoError(t, w.SaveClient(t.Context(), &provider.Client{
			ID: "off", AuthMethod: provider.AuthNone, GrantTypes: []string{"authorization_code"}, RedirectURIs: []string{callback}, Disabled: true,
		}))
		wantPage(t, b.get(ask("web", "client_id", "off")), http.StatusBadRequest)
	})
	t.Run("a repeated parameter is refused, on the right channel", func(t *testing.T) {
		for _, name := range []string{"scope", "state", "nonce", "prompt", "code_challenge", "response_type", "whatever"} {
			got := wantReply(t, b.get(ask("web", name, "openid")+"&"+name+"=openid"), "invalid_request")
			require.NotContains(t, got["state"], "openid")
		}
		wantPage(t, b.get(ask("web")+"&redirect_uri="+url.QueryEscape(callback)), http.StatusBadRequest)
		wantPage(t, b.get(ask("web")+"&client_id=web"), http.StatusBadRequest)
	})
	t.Run("what is oversized or malformed is refused", func(t *testing.T) {
		wantPage(t, b.get(ask("web", "state", strings.Repeat("s", 20_000))), http.StatusRequestURITooLong)
		wantReply(t, b.get(ask("web", "state", strings.Repeat("s", 5_000))), "invalid_request")
		wantPage(t, b.get(issuer+"/oauth2/authorize?%zz"), http.StatusBadRequest)
		wantPage(t, b.send(http.MethodPut, issuer+"/oauth2/authorize", nil), http.StatusMethodNotAllowed)
	})
	t.Run("markup in a parameter, a client's name or a path is escaped (row 11, CVE-2019-8400)", func(t *testing.T) {
		for _, name := range []string{"login_hint", "ui_locales", "state", "scope", "client_id", "redirect_uri", "prompt"} {
			a := w.newBrowser().get(ask("web", name, `"><script>x</script>`))
			require.NotContains(t, a.raw, "<script>x", name)
			require.NotContains(t, a.raw, "<b>app", name)
		}
	})
}

// TestPKCE is row 4, and what is missing or weak.
func TestPKCE(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.tokens(t, "web")
	for name, more := range map[string][]string{
		"no challenge":             {"code_challenge", "-", "code_challenge_method", "-"},
		"a method without":         {"code_challenge", "-"},
		"plain":                    {"code_challenge_method", "plain"},
		"no method":                {"code_challenge_method", "-"},
		"another method":           {"code_challenge_method", "s256"},
		"a challenge that is none": {"code_challenge", verifier},
		"a challenge in base64":    {"code_challenge", challengeOf(verifier) + "="},
	} {
		t.Run(name+" is refused, for a confidential and for a public client", func(t *testing.T) {
			wantReply(t, b.get(ask("web", more...)), "invalid_request")
			wantReply(t, b.get(ask("native", more...)), "invalid_request")
		})
	}
	for _, client := range []string{"web", "native"} {
		t.Run("wrong verifier, then none, then the right one: reject, reject, accept ("+client+", regression 2)", func(t *testing.T) {
			code := b.signIn(t, ask(client)).Get("code")
			for _, v := range []string{strings.Repeat("x", 43), "-", "", challengeOf(verifier), "short", verifier + "\n"} {
				wantError(t, w.redeem(client, code, "code_verifier", v), http.StatusBadRequest, "invalid_grant")
			}
			require.Equal(t, http.StatusOK, w.redeem(client, code).status)
		})
	}
}

// TestCodes is row 3: a code is worth something once, to one client, for a
// minute.
func TestCodes(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		b := w.newBrowser()
		refused := func(t *testing.T, a answer) {
			t.Helper()
			wantError(t, a, http.StatusBadRequest, "invalid_grant")
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		}
		t.Run("code reuse: refused, and the first tokens die", func(t *testing.T) {
			for _, wait := range []time.Duration{0, 30 * time.Second, time.Hour} {
				code := b.signIn(t, ask("web", "scope", "openid offline_access")).Get("code")
				first := w.redeem("web", code)
				require.Equal(t, http.StatusOK, first.status, first.raw)
				w.clock.add(min(wait, time.Minute))
				require.Equal(t, http.StatusOK, w.userinfo(first.str("access_token")).status)
				w.clock.add(wait - min(wait, time.Minute))
				refused(t, w.redeem("web", code))
				require.Equal(t, http.StatusUnauthorized, w.userinfo(first.str("access_token")).status)
				refused(t, w.refresh("web", first.str("refresh_token")))
			}
		})
		t.Run("another client can neither use a code nor end its grant", func(t *testing.T) {
			code := b.signIn(t, ask("web")).Get("code")
			refused(t, w.redeem("native", code))
			refused(t, w.redeem("web-post", code))
			first := w.redeem("web", code)
			require.Equal(t, http.StatusOK, first.status)
			refused(t, w.redeem("native", code))
			require.Equal(t, http.StatusOK, w.userinfo(first.str("access_token")).status)
		})
		t.Run("another redirect_uri, or none, is refused", func(t *testing.T) {
			code := b.signIn(t, ask("web")).Get("code")
			for _, uri := range []string{"-", "", callback + "/", "https://evil.example/"} {
				refused(t, w.redeem("web", code, "redirect_uri", uri))
			}
			require.Equal(t, http.StatusOK, w.redeem("web", code).status)
		})
		t.Run("a code that is truncated, padded, missing or a token is none", func(t *testing.T) {
			code := b.signIn(t, ask("web")).Get("code")
			require.Regexp(t, `^kw_ac_[\w-]{49}$`, code)
			token := b.tokens(t, "web").str("access_token")
			for _, bad := range []string{code[:len(code)-1], code + "x", code[6:], "-", "", token, strings.Repeat("c", 9000)} {
				refused(t, w.redeem("web", code, "code", bad))
			}
			require.Equal(t, http.StatusUnauthorized, w.userinfo(code).status)
		})
		t.Run("an expired code is invalid_grant (regression 16)", func(t *testing.T) {
			code := b.signIn(t, ask("web")).Get("code")
			w.clock.add(time.Minute)
			refused(t, w.redeem("web", code))
		})
		t.Run("of 50 parallel redemptions of one code one succeeds, and the grant is revoked (regression 1)", func(t *testing.T) {
			code := b.signIn(t, ask("web", "scope", "openid offline_access")).Get("code")
			answers := make([]answer, 50)
			var wait sync.WaitGroup
			for i := range answers {
				wait.Go(func() { answers[i] = w.redeem("web", code) })
			}
			wait.Wait()
			won := 0
			for _, a := range answers {
				if a.status == http.StatusOK {
					won++
					require.Equal(t, http.StatusUnauthorized, w.userinfo(a.str("access_token")).status)
					continue
				}
				refused(t, a)
			}
			require.Equal(t, 1, won)
		})
		t.Run("who was disabled meanwhile gets nothing (CVE-2026-9798), and is signed out", func(t *testing.T) {
			code := b.signIn(t, ask("web")).Get("code")
			token := b.tokens(t, "web").str("access_token")
			require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusDisabled))
			refused(t, w.redeem("web", code))
			require.Equal(t, http.StatusUnauthorized, w.userinfo(token).status)
			require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusActive))
			wantReply(t, b.get(ask("web", "prompt", "none")), "login_required")
		})
	})
}

// TestInteractions is row 10: what one browser began, no other one finishes.
func TestInteractions(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		t.Run("another browser cannot go on with an interaction (interaction theft)", func(t *testing.T) {
			victim, attacker := w.newBrowser(), w.newBrowser()
			page := attacker.get(ask("web"))
			at := attacker.last
			wantPage(t, victim.get(at), http.StatusForbidden)
			action, values := fields(t, page)
			values.Set("username", "alice")
			values.Set("password", password)
			wantPage(t, victim.post(action, values), http.StatusForbidden)
			victim.get(ask("web"))
			wantPage(t, victim.post(action, values), http.StatusForbidden)
		})
		t.Run("an unsigned approval step gives nothing away (CVE-2022-39222)", func(t *testing.T) {
			victim, attacker := w.newBrowser(), w.newBrowser()
			page := victim.submit(t, victim.get(ask("web", "prompt", "login consent")), "username", "alice", "password", password)
			require.True(t, isConsent(page))
			_, at, _ := strings.Cut(victim.last, "?")
			wantPage(t, attacker.get(issuer+"/oauth2/authorize?"+at), http.StatusForbidden)
			wantPage(t, attacker.get(issuer+"/consent?"+at), http.StatusForbidden)
		})
		t.Run("a form without its token, or with another page's, is refused (CSRF)", func(t *testing.T) {
			b := w.newBrowser()
			page := b.get(ask("web", "prompt", "login consent"))
			wantPage(t, b.submit(t, page, "csrf", "", "username", "alice", "password", password), http.StatusForbidden)
			_, values := fields(t, page)
			consent := b.submit(t, page, "username", "alice", "password", password)
			require.True(t, isConsent(consent))
			wantPage(t, b.submit(t, consent, "csrf", values.Get("csrf"), "decision", "allow"), http.StatusForbidden)
			require.NotEmpty(t, returned(t, b.submit(t, consent, "decision", "allow")).Get("code"))
		})
		t.Run("an interaction is finished once, and in time", func(t *testing.T) {
			b := w.newBrowser()
			page := b.get(ask("native"))
			action, values := fields(t, page)
			values.Set("username", "alice")
			values.Set("password", password)
			require.NotEmpty(t, returned(t, b.post(action, values)).Get("code"))
			wantPage(t, b.post(action, values), http.StatusBadRequest)
			page = b.get(ask("native", "prompt", "login"))
			w.clock.add(30 * time.Minute)
			wantPage(t, b.submit(t, page, "username", "alice", "password", password), http.StatusBadRequest)
			wantPage(t, b.get(issuer+"/login?interaction=unknown"), http.StatusBadRequest)
		})
		t.Run("the session's id is new after each sign-in, and an old one is worth nothing (session fixation)", func(t *testing.T) {
			b := w.newBrowser()
			b.tokens(t, "native")
			old := *b.cookies["__Host-keyway_session-tenant"]
			require.True(t, old.HttpOnly && old.Secure && old.Path == "/" && old.SameSite == http.SameSiteLaxMode, old)
			returned(t, b.submit(t, b.get(ask("native", "prompt", "login")), "username", "alice", "password", password))
			require.NotEqual(t, old.Value, b.cookies["__Host-keyway_session-tenant"].Value)
			b.cookies["__Host-keyway_session-tenant"] = &old
			wantReply(t, b.get(ask("native", "prompt", "none")), "login_required")
			b.cookies["__Host-keyway_session-tenant"] = &http.Cookie{Name: "keyway_session-tenant", Value: old.Value}
			wantReply(t, b.get(ask("native", "prompt", "none")), "login_required")
		})
		t.Run("a session ends when it was not used, and at its age", func(t *testing.T) {
			b := w.newBrowser()
			b.tokens(t, "native")
			for range 20 {
				w.clock.add(8 * time.Hour)
				require.NotEmpty(t, returned(t, b.get(ask("native", "prompt", "none"))).Get("code"))
			}
			w.clock.add(8 * time.Hour)
			wantReply(t, b.get(ask("native", "prompt", "none")), "login_required")
			b.tokens(t, "native")
			w.clock.add(12 * time.Hour)
			wantReply(t, b.get(ask("native", "prompt", "none")), "login_required")
		})
		t.Run("the person may refuse, and is asked again next time", func(t *testing.T) {
			b := w.newBrowser()
			b.tokens(t, "native")
			page := b.get(ask("web", "scope", "openid read"))
			require.True(t, isConsent(page))
			require.Equal(t, "a state", wantReply(t, b.submit(t, page, "decision", "deny"), "access_denied").Get("state"))
			require.True(t, isConsent(b.get(ask("web", "scope", "openid read"))))
		})
	})
}

// TestLoginPage is row 12, and that the page has no way in of its own.
func TestLoginPage(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	t.Run("an unknown user looks like a wrong password", func(t *testing.T) {
		b := w.newBrowser()
		page := b.get(ask("native"))
		var seen []string
		for _, name := range []string{"alice", "nobody"} {
			a := b.submit(t, page, "username", name, "password", "wrong canary")
			require.Equal(t, http.StatusBadRequest, a.status)
			require.Contains(t, a.raw, `role="alert"`)
			require.NotContains(t, a.raw, "wrong canary")
			seen = append(seen, strings.ReplaceAll(a.raw, name, "NAME"))
		}
		require.Equal(t, seen[0], seen[1])
		require.NotContains(t, w.log.text(), "wrong canary")
	})
	t.Run("a password form is never answered with 307 (row 13)", func(t *testing.T) {
		b := w.newBrowser()
		action, values := fields(t, b.get(ask("native")))
		values.Set("username", "alice")
		values.Set("password", password)
		a := b.send(http.MethodPost, action, values)
		require.Equal(t, http.StatusSeeOther, a.status)
		require.NotContains(t, a.header.Get("Location"), "alice")
	})
	t.Run("a missing name or password is a failed try", func(t *testing.T) {
		b := w.newBrowser()
		page := b.get(ask("native"))
		for _, c := range [][]string{{"username", ""}, {"username", "alice", "password", ""}, {"username", strings.Repeat("a", 600), "password", "x"}} {
			require.True(t, isLogin(b.submit(t, page, c...)))
		}
	})
	t.Run("an unverified and a disabled person are told, once they proved who they are", func(t *testing.T) {
		bob := w.seedBob(t)
		b := w.newBrowser()
		page := b.get(ask("native"))
		for status, code := range map[identity.Status]string{identity.StatusDisabled: "disabled", identity.StatusUnverified: "unverified"} {
			require.NoError(t, w.store.SetStatus(t.Context(), bob, status))
			wrong := b.submit(t, page, "username", "bob", "password", "wrong")
			right := b.submit(t, page, "username", "bob", "password", password)
			require.True(t, isLogin(right), code)
			require.NotEqual(t, wrong.raw, right.raw)
		}
	})
	t.Run("a sign-in is in the audit trail, and shares the lockout of legacy logins", func(t *testing.T) {
		gate, err := identity.NewGate(identity.GateOptions{Attempts: w.store, Now: w.clock.Now, Failures: 3})
		require.NoError(t, err)
		local, err := identity.NewLocal(identity.LocalOptions{Users: w.store, Hasher: w.hasher, Logger: w.options.Log, Now: w.clock.Now})
		require.NoError(t, err)
		w.options.Gate = gate
		w.options.SignIn, err = identity.NewSignIn(identity.SignInOptions{Users: w.store, Gate: gate, Authenticator: local, Now: w.clock.Now})
		require.NoError(t, err)
		w.clock.add(time.Hour)
		w.start(t)
		b := w.newBrowser()
		page := b.get(ask("native"))
		require.True(t, isLogin(b.submit(t, page, "username", "alice", "password", "wrong")))
		for range 2 {
			bad := login()
			bad.Credentials.Password = "wrong"
			_, err := w.GrantPassword(t.Context(), bad)
			require.Error(t, err)
		}
		a := b.submit(t, page, "username", "alice", "password", password)
		require.True(t, isLogin(a))
		_, err = w.GrantPassword(t.Context(), login())
		require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
	})
}
