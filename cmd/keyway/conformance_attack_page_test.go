package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// redirectAttacks try to be sent where nobody registered.
func redirectAttacks(t *testing.T, s *site) {
	for name, uri := range map[string]string{
		"prefix": "https://app.example.com/", "suffix": webReturn + "x", "sub-path": webReturn + "/x", "sub-domain": "https://x.app.example.com/callback",
		"longer domain": "https://app.example.com.evil.example/callback", "userinfo": "https://app.example.com@evil.example/callback",
		"userinfo before the host": "https://user:pw@app.example.com/callback", "case of the host": "https://APP.example.com/callback", "case of the path": "https://app.example.com/Callback",
		"case of the scheme": "HTTPS://app.example.com/callback", "encoding": "https://app.example.com/%63allback", "double encoding": "https://app.example.com/callback%252f..",
		"traversal": "https://app.example.com/callback/../callback", "encoded traversal": webReturn + "%2f..%2fx", "semicolon traversal": webReturn + "/..;/x",
		"backslash": `https://evil.example\@app.example.com/callback`, "backslash at the end": webReturn + `\`, "fragment": webReturn + "#x", "empty fragment": webReturn + "#",
		"second parameter": webReturn + "?registered=1&x=2", "parameter added": webReturn + "?x=1", "empty query": webReturn + "?", "port": "https://app.example.com:444/callback",
		"default port": "https://app.example.com:443/callback", "no scheme": "//app.example.com/callback", "http": "http://app.example.com/callback", "script": "javascript:alert(1)",
		"data": "data:text/html,x", "dot at the end": "https://app.example.com./callback", "tab": "https://app.example.com/call\tback", "line break": webReturn + "\r\nX: y",
		"space": " " + webReturn, "NUL": webReturn + "\x00", "other host": "https://evil.example/callback", "empty": "", "another client's": siteReturns["second"],
	} {
		s.row(t, "attack 1: redirect URI by "+name, func(v *visitor) {
			v.tokens("web")
			for _, more := range [][]string{nil, {"prompt", "none"}, {"response_type", "token"}, {"scope", "nonsense"}, {"response_mode", "fragment"}} {
				a := v.get(s.ask("web", append(more, "redirect_uri", uri)...))
				v.told(a)
				require.NotContains(v, a.body, "evil.example")
			}
		})
	}
	s.row(t, "attack 1: redirect URI by repeating it", func(v *visitor) {
		v.told(v.get(s.ask("web") + "&redirect_uri=" + url.QueryEscape("https://evil.example/")))
		v.told(v.get(s.ask("web") + "&redirect_uri=" + url.QueryEscape(webReturn)))
	})
	s.row(t, "attack 1: any port on loopback for a native app, and nothing else is free", func(v *visitor) {
		v.tokens("native")
		for _, uri := range []string{"http://127.0.0.1:51004/callback", "http://127.0.0.1/callback", "com.example.app:/callback"} {
			require.True(v, strings.HasPrefix(v.passedTo(v.get(s.ask("native", "redirect_uri", uri))), uri+"?"), uri)
		}
		for _, uri := range []string{
			"http://user@127.0.0.1:51004/callback", "http://127.0.0.1:51004@evil.example/callback", "http://127.0.0.1:51004/other", "http://localhost:51004/callback",
			"https://127.0.0.1:51004/callback", "http://127.0.0.2:51004/callback", "http://127.1/callback", "http://127.0.0.1:99999/callback", "http://127.0.0.1:51004/callback?x=1", "com.example.app:/callback/x",
		} {
			v.told(v.get(s.ask("native", "redirect_uri", uri)))
		}
	})
	s.row(t, "attack 2: the error page and post-logout are no open redirector", func(v *visitor) {
		hint := v.tokens("web").text("id_token")
		for _, uri := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "/\t/evil.example", "///evil.example", `https:\\evil.example`, webBye + ".evil.example", webReturn, "javascript:alert(1)"} {
			at := "/oauth2/logout?post_logout_redirect_uri=" + url.QueryEscape(uri)
			v.told(v.get(at + "&client_id=web"))
			v.told(v.get(at + "&id_token_hint=" + hint))
			a := v.submit(v.get(at), "decision", "logout")
			require.Equal(v, http.StatusOK, a.status, "nobody vouches for it")
			require.NotContains(v, a.body, "evil.example")
			v.told(v.get(s.ask("web", "client_id", "nobody", "redirect_uri", uri)))
			v.told(v.get("/login?interaction=x&return_to=" + url.QueryEscape(uri)))
			v.tokens("web")
		}
	})
}

// passedTo is where a client's answer goes, past whatever pages.
func (v *visitor) passedTo(a seen) string {
	v.Helper()
	if a.has("consent-form") {
		a = v.submit(a, "decision", "allow")
	}
	v.returned(a)
	return a.location()
}

// pageAttacks are the rows about what people see.
func pageAttacks(t *testing.T, s *site) {
	s.row(t, "attack 10: frame the login or consent page", func(v *visitor) {
		login := v.get(s.ask("web", "prompt", "consent"))
		for _, a := range []seen{login, v.enters(login, "alice"), v.get("/account"), v.get("/oauth2/logout"), v.get(s.ask("web", "client_id", "nobody"))} {
			require.Contains(v, a.header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
			require.Equal(v, "DENY", a.header.Get("X-Frame-Options"))
			require.Equal(v, "no-store", a.header.Get("Cache-Control"))
		}
	})
	s.row(t, "attack 10: post the form cross-site", func(v *visitor) {
		login := v.get(s.ask("web", "prompt", "consent"))
		v.told(v.submit(login, "csrf", "", "username", "alice", "password", sitePassword))
		v.told(v.submit(login, "csrf", "x", "username", "alice", "password", sitePassword))
		consent := v.enters(login, "alice")
		v.told(v.submit(consent, "csrf", "x", "decision", "allow"))
		for _, action := range []string{"signout", "signout-everywhere", "sessions/end", "consents/revoke"} {
			v.told(v.send(http.MethodPost, "/account/"+action, url.Values{"csrf": {"x"}}))
		}
		require.Equal(v, http.StatusOK, v.get("/account").status)
		require.False(v, v.get("/account").has("login-form"), "still signed in")
		for _, c := range v.cookies() {
			require.True(v, c.HttpOnly && c.Secure && strings.HasPrefix(c.Name, "__Host-"), c.Name)
			require.Equal(v, http.SameSiteLaxMode, c.SameSite, c.Name)
		}
	})
	s.row(t, "attack 10: reuse another browser's form", func(v *visitor) {
		attacker := s.visitor(v.T)
		action, values := attacker.get(s.ask("web")).form(v.T)
		values.Set("username", "alice")
		values.Set("password", sitePassword)
		v.told(v.send(http.MethodPost, action, values))
		v.get(s.ask("web"))
		v.told(v.send(http.MethodPost, action, values))
		v.told(v.get(attacker.at))
	})
	s.row(t, "attack 10: plant a session cookie", func(v *visitor) {
		attacker := s.visitor(v.T)
		attacker.tokens("second")
		for _, c := range attacker.cookies() {
			if strings.Contains(c.Name, "session") {
				v.plant(strings.TrimPrefix(c.Name, "__Host-"), c.Value)
				v.refused(v.get(s.ask("second", "prompt", "none")), "login_required")
				v.plant(c.Name, "guessed")
			}
		}
		v.refused(v.get(s.ask("second", "prompt", "none")), "login_required")
		before := v.sessionCookie()
		v.tokens("second")
		require.NotEqual(v, before, v.sessionCookie(), "the session's id is made at sign-in")
	})
	s.row(t, "attack 11: reflected markup in every parameter", func(v *visitor) {
		const markup = `"'><script>alert(1)</script>`
		for _, name := range strings.Fields("client_id redirect_uri response_type response_mode scope state nonce prompt max_age ui_locales login_hint acr_values claims id_token_hint display code_challenge request request_uri x") {
			for _, a := range []seen{s.visitor(v.T).get(s.ask("web", name, markup)), v.get("/oauth2/logout?" + url.Values{name: {markup}}.Encode()), v.get("/login?" + url.Values{name: {markup}}.Encode())} {
				require.NotContains(v, a.body, "<script>alert", name)
				require.NotContains(v, a.header.Get("Location"), "<script", name)
			}
		}
	})
	s.row(t, "attack 11: markup in a user's and a client's name", func(v *visitor) {
		login := v.get(s.ask("web"))
		require.Contains(v, login.body, "Web &lt;b&gt;app")
		for _, a := range []seen{login, v.enters(login, "zoe"), v.get("/account"), v.get("/oauth2/logout?client_id=web")} {
			require.NotContains(v, a.body, "<b>app")
			require.NotContains(v, a.body, "<script>alert")
		}
		failed := s.visitor(v.T)
		require.NotContains(v, failed.submit(failed.get(s.ask("web")), "username", `"><script>alert(1)</script>`, "password", "x").body, "<script>alert")
	})
	loginAttacks(t, s)
}

