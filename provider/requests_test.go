package provider_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/store/storetest"
)

const payment = `[{"type":"payment","instructedAmount":{"amount":"123.50","currency":"EUR"}}]`

func TestRequestObjects(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	sign := w.seedBank(t)
	b := w.newBrowser()
	claims := func(client string, more ...string) map[string]any {
		all := map[string]any{"iss": client}
		for name, v := range parameters(t, askOf(client, more...)) {
			all[name] = v[0]
		}
		return all
	}
	with := func(client, object string, more ...string) string {
		return askOf(client, append([]string{"request", object}, more...)...)
	}
	t.Run("its claims replace the query, a redirect_uri inside wins, and a numeric max_age is honoured (regression 11)", func(t *testing.T) {
		b.signIn(t, askOf("bank"))
		w.clock.add(time.Minute)
		inside := claims("bank", "state", "inside", "scope", "openid email", "nonce", "-", "prompt", "none")
		inside["max_age"] = 10
		got := wantReply(t, b.get(with("bank", sign(inside), "state", "outside", "redirect_uri", "https://evil.example/")), "login_required")
		require.Equal(t, "inside", got.Get("state"))
		inside["max_age"] = 600
		delete(inside, "prompt")
		got = b.signIn(t, with("bank", sign(inside), "scope", "openid profile", "nonce", "outside"))
		a := w.redeemAt("bank", got.Get("code"))
		require.Equal(t, "openid email", a.str("scope"), a.raw)
		require.NotContains(t, w.idToken(t, a), "nonce", "half of it outside would not be signed")
	})
	t.Run("it need not be about OpenID (regression 11)", func(t *testing.T) {
		inside := claims("signer", "scope", "read", "nonce", "-", "redirect_uri", "-")
		got := b.signIn(t, issuer+"/oauth2/authorize?"+url.Values{"client_id": {"signer"}, "request": {sign(inside)}}.Encode())
		a := w.redeemAt("signer", got.Get("code"), "redirect_uri", "-")
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.NotContains(t, a.body, "id_token")
	})
	t.Run("it may expire while somebody signs in", func(t *testing.T) {
		b := w.newBrowser()
		page := b.get(with("signer", sign(claims("signer"))))
		w.clock.add(10 * time.Minute)
		page = b.submit(t, page, "username", "alice", "password", password)
		require.NotEmpty(t, returned(t, b.submit(t, page, "decision", "allow")).Get("code"))
	})
	t.Run("who must sign is refused without", func(t *testing.T) {
		wantReply(t, b.get(askOf("signer")), "invalid_request")
	})
	good := sign(claims("bank"))
	for name, object := range map[string]string{
		"alg none": unsigned(good), "a stranger's signature": good[:len(good)-6] + "AAAAAA", "another client's": sign(claims("signer")),
		"one with another inside": sign(map[string]any{"iss": "bank", "request_uri": "https://127.0.0.1/"}), "nothing of the kind": "x",
		"another response_type": sign(claims("bank", "response_type", "token")), "9 KiB": good + strings.Repeat("A", 9<<10),
	} {
		t.Run(name+" is refused, where the query says", func(t *testing.T) {
			wantReply(t, b.get(with("bank", object)), "invalid_request_object")
			wantPage(t, b.get(with("bank", object, "redirect_uri", "https://evil.example/")), http.StatusBadRequest)
		})
	}
	t.Run("an expired one is refused", func(t *testing.T) {
		w.clock.add(3 * time.Minute)
		wantReply(t, b.get(with("bank", good)), "invalid_request_object")
	})
	t.Run("request and request_uri exclude each other, and no URI is fetched (CVE-2020-10770)", func(t *testing.T) {
		wantReply(t, b.get(with("bank", good, "request_uri", "urn:ietf:params:oauth:request_uri:x")), "invalid_request")
		wantReply(t, b.get(askOf("bank", "request_uri", "https://127.0.0.1/x")), "request_uri_not_supported")
		wantReply(t, b.get(askOf("bank", "request_uri", "file:///etc/passwd")), "request_uri_not_supported")
	})
}

