package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// fositeRows are what a product on fosite gets wrong unless it acts.
func fositeRows(t *testing.T, s *site) {
	s.row(t, "fosite 1: request without state, or a short one", func(v *visitor) {
		require.NotContains(v, v.passes(v.get(s.ask("web", "state", "-")), "alice"), "state")
		for _, state := range []string{"x", "1234567", strings.Repeat("s", 2000), "a&b=c#d%20ü"} {
			require.Equal(v, state, v.returned(v.get(s.ask("web", "state", state))).Get("state"))
		}
	})
	s.row(t, "fosite 2: iss in authorization responses", func(v *visitor) {
		require.Equal(v, true, v.metadata()["authorization_response_iss_parameter_supported"])
		require.Equal(v, s.URL, v.passes(v.get(s.ask("web")), "alice").Get("iss"))
		require.Equal(v, s.URL, v.refused(v.get(s.ask("web", "prompt", "none", "max_age", "0")), "login_required").Get("iss"))
		require.Equal(v, s.URL, v.refused(v.get(s.ask("web", "response_mode", "fragment", "scope", "nonsense")), "invalid_scope").Get("iss"))
	})
	s.row(t, "fosite 3: code without PKCE, to a public client and by default to all", func(v *visitor) {
		for _, client := range []string{"native", "web", "second", "signer"} {
			v.refused(v.get(s.ask(client, "code_challenge", "-", "code_challenge_method", "-")), "invalid_request")
		}
	})
	s.row(t, "fosite 4: http://user@127.0.0.1:port/… is no loopback", func(v *visitor) {
		for _, user := range []string{"user@", "user:pw@", "127.0.0.1@", "@"} {
			v.told(v.get(s.ask("native", "redirect_uri", "http://"+user+"127.0.0.1:7777/callback")))
		}
	})
	s.row(t, "fosite 5 (regression 14): WWW-Authenticate on 401, and a client_id that contradicts the header", func(v *visitor) {
		grant := url.Values{"grant_type": {"client_credentials"}}
		name, wrong := basicOf("machine", "wrong")
		a := v.send(http.MethodPost, "/oauth2/token", grant, name, wrong)
		a.fails(v.T, http.StatusUnauthorized, "invalid_client")
		require.Regexp(v, `^Basic realm=`, a.header.Get("WWW-Authenticate"))
		name, right := basicOf("machine", siteSecret)
		v.send(http.MethodPost, "/oauth2/token", changed(grant, []string{"client_id", "web"}), name, right).fails(v.T, http.StatusBadRequest, "invalid_request")
		v.send(http.MethodPost, "/oauth2/token", changed(grant, []string{"client_id", "machine", "client_secret", siteSecret}), name, right).fails(v.T, http.StatusBadRequest, "invalid_request")
	})
	s.row(t, "fosite 6: prompt=none login is invalid_request, and no request ends in a 500", func(v *visitor) {
		v.refused(v.get(s.ask("web", "prompt", "none login")), "invalid_request")
		v.refused(v.get(s.ask("web", "request", "x")), "request_not_supported", "invalid_request_object")
		v.refused(v.get(s.ask("web", "request_uri", "x")), "request_uri_not_supported", "invalid_request_uri")
		v.refused(v.get(s.ask("web", "response_mode", "nonsense")), "invalid_request", "unsupported_response_mode")
		v.refused(v.get(s.ask("web", "response_mode", "")+"&response_mode=x"), "invalid_request")
	})
	doubledRows(t, s)
	s.row(t, "fosite 8: POST to the authorization endpoint", func(v *visitor) {
		u, err := url.Parse(s.ask("web"))
		require.NoError(v, err)
		require.NotEmpty(v, v.passes(v.follow(v.send(http.MethodPost, "/oauth2/authorize", u.Query())), "alice").Get("code"))
	})
	s.row(t, "fosite 9: userinfo and the token it is asked with", func(v *visitor) {
		a := v.userinfo(v.tokens("second", "scope", "email").text("access_token"))
		a.fails(v.T, http.StatusForbidden, "insufficient_scope")
		require.Contains(v, a.header.Get("WWW-Authenticate"), `error="insufficient_scope"`)
		a = v.userinfo(v.machine("machine"))
		a.fails(v.T, http.StatusUnauthorized, "invalid_token")
		require.Contains(v, a.header.Get("WWW-Authenticate"), `error="invalid_token"`)
		require.Equal(v, http.StatusUnauthorized, v.send(http.MethodGet, "/oauth2/userinfo?access_token="+v.tokens("web").text("access_token"), nil).status)
		a = v.send(http.MethodGet, "/oauth2/userinfo", nil)
		require.Equal(v, http.StatusUnauthorized, a.status)
		require.Contains(v, a.header.Get("WWW-Authenticate"), "Bearer")
		require.NotContains(v, a.header.Get("WWW-Authenticate"), "error", "nothing was wrong with what was not sent")
		require.Empty(v, a.body)
	})
	s.row(t, "fosite 10 (regression 14): unknown or password grant is unsupported_grant_type", func(v *visitor) {
		for _, grant := range []string{"password", "nonsense", "implicit", "urn:ietf:params:oauth:grant-type:nonsense"} {
			v.as("machine", "/oauth2/token", url.Values{"grant_type": {grant}, "username": {"alice"}, "password": {sitePassword}}).
				fails(v.T, http.StatusBadRequest, "unsupported_grant_type")
		}
		require.False(v, v.lists("grant_types_supported", "password"))
	})
	s.row(t, "fosite 11: narrowing scope on refresh narrows what userinfo tells", func(v *visitor) {
		refresh := v.tokens("web", "scope", "openid offline_access email phone").text("refresh_token")
		narrow := v.refreshes("web", refresh, "scope", "openid phone")
		told := v.userinfo(narrow.text("access_token")).object
		require.NotContains(v, told, "email")
		require.Equal(v, "+15550100", told["phone_number"])
		wide := v.refreshes("web", narrow.text("refresh_token"))
		require.Contains(v, v.userinfo(wide.text("access_token")).object, "email", "the refresh token keeps its scope")
	})
	s.row(t, "fosite 12: ten parallel refreshes of one token give one successor", func(v *visitor) {
		requireOneSuccessor(v, v.tokens("web", "scope", "openid offline_access").text("refresh_token"))
	})
	s.row(t, "fosite 13: JWT access tokens carry typ at+jwt", func(v *visitor) {
		for _, token := range []string{v.tokens("es").text("access_token"), v.machine("es")} {
			require.Equal(v, "at+jwt", joseHeader(v.T, token)["typ"])
		}
	})
	s.row(t, "fosite 14: a bare end-session call with only state logs out", func(v *visitor) {
		v.tokens("web")
		v.submit(v.get("/oauth2/logout?state=s"), "decision", "logout")
		v.refused(v.get(s.ask("web", "prompt", "none")), "login_required")
	})
	s.row(t, "fosite 15: CORS on discovery and keys by default", func(v *visitor) {
		for _, at := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/oauth2/jwks"} {
			a := v.send(http.MethodGet, at, nil, "Origin", "https://app.example.com")
			require.Equal(v, "*", a.header.Get("Access-Control-Allow-Origin"), at)
			require.Empty(v, a.header.Get("Access-Control-Allow-Credentials"), at)
		}
	})
}

