//go:build upstreams

package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"keyway/provider/upstream/upstreamtest"
)

// TestWithNodePeopleSignIn is the whole way of an app's person by Keyway to a
// provider that somebody else wrote, and back: by a secret, and by a key.
func TestWithNodePeopleSignIn(t *testing.T) {
	for name, c := range map[string]struct{ client, proof string }{
		"by a secret": {"keyway", `client_secret: "file:upstream"`}, "by a key": {"signed", `key: "file:node.json", algorithms: [ES256]`},
	} {
		t.Run(name, func(t *testing.T) {
			g := newAppGuest(t)
			node := upstreamtest.StartNode(t, "http://"+g.keyway+"/login/callback/node")
			key, err := json.Marshal(node.Key)
			require.NoError(t, err)
			file := filepath.Join(t.TempDir(), "node.json")
			require.NoError(t, os.WriteFile(file, key, 0o600))
			d := startFederated(t, g, `- {id: node, issuer: "`+node.URL+`", client_id: `+c.client+`, `+strings.ReplaceAll(c.proof, "node.json", file)+`,
   scopes: [profile, email, offline_access], prompt: consent, userinfo: true, domains: [corp.example], life: {recheck: 1s, logout: true}, mapping: {roles: claims.groups, login_name: subject}}
`, `- {client_id: app, GUEST, grant_types: [authorization_code, refresh_token], scopes: [openid, email, roles, offline_access]}
`)
			g.at(t, d, "app", "openid", "email", "roles", "offline_access")
			s := newSurfer(t)
			tokens := g.goesOn(t, s, func() {
				for range 2 { // the name, then the consent
					action, values := upstreamtest.NodeForm(s.page, "ann")
					require.NotEmpty(t, action, "%s\n%s", s.at, s.page)
					s.posts(action, values)
				}
			}, oauth2.SetAuthURLParam("connector", "node"), oauth2.SetAuthURLParam("max_age", "60"))
			require.NotNil(t, tokens, "%s\n%s", s.at, s.page)
			claims := g.claims(t, tokens)
			require.Equal(t, []any{"staff"}, claims["roles"])
			require.NotZero(t, claims["auth_time"])
			require.Equal(t, "ann@corp.example", g.userinfo(t, tokens)["email"])

			time.Sleep(1100 * time.Millisecond) // beyond recheck
			tokens, err = g.refresh(t, tokens)
			require.NoError(t, err, "the provider vouches for her")
			time.Sleep(1100 * time.Millisecond)
			node.Leaves(t, "ann")
			_, err = g.refresh(t, tokens)
			require.ErrorContains(t, err, "invalid_grant")
			s.open(d.URL + "/account")
			s.isAt(d.URL+"/login", "Sign in") // her browser's session has ended, too
		})
	}
}

// posts sends values to where a form of the page goes.
func (s *surfer) posts(action string, values url.Values) {
	s.Helper()
	base, err := url.Parse(s.at)
	require.NoError(s, err)
	to, err := base.Parse(action)
	require.NoError(s, err)
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, to.String(), strings.NewReader(values.Encode()))
	require.NoError(s, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.send(r)
}
