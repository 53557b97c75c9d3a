package provider_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/store/storetest"
)

// holder holds a key and proves it.
type holder struct {
	w   *world
	key *ecdsa.PrivateKey
	n   int
}

func (w *world) newHolder(t *testing.T) *holder {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &holder{w: w, key: key}
}

func (h *holder) thumbprint(t *testing.T) string {
	t.Helper()
	sum, err := (&jose.JSONWebKey{Key: h.key.Public()}).Thumbprint(crypto.SHA256)
	require.NoError(t, err)
	return encodeSegment(sum)
}

// proof is a good one, unless more says otherwise: pairs of claims and values.
func (h *holder) proof(t *testing.T, method, path string, more ...any) string {
	t.Helper()
	h.n++
	claims := map[string]any{"jti": strconv.Itoa(h.n), "htm": method, "htu": issuer + path, "iat": h.w.clock.Now().Unix()}
	for i := 0; i+1 < len(more); i += 2 {
		name, _ := more[i].(string)
		claims[name] = more[i+1]
	}
	return signJWS(t, jose.SigningKey{Algorithm: jose.ES256, Key: h.key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"), claims)
}

// postWith is post with headers, pairs of names and values.
func (w *world) postWith(path, client string, form url.Values, headers ...string) answer {
	body := url.Values{}
	for name, v := range form {
		body[name] = v
	}
	if w.secrets[client] == "" && client != "" {
		body.Set("client_id", client)
	}
	r := httptest.NewRequest(http.MethodPost, "/tenant"+path, strings.NewReader(body.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if w.secrets[client] != "" {
		r.SetBasicAuth(client, w.secrets[client])
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return w.do(r)
}

// machine asks for a token of a client's own.
func (w *world) machine(client string, headers ...string) answer {
	return w.postWith("/oauth2/token", client, url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}}, headers...)
}

// exchange redeems a code of [ask].
func (w *world) exchange(client, code, redirect string, headers ...string) answer {
	return w.postWith("/oauth2/token", client, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirect}, "code_verifier": {verifier},
	}, headers...)
}

func athOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return encodeSegment(sum[:])
}

func (h *holder) userinfo(t *testing.T, token string, more ...any) answer {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, "/tenant/oauth2/userinfo", nil)
	r.Header.Set("Authorization", "DPoP "+token)
	r.Header.Set("DPoP", h.proof(t, "GET", "/oauth2/userinfo", append([]any{"ath", athOf(token)}, more...)...))
	return h.w.do(r)
}

func cnf(v any) any {
	m, _ := v.(map[string]any)
	c, _ := m["cnf"].(map[string]any)
	return c["jkt"]
}

func TestDPoPBindsEveryGrant(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		h := w.newHolder(t)
		proof := func() string { return h.proof(t, "POST", "/oauth2/token") }
		t.Run("client credentials", func(t *testing.T) {
			a := w.machine("app", "DPoP", proof())
			require.Equal(t, http.StatusOK, a.status, a.raw)
			require.Equal(t, "DPoP", a.str("token_type"))
			told := w.introspect(a.str("access_token"))
			require.Equal(t, "DPoP", told.str("token_type"))
			require.Equal(t, h.thumbprint(t), cnf(told.body))
		})
		t.Run("a JWT says so itself", func(t *testing.T) {
			a := w.machine("jwt", "DPoP", proof())
			claims, err := w.Decode(t.Context(), a.str("access_token"))
			require.NoError(t, err)
			require.Equal(t, h.thumbprint(t), cnf(claims))
		})
		t.Run("without a proof nothing is bound", func(t *testing.T) {
			a := w.machine("jwt")
			require.Equal(t, "Bearer", a.str("token_type"))
			claims, err := w.Decode(t.Context(), a.str("access_token"))
			require.NoError(t, err)
			require.NotContains(t, claims, "cnf")
			require.NotContains(t, w.introspect(a.str("access_token")).body, "cnf")
		})
		t.Run("code, refresh and userinfo", func(t *testing.T) {
			const native = "http://127.0.0.1/callback"
			code := w.newBrowser().signIn(t, ask("native", "redirect_uri", native, "scope", "openid offline_access")).Get("code")
			a := w.exchange("native", code, native, "DPoP", proof())
			require.Equal(t, http.StatusOK, a.status, a.raw)
			require.Equal(t, "DPoP", a.str("token_type"))
			require.Equal(t, w.alice, h.userinfo(t, a.str("access_token")).str("sub"))
			refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}
			wantError(t, w.postWith("/oauth2/token", "native", refresh), http.StatusBadRequest, "invalid_dpop_proof")
			thief := w.newHolder(t)
			wantError(t, w.postWith("/oauth2/token", "native", refresh, "DPoP", thief.proof(t, "POST", "/oauth2/token")), http.StatusBadRequest, "invalid_grant")
			b := w.postWith("/oauth2/token", "native", refresh, "DPoP", proof())
			require.Equal(t, http.StatusOK, b.status, b.raw)
			require.Equal(t, "DPoP", b.str("token_type"))
			require.Equal(t, w.alice, h.userinfo(t, b.str("access_token")).str("sub"))
			require.Equal(t, h.thumbprint(t), cnf(w.introspect(b.str("refresh_token")).body), "of a public client the refresh token is bound too")
		})
		t.Run("a confidential client may take another key when it refreshes", func(t *testing.T) {
			refresh, _ := w.session(t, "app")
			form := func(a answer) url.Values {
				return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}
			}
			a := w.postWith("/oauth2/token", "app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}, "DPoP", proof())
			require.Equal(t, h.thumbprint(t), cnf(w.introspect(a.str("access_token")).body))
			other := w.newHolder(t)
			b := w.postWith("/oauth2/token", "app", form(a), "DPoP", other.proof(t, "POST", "/oauth2/token"))
			require.Equal(t, other.thumbprint(t), cnf(w.introspect(b.str("access_token")).body))
			require.Equal(t, false, w.introspect(a.str("access_token")).body["active"], "the token of the first key has ended")
			c := w.postWith("/oauth2/token", "app", form(b))
			require.Equal(t, "Bearer", c.str("token_type"))
			require.NotContains(t, w.introspect(c.str("access_token")).body, "cnf")
			require.Equal(t, w.alice, w.userinfo(c.str("access_token")).str("sub"))
		})
	})
}

