package main

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// codeAttacks are the rows about codes and tokens.
func codeAttacks(t *testing.T, s *site) {
	refused := func(v *visitor, a seen) { v.Helper(); a.fails(v.T, http.StatusBadRequest, "invalid_grant") }
	s.row(t, "attack 3: a code twice: refused, and the first tokens are revoked", func(v *visitor) {
		code := v.code("web", "scope", "openid offline_access")
		first := v.redeem("web", code)
		refused(v, v.redeem("web", code))
		require.Equal(v, false, v.introspects(first.text("access_token"))["active"])
		refused(v, v.refreshes("web", first.text("refresh_token")))
	})
	s.row(t, "attack 3: a code in parallel: one wins at most", func(v *visitor) {
		code := v.code("web")
		answers := v.atOnce(20, func() seen { return v.redeem("web", code) })
		won := 0
		for _, a := range answers {
			if a.status == http.StatusOK {
				won++
				v.userinfo(a.text("access_token")).fails(v.T, http.StatusUnauthorized, "invalid_token")
				continue
			}
			refused(v, a)
		}
		require.Equal(v, 1, won)
	})
	s.row(t, "attack 3: a code by another client: refused, and the owner's tokens live on", func(v *visitor) {
		code := v.code("web")
		for _, other := range []string{"second", "native", "signer"} {
			refused(v, v.redeem(other, code, "redirect_uri", webReturn))
		}
		first := v.redeem("web", code)
		require.Equal(v, http.StatusOK, first.status, first.body)
		refused(v, v.redeem("second", code, "redirect_uri", webReturn))
		require.Equal(v, http.StatusOK, v.userinfo(first.text("access_token")).status)
	})
	for name, more := range map[string][]string{
		"another redirect_uri": {"redirect_uri", webReturn + "/"}, "no redirect_uri": {"redirect_uri", "-"}, "no verifier": {"code_verifier", "-"},
		"an empty verifier": {"code_verifier", ""}, "another verifier": {"code_verifier", strings.Repeat("x", 43)},
		"the challenge as verifier": {"code_verifier", oauth2.S256ChallengeFromVerifier(siteVerifier)},
		"the end cut off":           {"code", "kw_ac_x"}, "no code": {"code", "-"},
	} {
		s.row(t, "attack 3: a code with "+name, func(v *visitor) {
			for _, client := range []string{"web", "native"} {
				if client == "native" && strings.HasSuffix(name, "redirect_uri") {
					continue // its own one is another
				}
				code := v.code(client)
				refused(v, v.redeem(client, code, more...))
				require.Equal(v, http.StatusOK, v.redeem(client, code).status, "the code is still good for its owner")
			}
		})
	}
	for name, more := range map[string][]string{
		"no challenge": {"code_challenge", "-", "code_challenge_method", "-"}, "a method alone": {"code_challenge", "-"},
		"plain": {"code_challenge_method", "plain"}, "plain by default": {"code_challenge_method", "-"}, "an empty challenge": {"code_challenge", ""},
	} {
		s.row(t, "attack 4: "+name+" in the request", func(v *visitor) {
			v.code("web")
			v.refused(v.get(s.ask("web", more...)), "invalid_request")
			v.refused(v.get(s.ask("native", more...)), "invalid_request")
		})
	}
	refreshAttacks(t, s)
	bearerAttacks(t, s)
}

