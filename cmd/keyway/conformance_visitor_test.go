package main

import (
	"crypto/rand"
	"encoding/json"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// visitor is somebody with a browser of their own: it keeps cookies, follows
// redirects while they stay on the site, and fills in forms.
type visitor struct {
	*testing.T
	site *site
	http *http.Client
	at   string         // the URL that was asked last
	set  []*http.Cookie // what the site set, the oldest first
}

func (s *site) visitor(t *testing.T) *visitor {
	t.Helper()
	return &visitor{T: t, site: s, http: s.httpClient(t)}
}

// seen is what came back.
type seen struct {
	status int
	header http.Header
	body   string
	object map[string]any // of a JSON body
}

func (a seen) text(name string) string { s, _ := a.object[name].(string); return s }

func (a seen) location() string { return a.header.Get("Location") }

// send makes one request. Head is pairs of a header's name and value.
func (v *visitor) send(method, target string, form url.Values, head ...string) seen {
	v.Helper()
	if strings.HasPrefix(target, "/") {
		target = v.site.URL + target
	}
	req, err := http.NewRequestWithContext(v.Context(), method, target, strings.NewReader(form.Encode()))
	require.NoError(v, err)
	req.Header.Set("User-Agent", "Firefox/1 Linux")
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	return v.makes(req)
}

// makes one request.
func (v *visitor) makes(req *http.Request) seen {
	v.Helper()
	v.site.mu.Lock()
	v.at = req.URL.String()
	v.site.mu.Unlock()
	resp, err := v.http.Do(req)
	require.NoError(v, err)
	defer resp.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(resp.Body)
	require.NoError(v, err)
	a := seen{status: resp.StatusCode, header: resp.Header, body: string(body)}
	_ = json.Unmarshal(body, &a.object)
	v.remember(req, resp, a)
	return a
}

// remember keeps the cookies, and every secret that went over the wire.
func (v *visitor) remember(req *http.Request, resp *http.Response, a seen) {
	v.site.mu.Lock()
	defer v.site.mu.Unlock()
	for _, c := range resp.Cookies() {
		if c.MaxAge >= 0 {
			v.set = append(v.set, c)
			v.site.secrets[c.Value] = req.URL.Path + " " + c.Name
		}
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if token := a.text(name); token != "" && a.status == http.StatusOK {
			v.site.secrets[token] = name
		}
	}
	if to, err := resp.Location(); err == nil && to.Query().Get("code") != "" {
		v.site.secrets[to.Query().Get("code")] = "code"
	}
}

func (v *visitor) get(target string) seen {
	v.Helper()
	return v.follow(v.send(http.MethodGet, target, nil))
}

func (v *visitor) follow(a seen) seen {
	v.Helper()
	for range 10 {
		if !strings.HasPrefix(a.location(), v.site.URL+"/") {
			return a
		}
		a = v.send(http.MethodGet, a.location(), nil)
	}
	v.Fatalf("redirected in circles: %s", a.location())
	return a
}

var (
	siteForm  = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)".*?</form>`)
	siteInput = regexp.MustCompile(`<input[^>]*>`)
	siteName  = regexp.MustCompile(` name="([^"]*)"`)
	siteValue = regexp.MustCompile(` value="([^"]*)"`)
)

// form is the first form of a page as it would be sent untouched.
func (a seen) form(t *testing.T) (action string, values url.Values) {
	t.Helper()
	found := siteForm.FindStringSubmatch(a.body)
	require.NotNil(t, found, "no form: %d %s", a.status, a.body)
	values = url.Values{}
	for _, field := range siteInput.FindAllString(found[0], -1) {
		if name := siteName.FindStringSubmatch(field); name != nil {
			value := append(siteValue.FindStringSubmatch(field), "", "")[1]
			values.Set(html.UnescapeString(name[1]), html.UnescapeString(value))
		}
	}
	return html.UnescapeString(found[1]), values
}

