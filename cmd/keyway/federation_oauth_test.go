package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"keyway/provider/upstream/upstreamtest"
)

// appGuest is an app that signs people in at a Keyway.
type appGuest struct {
	*httptest.Server
	config   oauth2.Config
	provider *coreosoidc.Provider
	answer   url.Values // of the last sign-in
	keyway   string     // where the Keyway is to listen
}

// guestSecret is the secret of every guest.
const guestSecret = "guest-secret-71c8e5d20b9f4a36"

func newAppGuest(t *testing.T) *appGuest {
	t.Helper()
	g := &appGuest{keyway: freeAddress(t)}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.answer = r.URL.Query()
		_, _ = w.Write([]byte("at the app"))
	}))
	t.Cleanup(g.Close)
	return g
}

// at makes the app one of d's clients.
func (g *appGuest) at(t *testing.T, d *demo, client string, scopes ...string) {
	t.Helper()
	var err error
	g.provider, err = coreosoidc.NewProvider(t.Context(), d.URL)
	require.NoError(t, err)
	g.config = oauth2.Config{ClientID: client, ClientSecret: guestSecret, RedirectURL: g.URL, Endpoint: g.provider.Endpoint(), Scopes: scopes}
}

// signIn sends the browser to d and back, and returns the tokens; nil where the
// browser did not come back.
func (g *appGuest) signIn(t *testing.T, s *surfer, params ...oauth2.AuthCodeOption) *oauth2.Token {
	t.Helper()
	return g.goesOn(t, s, func() {}, params...)
}

// goesOn is signIn for a browser that has to do something on its way.
func (g *appGuest) goesOn(t *testing.T, s *surfer, onTheWay func(), params ...oauth2.AuthCodeOption) *oauth2.Token {
	t.Helper()
	verifier := oauth2.GenerateVerifier()
	g.answer = nil
	s.open(g.config.AuthCodeURL("state-of-the-app", append(params, oauth2.S256ChallengeOption(verifier))...))
	onTheWay()
	if g.answer.Get("code") == "" {
		return nil
	}
	require.Equal(t, "state-of-the-app", g.answer.Get("state"))
	tokens, err := g.config.Exchange(t.Context(), g.answer.Get("code"), oauth2.VerifierOption(verifier))
	require.NoError(t, err)
	return tokens
}

// claims are those of the ID token.
func (g *appGuest) claims(t *testing.T, tokens *oauth2.Token) map[string]any {
	t.Helper()
	raw, _ := tokens.Extra("id_token").(string)
	id, err := g.provider.Verifier(&coreosoidc.Config{ClientID: g.config.ClientID}).Verify(t.Context(), raw)
	require.NoError(t, err)
	claims := map[string]any{}
	require.NoError(t, id.Claims(&claims))
	return claims
}

func (g *appGuest) refresh(t *testing.T, tokens *oauth2.Token) (*oauth2.Token, error) {
	t.Helper()
	return g.config.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
}

func (g *appGuest) userinfo(t *testing.T, tokens *oauth2.Token) map[string]any {
	t.Helper()
	answer, err := g.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
	require.NoError(t, err)
	claims := map[string]any{}
	require.NoError(t, answer.Claims(&claims))
	return claims
}

// introspect asks as the app itself.
func (g *appGuest) introspect(t *testing.T, d *demo, token string) map[string]any {
	t.Helper()
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(g.config.ClientID, g.config.ClientSecret)
	status, _, body := d.post(t, "/oauth2/introspect", url.Values{"token": {token}}.Encode(), "Authorization", r.Header.Get("Authorization"))
	require.Equal(t, http.StatusOK, status, "%s", body)
	answer := map[string]any{}
	require.NoError(t, json.Unmarshal(body, &answer))
	return answer
}

// startFederated starts a Keyway with connectors and clients, which come back to
// the app.
func startFederated(t *testing.T, g *appGuest, connectors, clients string) *demo {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "guest"), []byte(guestSecret), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "upstream"), []byte(upstreamtest.Secret), 0o600))
	text := "database: keyway.db\npasswords: {argon2: {memory_kib: 8, iterations: 1, parallelism: 1}}\noutbound: {allow_loopback: true}\n" +
		"connectors:\n" + connectors + "clients:\n" + strings.ReplaceAll(clients, "GUEST", `secret: "file:guest", skip_consent: true, redirect_uris: ["`+g.URL+`"]`)
	return startServeAt(t, g.keyway, dir, text)
}

