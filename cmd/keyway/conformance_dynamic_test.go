package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/config"
)

// invite runs the command that lets clients register themselves.
func (s *site) invite(t *testing.T, more ...string) (token string) {
	t.Helper()
	args := append([]string{"clients", "invite", "--config", filepath.Join(s.Dir, "keyway.yaml"), "--uses", "50"}, more...)
	code, stdout, stderr := runKeyway(t, args...)
	require.Zero(t, code, stderr)
	_, rest, ok := strings.Cut(stdout, "initial_access_token: ")
	require.True(t, ok, stdout)
	token, _, _ = strings.Cut(rest, "\n")
	return token
}

// says sends a JSON body with a bearer token.
func (v *visitor) says(method, target, token string, body map[string]any) seen {
	v.Helper()
	b, err := json.Marshal(body)
	require.NoError(v, err)
	req, err := http.NewRequestWithContext(v.Context(), method, target, strings.NewReader(string(b)))
	require.NoError(v, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+token)
	return v.makes(req)
}

// registers registers a client that returns to the site's client web's address.
func (v *visitor) registers(token string, more ...any) seen {
	v.Helper()
	body := map[string]any{"redirect_uris": []string{webReturn}, "client_name": "Preview", "contacts": []string{"ops@app.example.com"}}
	for i := 0; i+1 < len(more); i += 2 {
		name, _ := more[i].(string)
		body[name] = more[i+1]
	}
	at, _ := v.metadata()["registration_endpoint"].(string)
	require.NotEmpty(v, at)
	return v.says(http.MethodPost, at, token, body)
}

// registered registers a client that must be accepted.
func (v *visitor) registered(token string, more ...any) seen {
	v.Helper()
	a := v.registers(token, more...)
	require.Equal(v, http.StatusCreated, a.status, a.body)
	return a
}

// tokensOf signs alice in for a client that authenticates by its secret.
func (v *visitor) tokensOf(client seen) seen {
	v.Helper()
	id := client.text("client_id")
	code := v.passes(v.get(v.site.ask(id, "redirect_uri", webReturn)), "alice").Get("code")
	name, value := basicOf(id, client.text("client_secret"))
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {siteVerifier}, "redirect_uri": {webReturn}}
	a := v.send(http.MethodPost, "/oauth2/token", form, name, value)
	require.Equal(v, http.StatusOK, a.status, a.body)
	return a
}

// TestDynamicOP asks the running program the rows of Dynamic OP that it offers.
func TestDynamicOP(t *testing.T) {
	s := startSite(t, func(c *config.Config) { c.Registration.Mode, c.Outbound.AllowLoopback = "token", true })
	token := s.invite(t)
	s.row(t, "Dynamic OP: registration answers with the stored metadata and a management URI", func(v *visitor) {
		a := v.registered(token)
		require.Equal(v, "Preview", a.text("client_name"))
		b := v.says(http.MethodGet, a.text("registration_client_uri"), a.text("registration_access_token"), nil)
		require.Equal(v, http.StatusOK, b.status, b.body)
		require.Equal(v, a.object["redirect_uris"], b.object["redirect_uris"])
		require.Equal(v, a.text("registration_access_token"), b.text("registration_access_token"))
		require.Equal(v, "RS256", joseHeader(v.T, v.tokensOf(a).text("id_token"))["alg"])
	})
	s.row(t, "Dynamic OP: id_token_signed_response_alg as asked; none is refused", func(v *visitor) {
		require.Equal(v, "ES256", joseHeader(v.T, v.tokensOf(v.registered(token, "id_token_signed_response_alg", "ES256")).text("id_token"))["alg"])
		v.registers(token, "id_token_signed_response_alg", "none").fails(v.T, 400, "invalid_client_metadata")
	})
	s.row(t, "Dynamic OP: userinfo signed if asked", func(v *visitor) {
		a := v.userinfo(v.tokensOf(v.registered(token, "userinfo_signed_response_alg", "RS256")).text("access_token"))
		require.Equal(v, http.StatusOK, a.status)
		require.True(v, strings.HasPrefix(a.header.Get("Content-Type"), "application/jwt"), a.header.Get("Content-Type"))
	})
	s.row(t, "Dynamic OP: missing redirect_uri with two registered is an error page; a query must match; a fragment is refused", func(v *visitor) {
		a := v.registered(token, "redirect_uris", []string{webReturn, webReturn + "?a=1"})
		for _, uri := range []string{"-", webReturn + "?a=2", webReturn + "?a=1&b=2", webReturn + "?b=2"} {
			v.told(v.get(s.ask(a.text("client_id"), "redirect_uri", uri)))
		}
		require.True(v, v.get(s.ask(a.text("client_id"), "redirect_uri", webReturn+"?a=1")).has("login-form"))
		v.registers(token, "redirect_uris", []string{webReturn + "#x"}).fails(v.T, 400, "invalid_redirect_uri")
	})
	s.row(t, "Dynamic OP: policy and tos shown on the login page, and no foreign picture", func(v *visitor) {
		a := v.registered(token, "policy_uri", "https://app.example.com/policy", "tos_uri", "https://app.example.com/terms", "logo_uri", "https://app.example.com/logo.png")
		page := v.get(s.ask(a.text("client_id"), "redirect_uri", webReturn))
		require.Contains(v, page.body, `href="https://app.example.com/policy"`)
		require.Contains(v, page.body, `href="https://app.example.com/terms"`)
		require.NotContains(v, page.body, "logo.png")
		require.True(v, v.enters(page, "alice").has("unvouched"))
	})
	keyRows(t, s, token)
}