// submit fills in the first form of a page.
func (v *visitor) submit(page seen, more ...string) seen {
	v.Helper()
	action, values := page.form(v.T)
	for i := 0; i+1 < len(more); i += 2 {
		values.Set(more[i], more[i+1])
	}
	return v.follow(v.send(http.MethodPost, action, values))
}

func (a seen) has(id string) bool { return strings.Contains(a.body, `id="`+id+`"`) }

// enters signs in at the login page, which must be there.
func (v *visitor) enters(page seen, name string) seen {
	v.Helper()
	require.True(v, page.has("login-form"), "no login page: %d %s %s", page.status, page.location(), page.body)
	return v.submit(page, "username", name, "password", sitePassword)
}

// passes goes through whatever pages stand between a request and its answer.
func (v *visitor) passes(a seen, name string) url.Values {
	v.Helper()
	if a.has("login-form") {
		a = v.enters(a, name)
	}
	if a.has("consent-form") {
		a = v.submit(a, "decision", "allow")
	}
	return v.returned(a)
}

// returned is the answer that a client gets: of a redirect, of a fragment or
// of a form that is posted to it.
func (v *visitor) returned(a seen) url.Values {
	v.Helper()
	require.Equal(v, "no-store", a.header.Get("Cache-Control"))
	var values url.Values
	if a.has("form-post") {
		require.Equal(v, http.StatusOK, a.status)
		_, values = a.form(v.T)
	} else {
		require.Equal(v, http.StatusSeeOther, a.status, a.body)
		to, err := url.Parse(a.location())
		require.NoError(v, err)
		require.NotEqual(v, v.site.URL, to.Scheme+"://"+to.Host)
		if values = to.Query(); to.Fragment != "" {
			require.Empty(v, to.RawQuery)
			values, err = url.ParseQuery(to.Fragment)
			require.NoError(v, err)
		}
	}
	require.Equal(v, v.site.URL, values.Get("iss"), "RFC 9207")
	return values
}

// refused wants an error that goes back to the client.
func (v *visitor) refused(a seen, codes ...string) url.Values {
	v.Helper()
	values := v.returned(a)
	require.Contains(v, codes, values.Get("error"), values)
	require.Empty(v, values.Get("code"))
	return values
}

// told wants an error page, from which nobody is sent anywhere.
func (v *visitor) told(a seen) {
	v.Helper()
	require.GreaterOrEqual(v, a.status, 400, "%s %s", a.location(), a.body)
	require.Less(v, a.status, 500, a.body)
	require.Empty(v, a.location())
	require.Contains(v, a.header.Get("Content-Type"), "text/html")
	require.Equal(v, "no-store", a.header.Get("Cache-Control"))
	require.True(v, a.has("error-page"), a.body)
	require.NotContains(v, a.body, "<form")
	require.NotContains(v, a.body, "<a ")
}

// fails wants an OAuth error of an endpoint.
func (a seen) fails(t *testing.T, status int, codes ...string) {
	t.Helper()
	require.Equal(t, status, a.status, a.body)
	require.Contains(t, codes, a.text("error"), a.body)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.Regexp(t, `^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`, a.text("error_description"))
	if status == http.StatusUnauthorized {
		require.NotEmpty(t, a.header.Get("WWW-Authenticate"))
	}
}

var siteReturns = map[string]string{
	"web": webReturn, "second": "https://second.example.com/callback", "signer": "https://signer.example.com/callback",
	"es": "https://es.example.com/callback", "native": "http://127.0.0.1:7777/callback", "off": "https://off.example.com/callback",
}

const siteVerifier = "verifier-0123456789-0123456789-0123456789-0123"

// ask is the URL of a good authorization request, with parameters changed or,
// where the value is "-", left out.
func (s *site) ask(client string, more ...string) string {
	values := url.Values{
		"client_id": {client}, "redirect_uri": {siteReturns[client]}, "response_type": {"code"}, "scope": {"openid"}, "state": {"a state"},
		"nonce": {"a nonce"}, "code_challenge": {oauth2.S256ChallengeFromVerifier(siteVerifier)}, "code_challenge_method": {"S256"},
	}
	if s.mode != "" {
		values.Set("response_mode", s.mode)
	}
	return s.URL + "/oauth2/authorize?" + changed(values, more).Encode()
}

