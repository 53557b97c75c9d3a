package provider_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
)

const (
	verifier = "verifier-0123456789-0123456789-0123456789-0123"
	callback = "https://app.example.com/callback"
)

func challengeOf(v string) string {
	sum := sha256.Sum256([]byte(v))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// seedApps saves the clients that people sign in to.
func (w *world) seedApps(t *testing.T) {
	t.Helper()
	scopes := []string{"openid", "profile", "email", "address", "phone", "offline_access", "read"}
	grants := []string{"authorization_code", "refresh_token"}
	for _, c := range []provider.Client{
		{ID: "web", Name: "Web <b>app</b>", AuthMethod: provider.AuthSecretBasic, GrantTypes: grants, Scopes: scopes, RedirectURIs: []string{callback, callback + "?registered=1"}, PostLogoutRedirectURIs: []string{"https://app.example.com/bye", "https://app.example.com/bye?x=1"}, Audience: []string{"https://api.example.com"}},
		{ID: "web-post", AuthMethod: provider.AuthSecretPost, GrantTypes: grants, Scopes: scopes, RedirectURIs: []string{"https://second.example.com/callback"}, SkipConsent: true},
		{ID: "native", AuthMethod: provider.AuthNone, GrantTypes: grants, Scopes: scopes, RedirectURIs: []string{"http://127.0.0.1/callback", "http://[::1]:8080/callback", "com.example.app:/callback"}, SkipConsent: true},
		{ID: "narrow", AuthMethod: provider.AuthNone, GrantTypes: grants[:1], Scopes: []string{"openid"}, RedirectURIs: []string{"https://narrow.example.com/callback"}, SkipConsent: true},
	} {
		if c.AuthMethod != provider.AuthNone {
			secret, hash := client.NewSecret()
			w.secrets[c.ID], c.SecretHashes = secret, []string{hash}
		}
		require.NoError(t, w.SaveClient(t.Context(), &c))
	}
}

// browser is somebody's browser: it keeps cookies and follows redirects as long
// as they stay here.
type browser struct {
	w       *world
	cookies map[string]*http.Cookie
	last    string // the path and query of the last answer
}

func (w *world) newBrowser() *browser { return &browser{w: w, cookies: map[string]*http.Cookie{}} }

// request has the cookies of the browser.
func (b *browser) request(method, target string) *http.Request {
	r := httptest.NewRequest(method, strings.TrimPrefix(target, "https://id.example.com"), http.NoBody)
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	return r
}

func (b *browser) send(method, target string, form url.Values) answer {
	target = strings.TrimPrefix(target, "https://id.example.com")
	r := httptest.NewRequest(method, target, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r.Header.Set("User-Agent", "Firefox/1 Linux")
	for _, c := range b.cookies {
		r.AddCookie(c)
	}
	b.last = target
	a := b.w.do(r)
	for _, c := range (&http.Response{Header: a.header}).Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	return a
}

// get follows redirects until one leads away.
func (b *browser) get(target string) answer { return b.follow(b.send(http.MethodGet, target, nil)) }

func (b *browser) post(target string, form url.Values) answer {
	return b.follow(b.send(http.MethodPost, target, form))
}

func (b *browser) follow(a answer) answer {
	for range 10 {
		to := a.header.Get("Location")
		if !strings.HasPrefix(to, issuer+"/") {
			return a
		}
		a = b.send(http.MethodGet, to, nil)
	}
	return a
}

var (
	formAction = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	formField  = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// submit fills in the first form of a page and posts it.
func (b *browser) submit(t *testing.T, a answer, more ...string) answer {
	t.Helper()
	action, values := fields(t, a)
	for i := 0; i+1 < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return b.post(action, values)
}

func fields(t *testing.T, a answer) (action string, values url.Values) {
	t.Helper()
	found := formAction.FindStringSubmatch(a.raw)
	require.NotNil(t, found, "no form: %d %s", a.status, a.raw)
	values = url.Values{}
	for _, f := range formField.FindAllStringSubmatch(a.raw, -1) {
		values.Set(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(found[1]), values
}

// ask is the URL of a good authorization request, with parameters changed or,
// where the value is "-", left out.
func ask(client string, more ...string) string {
	redirects := map[string]string{
		"web": callback, "web-post": "https://second.example.com/callback", "native": "http://127.0.0.1:7777/callback",
		"narrow": "https://narrow.example.com/callback",
	}
	values := url.Values{
		"client_id": {client}, "redirect_uri": {redirects[client]}, "response_type": {"code"}, "scope": {"openid"}, "state": {"a state"},
		"nonce": {"a nonce"}, "code_challenge": {challengeOf(verifier)}, "code_challenge_method": {"S256"},
	}
	for i := 0; i+1 < len(more); i += 2 {
		if values.Set(more[i], more[i+1]); more[i+1] == "-" {
			values.Del(more[i])
		}
	}
	return issuer + "/oauth2/authorize?" + values.Encode()
}

func isLogin(a answer) bool { return strings.Contains(a.raw, `id="login-form"`) }

func isConsent(a answer) bool { return strings.Contains(a.raw, `id="consent-form"`) }

// signIn goes through all pages and returns what the client gets.
func (b *browser) signIn(t *testing.T, target string) url.Values {
	t.Helper()
	a := b.get(target)
	if isLogin(a) {
		a = b.submit(t, a, "username", "alice", "password", password)
	}
	if isConsent(a) {
		a = b.submit(t, a, "decision", "allow")
	}
	return returned(t, a)
}

// returned are the parameters of a redirect to a client.
func returned(t *testing.T, a answer) url.Values {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, a.status, a.raw)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	to, err := url.Parse(a.header.Get("Location"))
	require.NoError(t, err)
	require.NotEqual(t, "id.example.com", to.Host)
	values := to.Query()
	if to.Fragment != "" {
		values, err = url.ParseQuery(to.Fragment)
		require.NoError(t, err)
	}
	require.Equal(t, issuer, values.Get("iss"), "RFC 9207")
	return values
}

// wantReply is an error that goes back to the client.
func wantReply(t *testing.T, a answer, code string) url.Values {
	t.Helper()
	values := returned(t, a)
	require.Equal(t, code, values.Get("error"), a.header.Get("Location"))
	require.NotContains(t, values.Get("error_description"), `"`)
	require.Empty(t, values.Get("code"))
	return values
}

// wantPage is an error that nobody is redirected with.
func wantPage(t *testing.T, a answer, status int) {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	require.Empty(t, a.header.Get("Location"))
	require.Contains(t, a.header.Get("Content-Type"), "text/html")
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.NotContains(t, a.raw, "<form")
}

// redeem presents a code at the token endpoint.
func (w *world) redeem(client, code string, more ...string) answer {
	redirect, _ := url.Parse(ask(client))
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {redirect.Query().Get("redirect_uri")}}
	for i := 0; i+1 < len(more); i += 2 {
		if form.Set(more[i], more[i+1]); more[i+1] == "-" {
			form.Del(more[i])
		}
	}
	if client == "web-post" {
		form.Set("client_id", client)
		form.Set("client_secret", w.secrets[client])
		client = ""
	}
	return w.post("/oauth2/token", client, form)
}

// tokens signs alice in and redeems the code.
func (b *browser) tokens(t *testing.T, client string, more ...string) answer {
	t.Helper()
	a := b.w.redeem(client, b.signIn(t, ask(client, more...)).Get("code"))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return a
}

// idToken verifies the ID token of an answer.
func (w *world) idToken(t *testing.T, a answer) map[string]any {
	t.Helper()
	claims, err := w.Decode(t.Context(), a.str("id_token"))
	if err != nil {
		require.ErrorContains(t, err, "used before issued", a.raw) // the test's clock is ahead
	}
	require.NotNil(t, claims)
	return claims
}

func asList(v any) []any {
	if list, ok := v.([]any); ok {
		return list
	}
	return []any{v}
}

// header is the JOSE header of a token.
func header(t *testing.T, token string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	require.NoError(t, err)
	var h map[string]any
	require.NoError(t, json.Unmarshal(b, &h))
	return h
}

// unsigned is the token with alg none and without its signature.
func unsigned(token string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
}

// stranger is the token, signed by somebody else under our kid.
func stranger(t *testing.T, token string) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	input := token[:strings.LastIndexByte(token, '.')]
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	require.NoError(t, err)
	return input + "." + base64.RawURLEncoding.EncodeToString(signature)
}