func loginAttacks(t *testing.T, s *site) {
	s.row(t, "attack 12: unknown user against wrong password: text, status, lockout message", func(v *visitor) {
		var told [2][]string
		page := v.get(s.ask("web"))
		for i, name := range []string{"locked", "nobody"} {
			for range 6 {
				a := v.submit(page, "username", name, "password", "wrong")
				require.True(v, a.has("login-error"), a.body)
				told[i] = append(told[i], http.StatusText(a.status)+strings.ReplaceAll(a.body, name, "NAME"))
			}
		}
		require.Equal(v, told[0], told[1])
		require.NotEqual(v, told[0][0], told[0][5], "the lockout shows, for both")
	})
	s.row(t, "attack 13: 307 after the password form", func(v *visitor) {
		action, values := v.get(s.ask("second")).form(v.T)
		values.Set("username", "alice")
		values.Set("password", sitePassword)
		a := v.send(http.MethodPost, action, values)
		for a.location() != "" {
			require.Equal(v, http.StatusSeeOther, a.status)
			require.NotContains(v, a.location(), sitePassword)
			if !strings.HasPrefix(a.location(), s.URL) {
				break
			}
			a = v.send(http.MethodGet, a.location(), nil)
		}
		require.True(v, strings.HasPrefix(a.location(), siteReturns["second"]))
	})
}

// cookies are those that the site set, with their attributes.
func (v *visitor) cookies() []*http.Cookie {
	v.Helper()
	return v.set
}

// plant puts a cookie into the browser.
func (v *visitor) plant(name, value string) {
	v.Helper()
	u, err := url.Parse(v.site.URL)
	require.NoError(v, err)
	v.http.Jar.SetCookies(u, []*http.Cookie{{Name: name, Value: value, Path: "/", Secure: true}})
}

func (v *visitor) sessionCookie() string {
	v.Helper()
	for i := len(v.set) - 1; i >= 0; i-- {
		if strings.Contains(v.set[i].Name, "session") {
			return v.set[i].Value
		}
	}
	return ""
}