// doubledRows send every parameter twice, with the same and with another value.
func doubledRows(t *testing.T, s *site) {
	s.row(t, "fosite 7 (regression 14): every parameter doubled at the authorization endpoint", func(v *visitor) {
		v.tokens("web")
		asked, err := url.Parse(s.ask("web", "prompt", "login", "max_age", "5", "ui_locales", "de", "claims", "{}", "login_hint", "x", "acr_values", "1", "display", "page", "id_token_hint", "x", "request", "x", "extra", "x"))
		require.NoError(v, err)
		for name := range asked.Query() {
			for _, second := range []string{asked.Query().Get(name), "other", ""} {
				a := v.get(asked.String() + "&" + url.Values{name: {second}}.Encode())
				if name == "client_id" || name == "redirect_uri" {
					v.told(a)
					continue
				}
				v.refused(a, "invalid_request")
			}
		}
	})
	s.row(t, "fosite 7 (regression 14): every parameter doubled at the other endpoints", func(v *visitor) {
		code := v.code("second")
		forms := map[string]url.Values{
			"/oauth2/token":      {"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {siteVerifier}, "redirect_uri": {siteReturns["second"]}, "scope": {"openid"}, "resource": {"https://api.example.com"}, "x": {"y"}},
			"/oauth2/revoke":     {"token": {code}, "token_type_hint": {"access_token"}, "x": {"y"}},
			"/oauth2/introspect": {"token": {code}, "token_type_hint": {"access_token"}, "x": {"y"}},
		}
		for path, form := range forms {
			form.Set("client_id", "second")
			form.Set("client_secret", siteSecret)
			for name := range form {
				if name == "resource" {
					continue // RFC 8707, section 2: may be repeated
				}
				twice := url.Values{}
				for n, values := range form {
					twice[n] = values
				}
				twice[name] = append([]string{"other"}, form[name]...)
				v.send(http.MethodPost, path, twice).fails(v.T, http.StatusBadRequest, "invalid_request")
			}
		}
		require.Equal(v, http.StatusOK, v.redeem("second", code).status, "none of that spent the code")
	})
	s.row(t, "fosite 7 (regression 14): every parameter doubled at the end-session endpoint", func(v *visitor) {
		hint := v.tokens("web").text("id_token")
		good := url.Values{"id_token_hint": {hint}, "client_id": {"web"}, "post_logout_redirect_uri": {webBye}, "state": {"s"}, "ui_locales": {"de"}}
		for name := range good {
			v.told(v.get("/oauth2/logout?" + good.Encode() + "&" + name + "=x"))
		}
		require.NotEmpty(v, v.returned(v.get(s.ask("web", "prompt", "none"))).Get("code"), "still signed in")
	})
}