// TestSignedAnswers is JARM.
func TestSignedAnswers(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedBank(t)
	b := w.newBrowser()
	b.signIn(t, askOf("bank"))
	open := func(t *testing.T, raw string) map[string]any {
		t.Helper()
		values, err := url.ParseQuery(raw)
		require.NoError(t, err)
		require.Len(t, values, 1, "nothing beside the response")
		said, err := w.Decode(t.Context(), values.Get("response"))
		require.NoError(t, err)
		require.Equal(t, issuer, said["iss"])
		require.Equal(t, "bank", said["aud"])
		require.EqualValues(t, w.clock.Now().Add(5*time.Minute).Unix(), said["exp"])
		require.Equal(t, "a state", said["state"])
		return said
	}
	for mode, cut := range map[string]string{"jwt": "?", "query.jwt": "?", "fragment.jwt": "#"} {
		t.Run(mode, func(t *testing.T) {
			a := b.get(askOf("bank", "response_mode", mode))
			_, raw, _ := strings.Cut(a.header.Get("Location"), cut)
			code, _ := open(t, raw)["code"].(string)
			require.Equal(t, http.StatusOK, w.redeemAt("bank", code).status)
			a = b.get(askOf("bank", "response_mode", mode, "prompt", "none", "max_age", "0"))
			_, raw, _ = strings.Cut(a.header.Get("Location"), cut)
			require.Equal(t, "login_required", open(t, raw)["error"])
		})
	}
	t.Run("form_post.jwt", func(t *testing.T) {
		action, values := fields(t, b.get(askOf("bank", "response_mode", "form_post.jwt")))
		require.Equal(t, callback, action)
		require.NotEmpty(t, open(t, values.Encode())["code"])
	})
	t.Run("by the algorithm that the client registered", func(t *testing.T) {
		c, err := w.store.FindClient(t.Context(), "bank")
		require.NoError(t, err)
		c.ResponseAlg = "ES256"
		require.NoError(t, w.SaveClient(t.Context(), c))
		_, raw, _ := strings.Cut(b.get(askOf("bank", "response_mode", "jwt")).header.Get("Location"), "response=")
		require.Equal(t, "ES256", header(t, raw)["alg"])
	})
	t.Run("a token that nobody offers is refused in the fragment, signed too", func(t *testing.T) {
		a := b.get(askOf("bank", "response_mode", "jwt", "response_type", "id_token"))
		_, raw, _ := strings.Cut(a.header.Get("Location"), "#")
		require.Equal(t, "unsupported_response_type", open(t, raw)["error"])
	})
}

