package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/store/storetest"
)

// seedBank saves clients whose requests have to be more than a query. It returns
// what signs a request object for them.
func (w *world) seedBank(t *testing.T) func(claims map[string]any) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keys := keySetOf(t, key)
	for _, c := range []provider.Client{
		{ID: "bank", JWKS: keys, DetailTypes: []string{"payment"}, Audience: []string{"https://a.example/", "https://b.example/"}, PKCEOptional: true},
		{ID: "pusher", RequirePushed: true},
		{ID: "signer", RequireRequestObject: true, RequestObjectAlg: "ES256", JWKS: keys},
	} {
		secret, hash := client.NewSecret()
		w.secrets[c.ID], c.SecretHashes = secret, []string{hash}
		c.AuthMethod, c.GrantTypes = provider.AuthSecretBasic, []string{"authorization_code", "refresh_token", "client_credentials"}
		c.Scopes, c.RedirectURIs = []string{"openid", "email", "profile", "offline_access", "read"}, []string{callback}
		require.NoError(t, w.SaveClient(t.Context(), &c))
	}
	return func(claims map[string]any) string {
		claims["aud"], claims["exp"] = issuer, w.clock.Now().Add(time.Minute).Unix()
		return assert(t, "ES256", key, claims)
	}
}

// askOf is [ask] for a client that returns to callback.
func askOf(client string, more ...string) string {
	return ask(client, append([]string{"redirect_uri", callback}, more...)...)
}

func parameters(t *testing.T, target string) url.Values {
	t.Helper()
	u, err := url.Parse(target)
	require.NoError(t, err)
	return u.Query()
}

// push pushes a good request, changed by more, and returns the URL to open.
func (w *world) push(t *testing.T, client string, more ...string) string {
	t.Helper()
	a := w.post("/oauth2/par", client, parameters(t, askOf(client, more...)))
	require.Equal(t, http.StatusCreated, a.status, a.raw)
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	require.EqualValues(t, 90, a.body["expires_in"])
	require.Regexp(t, `^urn:ietf:params:oauth:request_uri:[\w-]{49}$`, a.str("request_uri"))
	return issuer + "/oauth2/authorize?" + url.Values{"client_id": {client}, "request_uri": {a.str("request_uri")}}.Encode()
}

func (w *world) redeemAt(client, code string, more ...string) answer {
	return w.redeem(client, code, append([]string{"redirect_uri", callback}, more...)...)
}

func TestPushed(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		sign := w.seedBank(t)
		b := w.newBrowser()
		t.Run("client_id and request_uri alone suffice, and what is beside them does not count", func(t *testing.T) {
			got := b.signIn(t, w.push(t, "pusher", "scope", "openid email", "state", "pushed")+"&scope=read&state=beside&prompt=none&nonce=x")
			require.Equal(t, "pushed", got.Get("state"))
			a := w.redeemAt("pusher", got.Get("code"))
			require.Equal(t, "openid email", a.str("scope"), a.raw)
			require.Equal(t, "a nonce", w.idToken(t, a)["nonce"])
		})
		t.Run("a client that must push is refused without, where it can hear it (RFC 9126, section 6)", func(t *testing.T) {
			wantReply(t, b.get(askOf("pusher")), "invalid_request")
		})
		t.Run("it is used once, silent or not", func(t *testing.T) {
			target := w.push(t, "pusher", "scope", "openid")
			require.NotEmpty(t, returned(t, b.get(target)).Get("code"))
			wantReply(t, b.get(target), "invalid_request_uri")
			target = w.push(t, "pusher", "prompt", "none", "max_age", "0")
			wantReply(t, b.get(target), "login_required")
			wantReply(t, b.get(target), "invalid_request_uri")
		})
		t.Run("the link may be opened twice before finishing, and finishes once", func(t *testing.T) {
			b := w.newBrowser()
			target := w.push(t, "pusher")
			first, second := b.get(target), b.get(target)
			w.clock.add(5 * time.Minute) // it may expire while somebody types
			require.NotEmpty(t, returned(t, b.submit(t, second, "username", "alice", "password", password)).Get("code"))
			wantPage(t, b.submit(t, first, "username", "alice", "password", password), http.StatusBadRequest)
		})
		t.Run("it expires, and belongs to its client (regression 10)", func(t *testing.T) {
			target := w.push(t, "pusher")
			wantReply(t, b.get(strings.Replace(target, "client_id=pusher", "client_id=bank", 1)), "invalid_request_uri")
			w.clock.add(90 * time.Second)
			wantReply(t, b.get(target), "invalid_request_uri")
			wantReply(t, b.get(target+"&redirect_uri="+url.QueryEscape(callback)), "invalid_request_uri")
			wantPage(t, b.get(target+"&redirect_uri=https://evil.example/"), http.StatusBadRequest)
			wantPage(t, b.get(target+"&scope=openid"), http.StatusBadRequest)
			wantReply(t, b.get(issuer+"/oauth2/authorize?client_id=pusher&request_uri=urn:ietf:params:oauth:request_uri:nothing"), "invalid_request_uri")
		})
		t.Run("no secret rests with it (regression 10)", func(t *testing.T) {
			a := w.post("/oauth2/par", "", parameters(t, askOf("bank", "client_secret", w.secrets["bank"], "unknown", "canary")))
			require.Equal(t, http.StatusCreated, a.status, a.raw)
			r, err := w.store.FindPushed(t.Context(), provider.HashToken(a.str("request_uri")))
			require.NoError(t, err)
			require.NotContains(t, r.Query, "canary")
			require.NotContains(t, r.Query, "secret")
			require.NotContains(t, r.Query, w.secrets["bank"])
			require.Contains(t, r.Query, "code_challenge=")
		})
		t.Run("a request object may be pushed", func(t *testing.T) {
			claims := map[string]any{"iss": "signer"}
			for name, v := range parameters(t, askOf("signer", "state", "signed")) {
				claims[name] = v[0]
			}
			a := w.post("/oauth2/par", "signer", url.Values{"request": {sign(claims)}, "state": {"beside"}})
			require.Equal(t, http.StatusCreated, a.status, a.raw)
			w.clock.add(80 * time.Second) // the object expires before what was pushed
			got := b.signIn(t, issuer+"/oauth2/authorize?"+url.Values{"client_id": {"signer"}, "request_uri": {a.str("request_uri")}}.Encode())
			require.Equal(t, "signed", got.Get("state"))
			wantError(t, w.post("/oauth2/par", "signer", parameters(t, askOf("signer"))), http.StatusBadRequest, "invalid_request")
		})
		t.Run("of 50 who open one link at once one gets a code", func(t *testing.T) {
			b := w.newBrowser()
			b.signIn(t, w.push(t, "pusher", "scope", "openid"))
			target := w.push(t, "pusher", "scope", "openid")
			answers := make([]answer, 50)
			var wait sync.WaitGroup
			for i := range answers {
				one := &browser{w: w, cookies: b.cookies}
				wait.Go(func() { answers[i] = w.do(one.request(http.MethodGet, target)) })
			}
			wait.Wait()
			won := 0
			for _, a := range answers {
				if strings.Contains(a.header.Get("Location"), "code=") {
					won++
				} else if a.status != http.StatusBadRequest {
					wantReply(t, a, "invalid_request_uri")
				}
			}
			require.Equal(t, 1, won)
		})
	})
}

