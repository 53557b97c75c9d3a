package main

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// TestAdvisories asks the running program what went wrong in others. Those
// that concern one package have their test there.
func TestAdvisories(t *testing.T) {
	s := startSite(t)
	redirectAdvisories(t, s)
	codeAdvisories(t, s)
	statusAdvisories(t, s)
	sessionAdvisories(t, s)
	inputAdvisories(t, s)
}

// nowhere wants that no browser is sent to any of these.
func (v *visitor) nowhere(client string, uris ...string) {
	v.Helper()
	for _, uri := range uris {
		v.told(v.get(v.site.ask(client, "redirect_uri", uri)))
	}
}

func redirectAdvisories(t *testing.T, s *site) {
	s.row(t, "CVE-2020-15233, GHSA-rfq3-w54c-f9q5 (fosite): a loopback redirect keeps its host and query", func(v *visitor) {
		to, err := url.Parse(v.passedTo(v.enters(v.get(s.ask("native", "redirect_uri", "http://127.0.0.1:61000/callback")), "alice")))
		require.NoError(v, err)
		require.Equal(v, "127.0.0.1:61000", to.Host)
		v.nowhere("native", "http://127.0.0.1:61000/callback?x=1", "http://localhost:61000/callback", "http://127.0.0.1:61000/other")
	})
	s.row(t, "CVE-2020-15234, GHSA-grfp-q2mm-hfp6 (fosite): redirect URIs are compared with their case", func(v *visitor) {
		v.nowhere("web", "https://app.example.com/CALLBACK", "https://app.example.com/callbacK", webReturn+"?Registered=1")
	})
	s.row(t, "CVE-2023-6291, CVE-2023-6927, CVE-2024-8883, CVE-2022-3782 (Keycloak): no wildcard, user, or encoding that is read twice", func(v *visitor) {
		v.nowhere("web", "https://app.example.com*", webReturn+"*", "https://app.example.com:pw@evil.example/callback", webReturn+"%252e%252e", webReturn+"/%2e%2e/x", "https://app.example.com%2f@evil.example", "https://app.example.com%00.evil.example/callback")
	})
	s.row(t, "CVE-2024-1132, CVE-2026-3872 (Keycloak): no traversal in a redirect URI", func(v *visitor) {
		v.nowhere("web", webReturn+"/../evil", webReturn+"/..;/evil", webReturn+"/..%2fevil", webReturn+`\..\evil`, webReturn+"/./", "https://app.example.com/x/../callback", "https://app.example.com//callback")
	})
	s.row(t, "CVE-2024-52289 (authentik): a registered URI is no pattern", func(v *visitor) {
		v.nowhere("web", "https://appXexample.com/callback", "https://app.example-com/callback", "https://app.example.com.callback", "x"+webReturn)
	})
	s.row(t, "CVE-2026-28512 (Pocket ID): a user before the host does not make it the registered one", func(v *visitor) {
		v.nowhere("web", "https://app.example.com@evil.example/callback", "https://app.example.com%40evil.example/callback", `https://app.example.com\@evil.example/callback`)
		v.nowhere("native", "http://127.0.0.1:80@evil.example/callback", "http://user@127.0.0.1:80/callback")
	})
	s.row(t, "CVE-2022-23527, CVE-2019-20479, CVE-2019-14857 (mod_auth_openidc), CVE-2021-29651 (Pomerium), Dex #4927: no open redirect after logout", func(v *visitor) {
		hint := v.tokens("web").text("id_token")
		for _, uri := range []string{"/\t/evil.example", "///evil.example", `\/evil.example`, `/\evil.example`, `https:\evil.example`, webBye + "\t", webBye + "#x", "https://app.example.com@evil.example/bye"} {
			v.told(v.get("/oauth2/logout?" + url.Values{"id_token_hint": {hint}, "post_logout_redirect_uri": {uri}}.Encode()))
		}
	})
	s.row(t, "CVE-2017-6413 (mod_auth_openidc): nothing of a request becomes a header", func(v *visitor) {
		v.tokens("web")
		const split = "x\r\nSet-Cookie: planted=1\r\n\r\n<b>"
		for _, name := range []string{"state", "redirect_uri", "response_mode", "login_hint", "ui_locales", "client_id"} {
			a := v.get(s.ask("web", name, split))
			require.NotContains(v, strings.Join(a.header.Values("Set-Cookie"), " "), "planted")
			require.NotContains(v, a.location(), "\n")
		}
		a := v.send(http.MethodGet, "/oauth2/userinfo", nil, "OIDC_CLAIM_sub", "alice", "X-Remote-User", "alice", "X-Forwarded-User", "alice")
		require.Equal(v, http.StatusUnauthorized, a.status, "no header says who somebody is")
	})
}