func TestAuthorizationDetails(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), func(o *provider.Options) { o.DetailTypes = []string{"payment"} })
	w.seedBank(t)
	b := w.newBrowser()
	b.signIn(t, askOf("bank", "scope", "openid offline_access"))
	page := b.get(askOf("bank", "scope", "openid offline_access", "authorization_details", payment))
	require.True(t, isConsent(page), "what is asked for in detail is asked every time")
	require.Contains(t, page.raw, "In particular: payment")
	require.Contains(t, page.raw, "<dt>instructed amount · amount</dt><dd>123.50</dd>")
	code := returned(t, b.submit(t, page, "decision", "allow")).Get("code")
	wantError(t, w.redeemAt("bank", code, "authorization_details", `[{"type":"payment","instructedAmount":{"amount":"999.50"}}]`), http.StatusBadRequest, "invalid_authorization_details")
	a := w.redeemAt("bank", code)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	same := func(t *testing.T, got any) {
		t.Helper()
		said, err := json.Marshal(got)
		require.NoError(t, err)
		require.JSONEq(t, payment, string(said))
	}
	same(t, a.body["authorization_details"])
	same(t, w.introspect(a.str("access_token")).body["authorization_details"])
	again := w.refresh("bank", a.str("refresh_token"), "authorization_details", payment)
	require.Equal(t, http.StatusOK, again.status, again.raw)
	same(t, again.body["authorization_details"])
	wantError(t, w.refresh("bank", again.str("refresh_token"), "authorization_details", "x"), http.StatusBadRequest, "invalid_authorization_details")
	t.Run("a client for itself may have what it registered", func(t *testing.T) {
		own := w.post("/oauth2/token", "bank", url.Values{"grant_type": {"client_credentials"}, "authorization_details": {payment}})
		require.Equal(t, http.StatusOK, own.status, own.raw)
		same(t, w.introspect(own.str("access_token")).body["authorization_details"])
		bad := w.post("/oauth2/token", "bank", url.Values{"grant_type": {"client_credentials"}, "authorization_details": {`[{"type":"x"}]`}})
		wantError(t, bad, http.StatusBadRequest, "invalid_authorization_details")
	})
	t.Run("a JWT says them, too", func(t *testing.T) {
		c, err := w.store.FindClient(t.Context(), "bank")
		require.NoError(t, err)
		c.AccessTokenFormat = provider.FormatATJWT
		require.NoError(t, w.SaveClient(t.Context(), c))
		own := w.post("/oauth2/token", "bank", url.Values{"grant_type": {"client_credentials"}, "authorization_details": {payment}})
		said, err := w.Decode(t.Context(), own.str("access_token"))
		require.NoError(t, err)
		same(t, said["authorization_details"])
	})
	t.Run("types that are not the client's are refused, and discovery lists what is offered", func(t *testing.T) {
		wantReply(t, b.get(askOf("bank", "authorization_details", `[{"type":"medical"}]`)), "invalid_authorization_details")
		wantReply(t, b.get(askOf("signer", "authorization_details", payment)), "invalid_request")
		a := b.get(issuer + "/.well-known/openid-configuration")
		require.Equal(t, []any{"payment"}, a.body["authorization_details_types_supported"])
	})
}

// TestResource is RFC 8707 at the token endpoint.
func TestResource(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedBank(t)
	b := w.newBrowser()
	both := []any{"https://a.example/", "https://b.example/"}
	aud := func(a answer) any { return w.introspect(a.str("access_token")).body["aud"] }
	code := func() string { return b.signIn(t, askOf("bank", "scope", "openid offline_access")).Get("code") }
	t.Run("a code's token is for fewer, and its refresh token keeps all", func(t *testing.T) {
		first := w.redeemAt("bank", code(), "resource", "https://a.example/")
		require.Equal(t, http.StatusOK, first.status, first.raw)
		require.Equal(t, both[:1], aud(first))
		second := w.refresh("bank", first.str("refresh_token"))
		require.Equal(t, both, aud(second))
		third := w.refresh("bank", second.str("refresh_token"), "resource", "https://b.example/")
		require.Equal(t, both[1:], aud(third))
	})
	t.Run("a client's own token, too", func(t *testing.T) {
		own := w.post("/oauth2/token", "bank", url.Values{"grant_type": {"client_credentials"}, "resource": {"https://b.example/"}})
		require.Equal(t, both[1:], aud(own))
	})
	t.Run("what was narrowed before stays narrow", func(t *testing.T) {
		code := b.signIn(t, askOf("bank", "resource", "https://a.example/")).Get("code")
		wantError(t, w.redeemAt("bank", code, "resource", "https://b.example/"), http.StatusBadRequest, "invalid_target")
		require.Equal(t, both[:1], aud(w.redeemAt("bank", code)))
	})
	for name, resource := range map[string]string{"another": "https://c.example/", "a fragment": "https://a.example/#x", "no URI": "a", "a relative one": "/a"} {
		t.Run(name+" is refused", func(t *testing.T) {
			for _, form := range []url.Values{{"grant_type": {"client_credentials"}}, {"grant_type": {"authorization_code"}, "code": {code()}, "code_verifier": {verifier}, "redirect_uri": {callback}}} {
				form.Set("resource", resource)
				wantError(t, w.post("/oauth2/token", "bank", form), http.StatusBadRequest, "invalid_target")
			}
			wantReply(t, b.get(askOf("bank", "resource", resource)), "invalid_target")
		})
	}
}