// changed sets pairs of a name and a value, and removes where the value is "-".
func changed(values url.Values, more []string) url.Values {
	for i := 0; i+1 < len(more); i += 2 {
		if values.Set(more[i], more[i+1]); more[i+1] == "-" {
			values.Del(more[i])
		}
	}
	return values
}

// code signs alice in and returns her code.
func (v *visitor) code(client string, more ...string) string {
	v.Helper()
	return v.passes(v.get(v.site.ask(client, more...)), "alice").Get("code")
}

// tokens signs alice in and redeems the code.
func (v *visitor) tokens(client string, more ...string) seen {
	v.Helper()
	a := v.redeem(client, v.code(client, more...))
	require.Equal(v, http.StatusOK, a.status, a.body)
	return a
}

func (v *visitor) redeem(client, code string, more ...string) seen {
	v.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {siteVerifier}, "redirect_uri": {siteReturns[client]}}
	return v.as(client, "/oauth2/token", changed(form, more))
}

func (v *visitor) refreshes(client, token string, more ...string) seen {
	v.Helper()
	return v.as(client, "/oauth2/token", changed(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}, more))
}

// as posts a form as a client that authenticates by its own method.
func (v *visitor) as(client, path string, form url.Values) seen {
	v.Helper()
	switch client {
	case "native":
		form.Set("client_id", client)
	case "second":
		form.Set("client_id", client)
		form.Set("client_secret", siteSecret)
	case "signer":
		form.Set("client_id", client)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", v.site.sign(v.T, "", v.site.assertion()))
	case "":
	default:
		name, value := basicOf(client, siteSecret)
		return v.send(http.MethodPost, path, form, name, value)
	}
	return v.send(http.MethodPost, path, form)
}

// assertion is the claims of a good client assertion.
func (s *site) assertion() map[string]any {
	now := s.clock.Now().Unix()
	return map[string]any{"iss": "signer", "sub": "signer", "aud": s.URL, "iat": now, "exp": now + 60, "jti": rand.Text()}
}

func basicOf(client, secret string) (name, value string) {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(client, secret)
	return "Authorization", r.Header.Get("Authorization")
}

func (v *visitor) userinfo(token string) seen {
	v.Helper()
	return v.send(http.MethodGet, "/oauth2/userinfo", nil, "Authorization", "Bearer "+token)
}

// idToken verifies an ID token as a client does that found the keys by
// discovery, and returns its claims.
func (v *visitor) idToken(client string, a seen) map[string]any {
	v.Helper()
	ctx := coreosoidc.ClientContext(v.Context(), v.http)
	op, err := coreosoidc.NewProvider(ctx, v.site.URL)
	require.NoError(v, err)
	token, err := op.VerifierContext(ctx, &coreosoidc.Config{ClientID: client, Now: v.site.clock.Now}).Verify(ctx, a.text("id_token"))
	require.NoError(v, err)
	require.NoError(v, token.VerifyAccessToken(a.text("access_token")))
	claims := map[string]any{}
	require.NoError(v, token.Claims(&claims))
	return claims
}

// metadata is the discovery document.
func (v *visitor) metadata() map[string]any {
	v.Helper()
	return v.get("/.well-known/openid-configuration").object
}

// lists reports whether a list of the discovery document has an item.
func (v *visitor) lists(member, item string) bool {
	v.Helper()
	list, _ := v.metadata()[member].([]any)
	for _, x := range list {
		if x == item {
			return true
		}
	}
	return false
}

// row is one row of conformance, asked of a visitor with a fresh browser. An
// hour passes before it, so that no row meets a limit that another one filled.
func (s *site) row(t *testing.T, name string, f func(v *visitor)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		s.clock.advance(time.Hour)
		f(s.visitor(t))
	})
}