func codeAdvisories(t *testing.T, s *site) {
	s.row(t, "CVE-2020-5300 (Hydra), CVE-2020-15222 (fosite): a client assertion is used once", func(v *visitor) {
		assertion := s.sign(v.T, "", s.assertion())
		won := 0
		for _, a := range v.atOnce(10, func() seen { return v.asserted(assertion) }) {
			if a.status == http.StatusOK {
				won++
				continue
			}
			a.fails(v.T, http.StatusUnauthorized, "invalid_client")
		}
		require.Equal(v, 1, won)
	})
	s.row(t, "CVE-2026-4282 (Keycloak): a code that is forged or replayed is none", func(v *visitor) {
		code := v.code("web")
		for _, forged := range []string{code + "A", code[:len(code)-1], code[:len(code)-1] + "A", strings.ToUpper(code), "kw_ac_" + strings.Repeat("A", 49), code[6:], ""} {
			if forged != code {
				v.redeem("web", forged).fails(v.T, http.StatusBadRequest, "invalid_grant")
			}
		}
		require.Equal(v, http.StatusOK, v.redeem("web", code).status)
		v.redeem("web", code).fails(v.T, http.StatusBadRequest, "invalid_grant")
	})
	s.row(t, "CVE-2026-28513 (Pocket ID): a code is its client's and its verifier's, not one or the other", func(v *visitor) {
		code := v.code("second")
		v.redeem("web", code, "redirect_uri", siteReturns["second"]).fails(v.T, http.StatusBadRequest, "invalid_grant")
		v.redeem("second", code, "code_verifier", strings.Repeat("y", 43)).fails(v.T, http.StatusBadRequest, "invalid_grant")
		v.redeem("second", code, "code_verifier", "-").fails(v.T, http.StatusBadRequest, "invalid_grant")
		require.Equal(v, http.StatusOK, v.redeem("second", code).status)
	})
	s.row(t, "CVE-2024-23647 (authentik): PKCE cannot be dropped, neither from the request nor afterwards", func(v *visitor) {
		v.refused(v.get(s.ask("web", "code_challenge", "-", "code_challenge_method", "-")), "invalid_request")
		v.redeem("web", v.code("web"), "code_verifier", "-").fails(v.T, http.StatusBadRequest, "invalid_grant")
	})
	s.row(t, "CVE-2024-52287 (authentik): no scope beyond the client's by client credentials", func(v *visitor) {
		for _, scope := range []string{"admin", "openid email", "read admin", "offline_access"} {
			a := v.as("machine", "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "scope": {scope}})
			a.fails(v.T, http.StatusBadRequest, "invalid_scope")
		}
	})
	s.row(t, "CVE-2026-33496 (Oathkeeper): what one caller learnt of a token is not told to another", func(v *visitor) {
		token := v.tokens("web").text("access_token")
		require.Equal(v, true, v.introspects(token)["active"])
		require.Equal(v, map[string]any{"active": false}, v.introspectedAs("second", token), "though it was just read")
		require.Equal(v, true, v.introspectedAs("web", token)["active"])
	})
	s.row(t, "CVE-2020-10770, CVE-2026-1180 (Keycloak): no request_uri is fetched", func(v *visitor) { requireNoFetch(v, "false") })
	s.row(t, "Dex #4928: no secret of a client is in a redirect", func(v *visitor) {
		a := v.follow(v.send(http.MethodPost, "/oauth2/authorize", url.Values{"client_secret": {siteSecret}, "client_id": {"web"}, "redirect_uri": {webReturn}}))
		require.NotContains(v, a.location()+a.body, siteSecret)
		require.NotContains(v, v.at, siteSecret)
	})
}

func statusAdvisories(t *testing.T, s *site) {
	subject := func(v *visitor, name string) (string, seen) {
		v.Helper()
		a := v.redeem("web", v.passes(v.get(s.ask("web", "scope", "openid offline_access")), name).Get("code"))
		return v.idToken("web", a)["sub"].(string), a
	}
	s.row(t, "CVE-2026-16103, CVE-2026-88770 (Keycloak): what was begun before a lock is not redeemed during it", func(v *visitor) {
		code := v.passes(v.get(s.ask("second")), "locked").Get("code")
		other := s.visitor(v.T)
		page := other.get(s.ask("second"))
		for range 4 {
			require.True(v, other.submit(page, "username", "locked", "password", "wrong").has("login-error"))
		}
		v.redeem("second", code).fails(v.T, http.StatusBadRequest, "invalid_grant")
		require.True(v, other.submit(page, "username", "locked", "password", sitePassword).has("login-error"))
	})
	s.row(t, "CVE-2025-53942, CVE-2025-64521 (authentik), CVE-2026-9090 (Casdoor): who is disabled has no way in", func(v *visitor) {
		sub, a := subject(v, "leaver")
		code := v.passes(v.get(s.ask("second")), "leaver").Get("code")
		require.NoError(v, s.program.store.SetStatus(v.Context(), sub, identity.StatusDisabled))
		v.redeem("second", code).fails(v.T, http.StatusBadRequest, "invalid_grant")
		v.refreshes("web", a.text("refresh_token")).fails(v.T, http.StatusBadRequest, "invalid_grant")
		v.userinfo(a.text("access_token")).fails(v.T, http.StatusUnauthorized, "invalid_token")
		require.Equal(v, map[string]any{"active": false}, v.introspects(a.text("access_token")))
		v.refused(v.get(s.ask("second", "prompt", "none")), "login_required")
		require.True(v, v.enters(v.get(s.ask("second")), "leaver").has("login-error"))
		name, value := basicOf("off", siteSecret)
		v.send(http.MethodPost, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, name, value).fails(v.T, http.StatusUnauthorized, "invalid_client")
		require.NoError(v, s.program.store.SetStatus(v.Context(), sub, identity.StatusActive))
		v.refreshes("web", a.text("refresh_token")).fails(v.T, http.StatusBadRequest, "invalid_grant")
	})
	s.row(t, "CVE-2024-29892 (ZITADEL): no stored claim overwrites one of the provider's", func(v *visitor) {
		sub, a := subject(v, "crafty")
		require.Contains(v, s.log.String(), "a line of users_file was not applied", "the one that tries to is refused")
		claims := v.idToken("web", a)
		require.Equal(v, []any{"pwd"}, claims["amr"])
		require.NotContains(v, claims, "groups")
		told := v.userinfo(a.text("access_token")).object
		require.Equal(v, map[string]any{"sub": sub}, told)
		require.Equal(v, s.URL, v.introspects(a.text("access_token"))["iss"])
	})
}

func sessionAdvisories(t *testing.T, s *site) {
	s.row(t, "CVE-2024-7341 (Keycloak): the session is a new one after each sign-in", func(v *visitor) {
		v.tokens("second")
		old := v.sessionCookie()
		v.enters(v.get(s.ask("second", "prompt", "login")), "alice")
		require.NotEqual(v, old, v.sessionCookie())
		v.plant("__Host-keyway_session", old)
		v.refused(v.get(s.ask("second", "prompt", "none")), "login_required")
	})
	s.row(t, "CVE-2023-6787 (Keycloak): who gives up signing in anew is no more than before", func(v *visitor) {
		first := v.idToken("second", v.tokens("second"))
		s.clock.advance(time.Minute)
		page := v.get(s.ask("second", "prompt", "login"))
		require.True(v, v.submit(page, "username", "alice", "password", "wrong").has("login-error"))
		_, interaction, _ := strings.Cut(v.get(s.ask("second", "prompt", "login")).body, `name="interaction" value="`)
		interaction, _, _ = strings.Cut(interaction, `"`)
		require.True(v, v.get("/oauth2/authorize?interaction="+interaction).has("login-form"), "still asked")
		silent := v.idToken("second", v.redeem("second", v.returned(v.get(s.ask("second"))).Get("code")))
		require.Equal(v, first["auth_time"], silent["auth_time"])
		v.refused(v.get(s.ask("second", "prompt", "none", "max_age", "30")), "login_required")
	})
	s.row(t, "Dex #4927: a session that has ended is signed out", func(v *visitor) {
		v.tokens("second")
		s.clock.advance(13 * time.Hour)
		v.refused(v.get(s.ask("second", "prompt", "none")), "login_required")
		require.True(v, v.get("/account").has("login-form"))
	})
	s.row(t, "CVE-2025-27507, CVE-2025-64431 (ZITADEL): nobody ends what is another person's", func(v *visitor) {
		a := v.tokens("web")
		sid := v.idToken("web", a)["sid"].(string)
		other := s.visitor(v.T)
		other.passes(other.get(s.ask("second")), "bob")
		_, values := other.get("/account").form(v.T)
		for path, more := range map[string]string{"sessions/end": "id", "consents/revoke": "client"} {
			values.Set(more, map[string]string{"id": sid, "client": "web"}[more])
			other.follow(other.send(http.MethodPost, "/account/"+path, values))
		}
		require.NotEmpty(v, v.returned(v.get(s.ask("web", "prompt", "none"))).Get("code"))
		require.Equal(v, http.StatusOK, v.userinfo(a.text("access_token")).status)
	})
	s.row(t, "CVE-2025-64101, GHSA-93m4-mfpg-c3xf (ZITADEL), CVE-2026-33495 (Oathkeeper): no header says where we are", func(v *visitor) {
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Original-URL", "X-Forwarded-Prefix"} {
			a := v.send(http.MethodGet, s.ask("web"), nil, name, "host=evil.example;proto=http")
			require.True(v, strings.HasPrefix(a.location(), s.URL+"/login"), a.location())
			require.NotContains(v, v.send(http.MethodGet, "/.well-known/openid-configuration", nil, name, "evil.example").body, "evil.example")
		}
		req, err := http.NewRequestWithContext(v.Context(), http.MethodGet, s.ask("web"), http.NoBody)
		require.NoError(v, err)
		req.Host = "evil.example"
		require.True(v, strings.HasPrefix(v.makes(req).location(), s.URL+"/"))
	})
	s.row(t, "CVE-2024-23656 (Dex): what is configured for TLS holds", func(v *visitor) {
		address := strings.TrimPrefix(s.URL, "https://")
		_, err := (&tls.Dialer{Config: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}}).DialContext(v.Context(), "tcp", address)
		require.ErrorContains(v, err, "protocol version")
		conn, err := (&net.Dialer{}).DialContext(v.Context(), "tcp", address)
		require.NoError(v, err)
		defer conn.Close() //nolint:errcheck // the row is over
		_, err = conn.Write([]byte("GET /oauth2/jwks HTTP/1.0\r\n\r\n"))
		require.NoError(v, err)
		answer := make([]byte, 100)
		n, _ := conn.Read(answer)
		require.NotContains(v, string(answer[:n]), "200 OK", "nothing is served in the clear")
	})
}