func TestAStolenTokenIsWorthNothing(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	h := w.newHolder(t)
	code := w.newBrowser().signIn(t, ask("web")).Get("code")
	token := w.exchange("web", code, callback, "DPoP", h.proof(t, "POST", "/oauth2/token")).str("access_token")
	require.Equal(t, http.StatusOK, h.userinfo(t, token).status)

	refused := func(a answer, code string) {
		t.Helper()
		wantError(t, a, http.StatusUnauthorized, code)
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	}
	a := w.userinfo(token)
	refused(a, "invalid_token")
	require.Contains(t, a.header.Get("WWW-Authenticate"), `Bearer error="invalid_token"`)
	refused(w.post("/oauth2/userinfo", "", url.Values{"access_token": {token}}), "invalid_token")
	a = w.newHolder(t).userinfo(t, token)
	refused(a, "invalid_token")
	require.Contains(t, a.header.Get("WWW-Authenticate"), `algs="ES256 RS256 PS256 EdDSA"`)
	refused(h.userinfo(t, token, "ath", athOf("another")), "invalid_dpop_proof")
	refused(h.userinfo(t, token, "htm", "POST"), "invalid_dpop_proof")
	refused(h.userinfo(t, token, "htu", issuer+"/oauth2/token"), "invalid_dpop_proof")
	refused(h.userinfo(t, token, "iat", w.clock.Now().Add(-time.Minute).Unix()), "invalid_dpop_proof")
	require.Equal(t, http.StatusOK, h.userinfo(t, token, "jti", "same").status)
	refused(h.userinfo(t, token, "jti", "same"), "invalid_dpop_proof")
	r := httptest.NewRequest(http.MethodGet, "/tenant/oauth2/userinfo", nil)
	r.Header.Set("Authorization", "DPoP "+token)
	refused(w.do(r), "invalid_dpop_proof")

	bearer := w.newBrowser().tokens(t, "web").str("access_token")
	refused(h.userinfo(t, bearer), "invalid_token")
	refused(h.userinfo(t, "kw_at_unknown"), "invalid_token")
	none := w.do(httptest.NewRequest(http.MethodGet, "/tenant/oauth2/userinfo", nil))
	require.Equal(t, []string{"Bearer", `DPoP algs="ES256 RS256 PS256 EdDSA"`}, none.header.Values("WWW-Authenticate"))
	require.NotContains(t, w.log.text(), token)
}

