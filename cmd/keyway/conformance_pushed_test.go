package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"keyway/provider"
)

// pushes pushes a good authorization request (RFC 9126), with parameters
// changed or, where the value is "-", left out.
func (v *visitor) pushes(client string, more ...string) seen {
	v.Helper()
	u, err := url.Parse(v.site.ask(client, more...))
	require.NoError(v, err)
	return v.as(client, "/oauth2/par", u.Query())
}

// pushed is the link that a pushed request is opened by.
func (v *visitor) pushed(client string, more ...string) string {
	v.Helper()
	a := v.pushes(client, more...)
	require.Equal(v, http.StatusCreated, a.status, a.body)
	require.Equal(v, "no-store", a.header.Get("Cache-Control"))
	return v.opens(client, a.text("request_uri"))
}

func (v *visitor) opens(client, uri string) string {
	return v.site.URL + "/oauth2/authorize?" + url.Values{"client_id": {client}, "request_uri": {uri}}.Encode()
}

// pushedAttacks are the rows about pushed requests, and about what was
// not said in a request.
func pushedAttacks(t *testing.T, s *site) {
	s.row(t, "attack 9: PAR of another client: refused", func(v *visitor) {
		uri := v.pushes("second").text("request_uri")
		v.tokens("web")
		a := v.get(v.opens("web", uri))
		require.Empty(v, a.location())
		v.told(a)
		require.NotEmpty(v, v.returned(v.get(v.opens("second", uri))).Get("code"), "and still good for its own")
	})
	s.row(t, "attack 9: PAR by another client's name", func(v *visitor) {
		name, value := basicOf("web", siteSecret)
		v.send(http.MethodPost, "/oauth2/par", url.Values{"client_id": {"second"}, "response_type": {"code"}}, name, value).
			fails(v.T, http.StatusBadRequest, "invalid_request")
		v.send(http.MethodPost, "/oauth2/par", url.Values{"client_id": {"web"}, "response_type": {"code"}}).
			fails(v.T, http.StatusUnauthorized, "invalid_client")
	})
	s.row(t, "fosite.md, regression 10: a pushed request keeps no secret, is used once, and in time", func(v *visitor) {
		link := v.pushed("second")
		again := v.get(link)
		require.True(v, again.has("login-form"))
		require.True(v, v.get(link).has("login-form"), "opening the link twice before finishing works")
		require.NotEmpty(v, v.enters(v.get(link), "alice").location())
		v.refused(v.get(link), "invalid_request_uri")
		expired := v.pushed("second")
		s.clock.advance(10 * time.Minute)
		v.refused(v.get(expired), "invalid_request_uri")
		require.NotContains(v, readSite(v.T, s, "keyway.db")+readSite(v.T, s, "keyway.db-wal"), siteSecret)
	})
	s.row(t, "PAR: PKCE S256 only; request_uri inside refused; wrong HTTP method refused", func(v *visitor) {
		v.pushes("second", "code_challenge_method", "plain").fails(v.T, http.StatusBadRequest, "invalid_request")
		v.pushes("second", "code_challenge", "-").fails(v.T, http.StatusBadRequest, "invalid_request")
		v.pushes("second", "request_uri", v.pushes("second").text("request_uri")).fails(v.T, http.StatusBadRequest, "invalid_request")
		v.pushes("second", "redirect_uri", "https://evil.example/").fails(v.T, http.StatusBadRequest, "invalid_request")
		require.Equal(v, http.StatusMethodNotAllowed, v.send(http.MethodGet, "/oauth2/par", nil).status)
	})
	s.row(t, "attack 4: drop the challenge from the request and send a verifier, or the reverse, where PKCE is optional", func(v *visitor) {
		s.alter(v.T, "second", func(c *provider.Client) { c.PKCEOptional = true })
		without := v.code("second", "code_challenge", "-", "code_challenge_method", "-")
		v.redeem("second", without).fails(v.T, http.StatusBadRequest, "invalid_grant")
		with := v.code("second", "code_challenge", oauth2.S256ChallengeFromVerifier(siteVerifier))
		v.redeem("second", with, "code_verifier", "-").fails(v.T, http.StatusBadRequest, "invalid_grant")
		v.redeem("second", with, "code_verifier", strings.Repeat("z", 43)).fails(v.T, http.StatusBadRequest, "invalid_grant")
		v.refused(v.get(s.ask("second", "code_challenge_method", "plain")), "invalid_request")
		require.Equal(v, http.StatusOK, v.redeem("second", with).status)
	})
}