func TestPushedIsJudgedAtOnce(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedBank(t)
	w.seedApps(t)
	for name, c := range map[string]struct {
		more []string
		code string
	}{
		"another redirect_uri":      {[]string{"redirect_uri", "https://evil.example/"}, "invalid_request"},
		"no response_type":          {[]string{"response_type", "-"}, "invalid_request"},
		"token":                     {[]string{"response_type", "token"}, "unsupported_response_type"},
		"plain":                     {[]string{"code_challenge_method", "plain"}, "invalid_request"},
		"another's scope":           {[]string{"scope", "admin"}, "invalid_scope"},
		"another's resource":        {[]string{"resource", "https://c.example/"}, "invalid_target"},
		"details that are no list":  {[]string{"authorization_details", "{}"}, "invalid_authorization_details"},
		"request_uri inside":        {[]string{"request_uri", "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"},
		"an https request_uri":      {[]string{"request_uri", "https://app.example.com/x"}, "invalid_request"},
		"a bad request object":      {[]string{"request", "eyJhbGciOiJub25lIn0.e30."}, "invalid_request_object"},
		"max_age of letters":        {[]string{"max_age", "x"}, "invalid_request"},
		"a prompt of nobody":        {[]string{"prompt", "create"}, "invalid_request"},
		"a stranger's hint":         {[]string{"id_token_hint", "x.y.z"}, "invalid_request"},
		"a state that is oversized": {[]string{"state", strings.Repeat("s", 3000)}, "invalid_request"},
		"more than 4 KiB":           {[]string{"login_hint", strings.Repeat("s", 5000)}, "invalid_request"},
		"another client_id":         {[]string{"client_id", "web"}, "invalid_request"},
	} {
		t.Run(name+" is "+c.code, func(t *testing.T) {
			a := w.post("/oauth2/par", "bank", parameters(t, askOf("bank", c.more...)))
			wantError(t, a, http.StatusBadRequest, c.code)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		})
	}
	t.Run("a repeated parameter is refused", func(t *testing.T) {
		for name := range parameters(t, askOf("bank")) {
			form := parameters(t, askOf("bank"))
			form.Add(name, form.Get(name))
			wantError(t, w.post("/oauth2/par", "bank", form), http.StatusBadRequest, "invalid_request")
		}
	})
	t.Run("who does not authenticate, or not as registered, is refused", func(t *testing.T) {
		wantError(t, w.post("/oauth2/par", "", parameters(t, askOf("bank"))), http.StatusUnauthorized, "invalid_client")
		wantError(t, w.post("/oauth2/par", "", parameters(t, askOf("nobody"))), http.StatusUnauthorized, "invalid_client")
		wantError(t, w.post("/oauth2/par", "", parameters(t, askOf(legacyID))), http.StatusUnauthorized, "invalid_client")
	})
	t.Run("a public client may push, too", func(t *testing.T) {
		a := w.post("/oauth2/par", "", parameters(t, ask("native")))
		require.Equal(t, http.StatusCreated, a.status, a.raw)
	})
	t.Run("only POST is served", func(t *testing.T) {
		a := w.newBrowser().send(http.MethodGet, issuer+"/oauth2/par?"+parameters(t, askOf("bank")).Encode(), nil)
		require.Equal(t, http.StatusMethodNotAllowed, a.status)
		require.Equal(t, "POST", a.header.Get("Allow"))
	})
}