func TestDPoPAtTheTokenEndpointIsJudgedInFull(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	h := w.newHolder(t)
	for name, change := range map[string][]any{
		"method": {"htm", "GET"}, "endpoint": {"htu", issuer + "/oauth2/userinfo"}, "host": {"htu", "https://evil.example/tenant/oauth2/token"},
		"old": {"iat", w.clock.Now().Add(-time.Minute).Unix()}, "future": {"iat", w.clock.Now().Add(16 * time.Second).Unix()}, "jti": {"jti", ""},
	} {
		a := w.machine("app", "DPoP", h.proof(t, "POST", "/oauth2/token", change...))
		require.Equal(t, http.StatusBadRequest, a.status, name)
		require.Equal(t, "invalid_dpop_proof", a.str("error"), name)
		require.Equal(t, "no-store", a.header.Get("Cache-Control"), name)
	}
	for _, by := range []time.Duration{-10 * time.Second, 10 * time.Second} {
		a := w.machine("app", "DPoP", h.proof(t, "POST", "/oauth2/token", "iat", w.clock.Now().Add(by).Unix()))
		require.Equal(t, http.StatusOK, a.status, a.raw)
	}
	proof := h.proof(t, "POST", "/oauth2/token")
	wantError(t, w.machine("app", "DPoP", proof, "DPoP", proof), http.StatusBadRequest, "invalid_dpop_proof")
	require.Equal(t, http.StatusOK, w.machine("app", "DPoP", proof).status, "it was not used up by that")
	wantError(t, w.machine("app", "DPoP", proof), http.StatusBadRequest, "invalid_dpop_proof")
	require.Equal(t, http.StatusOK, w.machine("app").status)

	secret, hash := client.NewSecret()
	w.secrets["bound"] = secret
	require.NoError(t, w.SaveClient(t.Context(), &provider.Client{
		ID: "bound", AuthMethod: provider.AuthSecretBasic, SecretHashes: []string{hash}, GrantTypes: []string{"client_credentials"},
		Scopes: []string{"read"}, DPoPBound: true,
	}))
	wantError(t, w.machine("bound"), http.StatusBadRequest, "invalid_dpop_proof")
	require.Equal(t, "DPoP", w.machine("bound", "DPoP", h.proof(t, "POST", "/oauth2/token")).str("token_type"))
}

func TestOneOfManyUsesOfAProofWins(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		proof := w.newHolder(t).proof(t, "POST", "/oauth2/token")
		var mu sync.Mutex
		var group sync.WaitGroup
		got := map[int]int{}
		for range 50 {
			group.Go(func() {
				a := w.machine("app", "DPoP", proof)
				mu.Lock()
				defer mu.Unlock()
				got[a.status]++
			})
		}
		group.Wait()
		require.Equal(t, map[int]int{http.StatusOK: 1, http.StatusBadRequest: 49}, got)
	})
}

func TestDPoPNonce(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), func(o *provider.Options) { o.RequireDPoPNonce = true })
	w.seedApps(t)
	h := w.newHolder(t)
	a := w.machine("app", "DPoP", h.proof(t, "POST", "/oauth2/token"))
	wantError(t, a, http.StatusBadRequest, "use_dpop_nonce")
	nonce := a.header.Get("DPoP-Nonce")
	require.NotEmpty(t, nonce)
	a = w.machine("app", "DPoP", h.proof(t, "POST", "/oauth2/token", "nonce", nonce))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Equal(t, nonce, a.header.Get("DPoP-Nonce"), "for the next request")

	code := w.newBrowser().signIn(t, ask("web")).Get("code")
	first := w.exchange("web", code, callback, "DPoP", h.proof(t, "POST", "/oauth2/token"))
	wantError(t, first, http.StatusBadRequest, "use_dpop_nonce")
	second := w.exchange("web", code, callback, "DPoP", h.proof(t, "POST", "/oauth2/token", "nonce", nonce))
	require.Equal(t, http.StatusOK, second.status, "the code was not used up: "+second.raw)
	token := second.str("access_token")
	refused := h.userinfo(t, token)
	wantError(t, refused, http.StatusUnauthorized, "use_dpop_nonce")
	require.Equal(t, nonce, refused.header.Get("DPoP-Nonce"))
	require.Contains(t, refused.header.Get("WWW-Authenticate"), `DPoP error="use_dpop_nonce"`)
	require.Equal(t, w.alice, h.userinfo(t, token, "nonce", nonce).str("sub"))
	w.clock.add(5 * time.Minute)
	wantError(t, h.userinfo(t, token, "nonce", nonce), http.StatusUnauthorized, "use_dpop_nonce")
	require.Equal(t, "Bearer", w.machine("app").str("token_type"), "who shows no proof needs no nonce")
}

func TestACodeIsBoundByDpopJkt(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	h := w.newHolder(t)
	code := func() string {
		return w.newBrowser().signIn(t, ask("web", "dpop_jkt", h.thumbprint(t))).Get("code")
	}
	stolen := code()
	wantError(t, w.exchange("web", stolen, callback), http.StatusBadRequest, "invalid_dpop_proof")
	wantError(t, w.exchange("web", stolen, callback, "DPoP", w.newHolder(t).proof(t, "POST", "/oauth2/token")), http.StatusBadRequest, "invalid_grant")
	require.Equal(t, "DPoP", w.exchange("web", stolen, callback, "DPoP", h.proof(t, "POST", "/oauth2/token")).str("token_type"))
	for _, jkt := range []string{"x", strings.Repeat("a", 44), strings.Repeat("+", 43)} {
		wantReply(t, w.newBrowser().get(ask("web", "dpop_jkt", jkt)), "invalid_request")
	}
	wantReply(t, w.newBrowser().get(ask("web", "dpop_jkt", h.thumbprint(t))+"&dpop_jkt=x"), "invalid_request")
}