// TestPKCEExemption is row 4 of the attacks, both ways.
func TestPKCEExemption(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedBank(t)
	b := w.newBrowser()
	code := func(more ...string) string { return b.signIn(t, askOf("bank", more...)).Get("code") }
	without := []string{"code_challenge", "-", "code_challenge_method", "-"}
	require.Equal(t, http.StatusOK, w.redeemAt("bank", code(without...), "code_verifier", "-").status)
	wantError(t, w.redeemAt("bank", code(without...)), http.StatusBadRequest, "invalid_grant")
	wantError(t, w.redeemAt("bank", code(), "code_verifier", "-"), http.StatusBadRequest, "invalid_grant")
	require.Equal(t, http.StatusOK, w.redeemAt("bank", code()).status)
	wantReply(t, b.get(askOf("bank", "code_challenge_method", "plain")), "invalid_request")
	wantReply(t, b.get(askOf("pusher", without...)), "invalid_request")
	require.Error(t, w.SaveClient(t.Context(), &provider.Client{ID: "x", AuthMethod: provider.AuthNone, PKCEOptional: true}))
}

func TestSignUp(t *testing.T) {
	const place = "https://www.example.com/register?from=keyway"
	w := newWorld(t, storetest.SQLite(t), func(o *provider.Options) { o.SignUpURL = place })
	w.seedBank(t)
	b := w.newBrowser()
	a := b.get(askOf("bank", "prompt", "create", "ui_locales", "de"))
	to, err := url.Parse(a.header.Get("Location"))
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(a.header.Get("Location"), place+"&"), a.header.Get("Location"))
	require.Equal(t, "de", to.Query().Get("ui_locales"))
	page := b.get(to.Query().Get("return_to"))
	require.True(t, isLogin(page), "who made an account signs in with it")
	page = b.submit(t, page, "username", "alice", "password", password)
	require.NotEmpty(t, returned(t, b.submit(t, page, "decision", "allow")).Get("code"))
	wantPage(t, w.newBrowser().get(to.Query().Get("return_to")), http.StatusForbidden)
	t.Run("the login page links there", func(t *testing.T) {
		page := w.newBrowser().get(askOf("bank"))
		require.Contains(t, page.raw, `id="sign-up" href="/tenant/sign-up?interaction=`)
		require.Contains(t, b.get(issuer + "/.well-known/openid-configuration").body["prompt_values_supported"], "create")
	})
	t.Run("without the setting there is neither", func(t *testing.T) {
		w.options.SignUpURL = ""
		w.start(t)
		b := w.newBrowser()
		wantReply(t, b.get(askOf("bank", "prompt", "create")), "invalid_request")
		require.NotContains(t, b.get(askOf("bank")).raw, "sign-up")
	})
}

// TestLongRequests is what an operator's database is spared.
func TestLongRequests(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedBank(t)
	b := w.newBrowser()
	wantReply(t, b.get(askOf("bank", "login_hint", strings.Repeat("x", 4<<10))), "invalid_request")
	require.True(t, isLogin(b.get(askOf("bank", "unknown", strings.Repeat("x", 8<<10)))), "what we do not know is not kept")
	a := b.send(http.MethodHead, issuer+"/account", nil)
	require.Equal(t, issuer+"/login", a.header.Get("Location"), "an interaction would be in there")
	require.Equal(t, http.StatusOK, b.send(http.MethodHead, issuer+"/login", nil).status)
	t.Run("the oldest of many sign-ins of one browser is forgotten", func(t *testing.T) {
		b := w.newBrowser()
		first := b.get(askOf("bank"))
		for n := range provider.MaxInteractionsPerBrowser {
			w.clock.add(time.Millisecond)
			b.get(askOf("bank", "state", strconv.Itoa(n)))
		}
		wantPage(t, b.submit(t, first, "username", "alice", "password", password), http.StatusBadRequest)
	})
}