func TestSigningInAtAnUpstreamOfPlainOAuth2(t *testing.T) {
	hub, g := upstreamtest.NewAPI(t), newAppGuest(t)
	d := startFederated(t, g, `- {id: git, name: Git, type: oauth, client_id: keyway, client_secret: "file:upstream", hidden: true,
   oauth: {preset: github, base_url: "`+hub.URL+`", groups: true}, life: {recheck: 1s}, mapping: {allow: '"42" in claims.group_ids', roles: claims.groups, login_name: claims.login}}
`, `- {client_id: app, GUEST, grant_types: [authorization_code, refresh_token], scopes: [openid, profile, email, roles, offline_access]}
- {client_id: jwt, GUEST, grant_types: [authorization_code], scopes: [openid, roles], access_token_format: at+jwt, roles_claim: groups, roles: [corp*]}
- {client_id: other, GUEST, grant_types: [authorization_code], scopes: [openid, roles], connectors: [local]}
`)
	to := oauth2.SetAuthURLParam("connector", "git")
	g.at(t, d, "app", "openid", "profile", "email", "roles")
	s := newSurfer(t)
	tokens := g.signIn(t, s, to)
	require.NotNil(t, tokens, "%s\n%s", s.at, s.page)
	claims, about := g.claims(t, tokens), g.userinfo(t, tokens)
	require.Equal(t, []any{"corp", "hobby"}, claims["roles"])
	require.Equal(t, []any{"corp", "hobby"}, about["roles"])
	require.Equal(t, []any{"corp", "hobby"}, g.introspect(t, d, tokens.AccessToken)["roles"])
	require.Equal(t, []any{"octo", "Octo Cat", "octo@corp.example", true},
		[]any{about["preferred_username"], about["name"], about["email"], about["email_verified"]})
	require.NotContains(t, claims, "auth_time", "nobody knows when they proved themselves")
	subject := claims["sub"]

	t.Run("the roles go under the client's own name, through its filter, into a JWT", func(t *testing.T) {
		g.at(t, d, "jwt", "openid", "roles")
		tokens := g.signIn(t, s, to)
		require.NotNil(t, tokens, s.page)
		token, err := g.provider.Verifier(&coreosoidc.Config{SkipClientIDCheck: true, SupportedSigningAlgs: []string{"ES256"}}).Verify(t.Context(), tokens.AccessToken)
		require.NoError(t, err)
		inside := map[string]any{}
		require.NoError(t, token.Claims(&inside))
		for name, claims := range map[string]map[string]any{"ID token": g.claims(t, tokens), "JWT": inside, "userinfo": g.userinfo(t, tokens), "introspection": g.introspect(t, d, tokens.AccessToken)} {
			require.Equal(t, []any{"corp"}, claims["groups"], name)
			require.NotContains(t, claims, "roles", name)
			require.Equal(t, subject, claims["sub"], name)
		}
	})
	t.Run("who does not ask is told of none", func(t *testing.T) {
		g.at(t, d, "app", "openid")
		tokens := g.signIn(t, s, to)
		require.NotContains(t, g.claims(t, tokens), "roles")
		require.NotContains(t, g.userinfo(t, tokens), "roles")
		require.NotContains(t, g.introspect(t, d, tokens.AccessToken), "roles")
	})
	t.Run("discovery says so", func(t *testing.T) {
		var said struct {
			Scopes []string `json:"scopes_supported"`
			Claims []string `json:"claims_supported"`
		}
		require.NoError(t, g.provider.Claims(&said))
		require.Contains(t, said.Scopes, "roles")
		require.Contains(t, said.Claims, "roles")
	})
	t.Run("a client that admits nobody from there does not let them in", func(t *testing.T) {
		g.at(t, d, "other", "openid", "roles")
		require.Nil(t, g.signIn(t, s, to))
	})
	t.Run("a sign-in of now is not to be had there", func(t *testing.T) {
		g.at(t, d, "app", "openid")
		require.Nil(t, g.signIn(t, newSurfer(t), to, oauth2.SetAuthURLParam("prompt", "login")))
	})
	t.Run("roles follow, and who takes the app's right back there loses what they have here", func(t *testing.T) {
		g.at(t, d, "app", "openid", "roles", "offline_access")
		tokens := g.signIn(t, newSurfer(t), to)
		require.NotNil(t, tokens)
		hub.Change(func() { hub.Body["/api/v3/user/orgs"] = `[{"login":"corp","id":42},{"login":"new","id":45}]` })
		time.Sleep(1100 * time.Millisecond) // beyond recheck
		tokens, err := g.refresh(t, tokens)
		require.NoError(t, err)
		require.Equal(t, []any{"corp", "new"}, g.userinfo(t, tokens)["roles"])
		hub.Change(func() { clear(hub.Tokens) })
		time.Sleep(1100 * time.Millisecond)
		_, err = g.refresh(t, tokens)
		require.ErrorContains(t, err, "invalid_grant")
	})
	t.Run("who leaves the organization is refused, and a page says so", func(t *testing.T) {
		hub.Body["/api/v3/user/orgs"] = `[{"login":"corp","id":44}]`
		s := newSurfer(t)
		require.Nil(t, g.signIn(t, s, to), "somebody else has its name now")
		require.Equal(t, http.StatusForbidden, s.status)
	})
}