func inputAdvisories(t *testing.T, s *site) {
	s.row(t, "CVE-2026-33504 (Hydra), CVE-2026-33503 (Kratos), CVE-2022-24124 (Casdoor): no value becomes SQL", func(v *visitor) {
		token := v.tokens("second").text("access_token")
		for _, hostile := range []string{`' OR '1'='1`, `x'; DROP TABLE oauth_token; --`, `" OR 1=1 --`, "$1", "%' UNION SELECT 1 --", `\'`} {
			for _, name := range []string{"client_id", "scope", "state", "login_hint", "id_token_hint", "ui_locales"} {
				require.Less(v, v.get(s.ask("second", name, hostile)).status, 500)
			}
			require.False(v, v.get("/login?interaction="+url.QueryEscape(hostile)).has("login-form"))
			v.redeem("second", hostile).fails(v.T, http.StatusBadRequest, "invalid_grant")
			v.refreshes("second", hostile).fails(v.T, http.StatusBadRequest, "invalid_grant")
			require.Equal(v, false, v.introspectedAs("second", hostile)["active"])
			name, value := basicOf(hostile, siteSecret)
			require.Equal(v, http.StatusUnauthorized, v.send(http.MethodPost, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}}, name, value).status)
			guest := s.visitor(v.T)
			require.True(v, guest.enters(guest.get(s.ask("second")), hostile).has("login-error"))
		}
		require.Equal(v, http.StatusOK, v.userinfo(token).status, "and nothing is gone")
	})
	s.row(t, "CVE-2024-51744, CVE-2025-30204 (golang-jwt): a token is good in every way or in none, and dots cost nothing", func(v *visitor) {
		a := v.tokens("es")
		s.clock.advance(24 * time.Hour)
		for _, token := range []string{a.text("access_token"), unsignedToken(a.text("access_token"), "none"), strings.Repeat(".", 8000), "a" + strings.Repeat(".b", 4000)} {
			v.userinfo(token).fails(v.T, http.StatusUnauthorized, "invalid_token")
			require.Contains(v, []int{http.StatusBadRequest, http.StatusUnauthorized}, v.asserted(token).status)
		}
	})
	s.row(t, "CVE-2014-0058 (JBoss), CVE-2012-2746 (389 Directory Server): no parameter is logged", func(v *visitor) {
		const planted = "planted-7d1f0b"
		v.send(http.MethodPost, "/oauth2/token?password="+planted, url.Values{"grant_type": {"password"}, "username": {planted}, "password": {planted}, "code": {planted}})
		guest := s.visitor(v.T)
		guest.submit(guest.get(s.ask("web", "state", planted, "login_hint", planted)), "username", planted, "password", planted)
		guest.get("/oauth2/logout?id_token_hint=" + planted + "&state=" + planted)
		require.NotContains(v, s.log.String(), planted)
	})
}