func TestConsentPage(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedBank(t)
	atConsent := func(t *testing.T, more ...string) (*browser, answer) {
		t.Helper()
		b := w.newBrowser()
		page := b.get(askOf("bank", more...))
		page = b.submit(t, page, "username", "alice", "password", password)
		require.True(t, isConsent(page), page.raw)
		return b, page
	}
	t.Run("who allows twice in a row is let in, with a code of its own", func(t *testing.T) {
		b, page := atConsent(t)
		first := returned(t, b.submit(t, page, "decision", "allow"))
		second := returned(t, b.submit(t, page, "decision", "allow"))
		require.NotEqual(t, first.Get("code"), second.Get("code"))
		require.Equal(t, first.Get("state"), second.Get("state"))
		require.Equal(t, http.StatusOK, w.redeemAt("bank", second.Get("code")).status)
		a := b.submit(t, page, "decision", "deny")
		wantPage(t, a, http.StatusBadRequest)
		require.Contains(t, a.raw, "You have done this already")
		w.clock.add(2 * time.Minute)
		require.Contains(t, b.submit(t, page, "decision", "allow").raw, "Please start again")
	})
	t.Run("but not where it would be asked again", func(t *testing.T) {
		b, page := atConsent(t, "prompt", "login consent")
		returned(t, b.submit(t, page, "decision", "allow"))
		wantPage(t, b.submit(t, page, "decision", "allow"), http.StatusBadRequest)
	})
	t.Run("who allows less keeps the more that they allowed before", func(t *testing.T) {
		b, page := atConsent(t, "scope", "openid email read", "prompt", "login consent")
		returned(t, b.submit(t, page, "decision", "allow"))
		page = b.get(askOf("bank", "scope", "openid", "prompt", "consent"))
		returned(t, b.submit(t, page, "decision", "allow"))
		require.NotEmpty(t, returned(t, b.get(askOf("bank", "scope", "openid email read"))).Get("code"))
	})
	t.Run("who waits there for long is asked to sign in anew, if the request says so", func(t *testing.T) {
		for _, more := range [][]string{{"prompt", "login consent"}, {"max_age", "60", "prompt", "consent"}} {
			b := w.newBrowser()
			page := b.submit(t, b.get(askOf("bank", more...)), "username", "alice", "password", password)
			w.clock.add(10 * time.Minute)
			page = b.submit(t, page, "decision", "allow")
			require.True(t, isLogin(page), more)
			a := w.redeemAt("bank", returned(t, b.submit(t, page, "username", "alice", "password", password)).Get("code"))
			require.EqualValues(t, w.clock.Now().Unix(), w.idToken(t, a)["auth_time"])
		}
	})
	t.Run("the parameter claims tells less after a narrower refresh", func(t *testing.T) {
		b := w.newBrowser()
		a := w.redeemAt("bank", b.signIn(t, askOf("bank", "scope", "openid email offline_access", "claims", `{"userinfo":{"email":null}}`)).Get("code"))
		require.Contains(t, w.userinfo(a.str("access_token")).body, "email")
		a = w.refresh("bank", a.str("refresh_token"), "scope", "openid")
		require.NotContains(t, w.userinfo(a.str("access_token")).body, "email")
	})
	t.Run("a duplicated parameter is refused in the mode that is asked for", func(t *testing.T) {
		a := w.newBrowser().get(askOf("bank", "response_mode", "fragment") + "&scope=x")
		require.Contains(t, a.header.Get("Location"), callback+"#")
		wantReply(t, a, "invalid_request")
	})
}