// keyRows are those of a client that publishes keys.
func keyRows(t *testing.T, s *site, token string) {
	var key atomic.Pointer[jose.JSONWebKey]
	rotate := func(kid string) {
		fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		require.NoError(t, err)
		key.Store(&jose.JSONWebKey{Key: fresh, KeyID: kid, Algorithm: "ES256"})
	}
	rotate("first")
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/sector" {
			_, _ = w.Write([]byte(`["` + webReturn + `"]`))
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Load().Public()}})
	}))
	t.Cleanup(app.Close)
	s.row(t, "Dynamic OP: jwks_uri fetched; client assertion with the issuer as aud accepted; RP key rotation with private_key_jwt works within a minute", func(v *visitor) {
		a := v.registered(token, "token_endpoint_auth_method", "private_key_jwt", "jwks_uri", app.URL+"/jwks")
		require.Empty(v, a.text("client_secret"))
		for _, kid := range []string{"first", "second"} {
			rotate(kid)
			code := v.passes(v.get(s.ask(a.text("client_id"), "redirect_uri", webReturn)), "alice").Get("code")
			answer := v.send(http.MethodPost, "/oauth2/token", url.Values{
				"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {siteVerifier}, "redirect_uri": {webReturn},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
				"client_assertion":      {assertionBy(v.T, s, key.Load(), a.text("client_id"))},
			})
			require.Equal(v, http.StatusOK, answer.status, answer.body)
			s.clock.advance(30 * time.Second)
		}
	})
	s.row(t, "Dynamic OP: sector_identifier_uri checked against its list", func(v *visitor) {
		v.registered(token, "sector_identifier_uri", app.URL+"/sector")
		v.registers(token, "sector_identifier_uri", app.URL+"/sector", "redirect_uris", []string{webReturn, webReturn + "?b=1"}).fails(v.T, 400, "invalid_client_metadata")
	})
}

// assertionBy is a client assertion with a key.
func assertionBy(t *testing.T, s *site, key *jose.JSONWebKey, client string) string {
	t.Helper()
	claims := s.assertion()
	claims["iss"], claims["sub"] = client, client
	private, ok := key.Key.(crypto.Signer)
	require.True(t, ok)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: private, KeyID: key.KeyID}}, nil)
	require.NoError(t, err)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := signer.Sign(payload)
	require.NoError(t, err)
	compact, err := signed.CompactSerialize()
	require.NoError(t, err)
	return compact
}

func TestClientsAreInvitedAndShown(t *testing.T) {
	s := startSite(t, func(c *config.Config) { c.Registration.Mode = "token" })
	file := filepath.Join(s.Dir, "keyway.yaml")
	token := s.invite(t, "--scope", "openid", "--note", "previews", "--expires", "2h")
	v := s.visitor(t)
	a := v.registered(token)
	require.Equal(t, "openid", a.text("scope"))
	id := a.text("client_id")
	_, stdout, _ := runKeyway(t, "clients", "invitations", "-o", "json", "--config", file)
	var rows []invitationRow
	require.NoError(t, json.Unmarshal([]byte(stdout), &rows))
	require.Len(t, rows, 1)
	require.Equal(t, 1, rows[0].Uses)
	require.Equal(t, "previews", rows[0].Note)
	require.NotContains(t, stdout, token)
	_, stdout, _ = runKeyway(t, "clients", "list", "--config", file)
	require.Regexp(t, id+`.*dynamic`, stdout)
	_, stdout, _ = runKeyway(t, "clients", "show", id, "--config", file)
	require.Contains(t, stdout, `"source": "dynamic"`)
	require.Contains(t, stdout, `"invitation": "`+rows[0].ID+`"`)
	require.Contains(t, stdout, `"secrets": 1`)
	require.NotContains(t, stdout, "sha256:")
	code, stdout, _ := runKeyway(t, "clients", "uninvite", rows[0].ID, "--config", file)
	require.Zero(t, code)
	require.Equal(t, "took back "+rows[0].ID+"\n", stdout)
	v.registers(token).fails(t, 401, "invalid_token")
	for _, args := range [][]string{
		{"invite", "--uses", "0"},
		{"invite", "--expires", "1s"},
		{"invite", "--note", strings.Repeat("x", 201)},
		{"invite", "--scope", "admin"},
		{"invite", "extra"},
		{"uninvite", rows[0].ID},
		{"uninvite"},
		{"show", "nobody"},
	} {
		code, _, stderr := runKeyway(t, append([]string{"clients", "--config", file}, args...)...)
		require.NotZero(t, code, "%v", args)
		require.NotEmpty(t, stderr)
	}
	code, _, _ = runKeyway(t, "clients", "delete", id, "--config", file)
	require.Zero(t, code)
	v.says(http.MethodGet, a.text("registration_client_uri"), a.text("registration_access_token"), nil).fails(t, 401, "invalid_token")
}
