package provider_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/exchange"
	"keyway/provider/upstream/upstreamtest"
)

// TestGHSA7qjxConnectorsHoldForEveryWordOnAPerson: a client that admits people of some
// connectors only is given nobody by an exchange or an assertion either, be the word on
// them a legacy login, an ID token or somebody else's (GHSA-7qjx-gp9h-65qj; Dex #4784,
// #4889).
func TestGHSA7qjxConnectorsHoldForEveryWordOnAPerson(t *testing.T) {
	exchangeOnEach(t, func(t *testing.T, w *world, key *ecdsa.PrivateKey) {
		say := func() string {
			now := w.clock.Now()
			return assert(t, "ES256", key, map[string]any{
				"iss": corp, "aud": issuer, "sub": "alice", "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(4 * time.Minute).Unix(),
			})
		}
		c, err := w.store.FindClient(t.Context(), "service")
		require.NoError(t, err)
		c.GrantTypes = append(c.GrantTypes, "refresh_token")
		require.NoError(t, w.SaveClient(t.Context(), c))
		_, id := w.tokensOf(t, "service", "openid", "read", "offline_access")
		for name, ask := range map[string]func() answer{
			"a legacy login's token":   func() answer { return w.exchangeToken("service", w.legacy(t)) },
			"an ID token of its own":   func() answer { return w.exchangeToken("service", id, "subject_token_type", exchange.TypeIDToken) },
			"a trusted issuer's token": func() answer { return w.exchangeToken("service", say(), "subject_token_type", exchange.TypeJWT) },
			"an assertion (RFC 7523)": func() answer {
				return w.post("/oauth2/token", "service", url.Values{"grant_type": {bearerGrant}, "assertion": {say()}})
			},
		} {
			w.restrict(t, "service", "local")
			a := ask()
			require.Equal(t, http.StatusOK, a.status, "%s: %s", name, a.raw)
			w.restrict(t, "service", "corp")
			wantError(t, ask(), http.StatusBadRequest, "invalid_grant")
		}
	})
}

// TestCVE202439315NoPageShowsAnUpstreamsToken: what an upstream gave is for no browser
// and for no client's eyes (Pomerium CVE-2024-39315).
func TestCVE202439315NoPageShowsAnUpstreamsToken(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		idp.Answer = map[string]any{"access_token": "upstream-access", "refresh_token": "upstream-refresh"}
		idp.Lie = func(c map[string]any) { delete(c, "at_hash") }
		defer func() { idp.Answer = nil }()
		b := w.newBrowser()
		back := b.arrives(t, idp, b.get(ask("web", "connector", "corp", "scope", "openid email profile offline_access")))
		tokens := w.redeem("web", returned(t, back).Get("code"))
		access := tokens.str("access_token")
		link, err := w.store.FindLink(t.Context(), idp.URL, "u1")
		require.NoError(t, err)
		require.Equal(t, "upstream-refresh", string(link.RefreshToken), "it is kept")
		for name, seen := range map[string]string{
			"the answer": back.raw + back.header.Get("Location"), "the tokens": tokens.raw, "the account page": b.get(issuer + "/account").raw,
			"introspection": w.introspect(access).raw, "userinfo": w.userinfo(access).raw, "the log": w.log.text(),
		} {
			require.NotContains(t, seen, "upstream-access", name)
			require.NotContains(t, seen, "upstream-refresh", name)
		}
	})
}