// newKey writes a private key into a folder.
func newKey(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "corp.pem"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600))
}

func TestSigningInAtAnotherKeywayByAKey(t *testing.T) {
	keys, g := t.TempDir(), newAppGuest(t)
	newKey(t, keys)
	file := writeConfig(t, t.TempDir(), "connectors:\n- {id: corp, issuer: \"https://corp.example\", client_id: k, key: \"file:"+keys+"/corp.pem\"}\n- {id: plain, issuer: \"https://plain.example\", client_id: k}\n")
	code, public, stderr := runKeyway(t, "connectors", "key", "corp", "--config", file)
	require.Zero(t, code, stderr)
	require.NotContains(t, public, `"d"`, "the private half stays here")
	require.NoError(t, os.WriteFile(filepath.Join(keys, "public.json"), []byte(public), 0o600))
	code, _, stderr = runKeyway(t, "connectors", "key", "plain", "--config", file)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "connector plain has no key")

	users := filepath.Join(keys, "users.jsonl")
	require.NoError(t, os.WriteFile(users, []byte(`{"login_names":["ann"],"email":"ann@corp.example","email_verified":true,"status":"active","password":"correct-horse"}`), 0o600))
	corp := startServe(t, t.TempDir(), "database: keyway.db\nusers_file: "+users+"\npasswords: {argon2: {memory_kib: 8, iterations: 1, parallelism: 1}}\n"+
		"clients:\n- {client_id: k, auth_method: private_key_jwt, jwks: \""+keys+"/public.json\", grant_types: [authorization_code], scopes: [openid, profile, email],\n"+
		"   skip_consent: true, redirect_uris: [\"http://"+g.keyway+"/login/callback/corp\"]}\n")
	d := startFederated(t, g, `- {id: corp, issuer: "`+corp.URL+`", client_id: k, key: "file:`+keys+`/corp.pem", skew: 10s, refresh: 5m, algorithms: [RS256], params: {domain_hint: corp.example}, userinfo: true}
`, `- {client_id: app, GUEST, grant_types: [authorization_code], scopes: [openid, email], connectors: [corp]}
`)
	g.at(t, d, "app", "openid", "email")
	s := newSurfer(t)
	tokens := g.goesOn(t, s, func() {
		s.isAt(corp.URL + "/login") // the client's one connector leads there
		s.submit("login-form", "username", "ann", "password", "correct-horse")
	})
	require.NotNil(t, tokens, "%s\n%s", s.at, s.page)
	require.Equal(t, "ann@corp.example", g.userinfo(t, tokens)["email"])
}