func refreshAttacks(t *testing.T, s *site) {
	begin := func(v *visitor) seen { return v.tokens("web", "scope", "openid offline_access email") }
	s.row(t, "attack 5: an old refresh token: the family dies", func(v *visitor) {
		first := begin(v)
		second := v.refreshes("web", first.text("refresh_token"))
		require.Equal(v, http.StatusOK, second.status, second.body)
		s.clock.advance(time.Minute)
		v.refreshes("web", first.text("refresh_token")).fails(v.T, http.StatusBadRequest, "invalid_grant")
		v.refreshes("web", second.text("refresh_token")).fails(v.T, http.StatusBadRequest, "invalid_grant")
		v.userinfo(second.text("access_token")).fails(v.T, http.StatusUnauthorized, "invalid_token")
	})
	s.row(t, "attack 5: ten at once: one winner", func(v *visitor) { requireOneSuccessor(v, begin(v).text("refresh_token")) })
	s.row(t, "attack 5: an old refresh token of another client leaves the family alone", func(v *visitor) {
		first := begin(v)
		second := v.refreshes("web", first.text("refresh_token"))
		s.clock.advance(time.Minute)
		v.refreshes("second", first.text("refresh_token")).fails(v.T, http.StatusBadRequest, "invalid_grant")
		require.Equal(v, http.StatusOK, v.refreshes("web", second.text("refresh_token")).status)
	})
	s.row(t, "attack 6: widen scope on refresh: refused", func(v *visitor) {
		refresh := begin(v).text("refresh_token")
		for _, wider := range []string{"openid phone", "openid email read", "admin"} {
			v.refreshes("web", refresh, "scope", wider).fails(v.T, http.StatusBadRequest, "invalid_scope")
		}
		require.Equal(v, http.StatusOK, v.refreshes("web", refresh).status)
	})
}

// requireOneSuccessor refreshes ten times at once: whoever gets an answer gets
// the same successor.
func requireOneSuccessor(v *visitor, refresh string) {
	v.Helper()
	successors := map[string]bool{}
	for _, a := range v.atOnce(10, func() seen { return v.refreshes("web", refresh) }) {
		if a.status == http.StatusOK {
			successors[a.text("refresh_token")] = true
			continue
		}
		a.fails(v.T, http.StatusBadRequest, "invalid_grant")
	}
	require.Len(v, successors, 1)
}

// atOnce makes n requests at the same time.
func (v *visitor) atOnce(n int, request func() seen) []seen {
	v.Helper()
	answers := make([]seen, n)
	var wait sync.WaitGroup
	for i := range answers {
		wait.Go(func() { answers[i] = request() })
	}
	wait.Wait()
	return answers
}

func bearerAttacks(t *testing.T, s *site) {
	s.row(t, "attack 7: access token in the query", func(v *visitor) {
		token := v.tokens("web").text("access_token")
		a := v.send(http.MethodGet, "/oauth2/userinfo?access_token="+token, nil)
		require.Equal(v, http.StatusUnauthorized, a.status)
		require.NotContains(v, a.body, token)
		a = v.send(http.MethodPost, "/oauth2/userinfo?access_token="+token, url.Values{})
		require.Equal(v, http.StatusUnauthorized, a.status)
	})
	for name, pick := range map[string]func(v *visitor) string{
		"ID token": func(v *visitor) string { return v.tokens("web").text("id_token") },
		"refresh token": func(v *visitor) string {
			return v.tokens("web", "scope", "openid offline_access").text("refresh_token")
		},
		"machine token": func(v *visitor) string { return v.machine("machine") },
		"machine JWT":   func(v *visitor) string { return v.machine("es") },
		"code":          func(v *visitor) string { return v.code("web") },
	} {
		s.row(t, "attack 7: "+name+" as access token", func(v *visitor) {
			token := pick(v)
			require.NotEmpty(v, token)
			v.userinfo(token).fails(v.T, http.StatusUnauthorized, "invalid_token")
		})
	}
}

// machine is an access token that a client got for itself.
func (v *visitor) machine(client string) string {
	v.Helper()
	a := v.as(client, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"openid"}})
	require.Equal(v, http.StatusOK, a.status, a.body)
	return a.text("access_token")
}

// introspects is what the introspection endpoint says of a token.
func (v *visitor) introspects(token string) map[string]any {
	v.Helper()
	a := v.as("machine", "/oauth2/introspect", url.Values{"token": {token}})
	require.Equal(v, http.StatusOK, a.status, a.body)
	return a.object
}
