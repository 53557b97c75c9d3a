//go:build upstreams

package oidc_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/oidc"
	"keyway/provider/upstream/upstreamtest"
)

// TestWithNodeOIDCProvider is the connector at a provider that somebody else
// wrote.
func TestWithNodeOIDCProvider(t *testing.T) {
	const redirect = "http://127.0.0.1:1/login/callback/node"
	node := upstreamtest.StartNode(t, redirect)
	calls, err := outbound.New(outbound.Options{AllowLoopback: true})
	require.NoError(t, err)
	for name, change := range map[string]func(*oidc.Options){
		"with a secret":              func(o *oidc.Options) { o.ClientID, o.ClientSecret = upstreamtest.ClientID, upstreamtest.Secret },
		"with a key, ID token ES256": func(o *oidc.Options) { o.ClientID, o.Key, o.Algorithms = "signed", node.Key, []string{"ES256"} },
	} {
		t.Run(name, func(t *testing.T) {
			o := oidc.Options{
				Issuer: node.URL, RedirectURL: redirect, Scopes: []string{"profile", "email", "offline_access"}, Prompt: "consent",
				Userinfo: true, HTTP: calls.HTTP(), Now: time.Now,
			}
			change(&o)
			c, err := oidc.New(o)
			require.NoError(t, err)
			who := "ann-" + o.ClientID
			p := signInAtNode(t, c, node, who)
			require.Equal(t, []any{node.URL, who, who + "@corp.example", true, []any{"staff"}},
				[]any{p.Issuer, p.Subject, p.Claims["email"], p.Claims["email_verified"], p.Claims["groups"]})
			require.NotEmpty(t, p.RefreshToken)

			now, err := c.Follow(t.Context(), known(p))
			require.NoError(t, err)
			require.Equal(t, []any{"staff"}, now.Claims["groups"])
			require.NotEqual(t, p.RefreshToken, now.RefreshToken, "it is rotated there")
			node.Leaves(t, who)
			_, err = c.Follow(t.Context(), known(now))
			require.Equal(t, upstream.Refused, upstream.KindOf(err), "who left is refused: %v", err)
			requireSignOut(t, c, p, redirect)

			a := upstream.NewAttempt()
			to, err := c.AuthCodeURL(t.Context(), &a)
			require.NoError(t, err)
			answer := node.SignIn(t, to, redirect, "bob")
			_, err = c.Exchange(t.Context(), &a, answer)
			require.NoError(t, err)
			_, err = c.Exchange(t.Context(), &a, answer)
			require.Equal(t, upstream.Refused, upstream.KindOf(err), "a code that was used")
		})
	}
}

func signInAtNode(t *testing.T, c *oidc.Connector, node *upstreamtest.Node, who string) *upstream.Person {
	t.Helper()
	const redirect = "http://127.0.0.1:1/login/callback/node"
	a := upstream.NewAttempt()
	a.Fresh = true
	to, err := c.AuthCodeURL(t.Context(), &a)
	require.NoError(t, err)
	answer := node.SignIn(t, to, redirect, who)
	require.Equal(t, node.URL, answer.Get("iss"), "it names itself (RFC 9207)")
	other := upstream.NewAttempt()
	_, err = c.Exchange(t.Context(), &other, answer)
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "the answer of another trip")
	p, err := c.Exchange(t.Context(), &a, answer)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), p.AuthTime, time.Minute)
	return p
}

// requireSignOut requires that the provider takes the hint, and knows where to return.
func requireSignOut(t *testing.T, c *oidc.Connector, p *upstream.Person, redirect string) {
	t.Helper()
	to, err := c.SignOutURL(t.Context(), p.IDToken, redirect, "st")
	require.NoError(t, err)
	res, err := http.Get(to)
	require.NoError(t, err)
	_ = res.Body.Close()
	require.Equal(t, http.StatusOK, res.StatusCode)
	u, err := url.Parse(to)
	require.NoError(t, err)
	q := u.Query()
	q.Set("post_logout_redirect_uri", "https://evil.example")
	u.RawQuery = q.Encode()
	res, err = http.Get(u.String())
	require.NoError(t, err)
	_ = res.Body.Close()
	require.Equal(t, http.StatusBadRequest, res.StatusCode, "so the other one was understood")
}
