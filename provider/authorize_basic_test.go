package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/store/storetest"
)

// TestBasicOP has a test for each row of what a certified provider does.
func TestBasicOP(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)

	t.Run("happy path", func(t *testing.T) {
		for _, client := range []string{"web", "web-post", "native"} {
			b := w.newBrowser()
			got := b.signIn(t, ask(client))
			require.Equal(t, "a state", got.Get("state"))
			a := w.redeem(client, got.Get("code"))
			require.Equal(t, http.StatusOK, a.status, a.raw)
			require.Equal(t, "Bearer", a.str("token_type"))
			require.Equal(t, w.alice, w.idToken(t, a)["sub"])
			require.Equal(t, w.alice, w.userinfo(a.str("access_token")).str("sub"))
		}
	})
	t.Run("ID token", func(t *testing.T) {
		a := w.newBrowser().tokens(t, "web")
		claims := w.idToken(t, a)
		sum := sha256.Sum256([]byte(a.str("access_token")))
		require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:16]), claims["at_hash"])
		require.Equal(t, issuer, claims["iss"])
		require.Equal(t, []any{"web"}, asList(claims["aud"]))
		require.Equal(t, "a nonce", claims["nonce"])
		require.EqualValues(t, w.clock.Now().Unix(), claims["auth_time"])
		require.EqualValues(t, w.clock.Now().Unix(), claims["iat"])
		require.NotEmpty(t, claims["sid"])
		require.Equal(t, []any{"pwd"}, claims["amr"])
		require.NotContains(t, claims, "email", "that is told at userinfo")
		require.NotContains(t, claims, "rat", "no standard has it")
		require.Equal(t, "RS256", header(t, a.str("id_token"))["alg"])
	})
	t.Run("nonce", func(t *testing.T) {
		b := w.newBrowser()
		require.NotContains(t, w.idToken(t, b.tokens(t, "web", "nonce", "-")), "nonce")
		for _, nonce := range []string{"x", strings.Repeat("n", 64), strings.Repeat("n", 384), "ü\"<"} {
			require.Equal(t, nonce, w.idToken(t, b.tokens(t, "web", "nonce", nonce))["nonce"])
		}
		wantReply(t, b.get(ask("web", "nonce", strings.Repeat("n", 1025))), "invalid_request")
	})
	t.Run("state is optional and comes back as it was", func(t *testing.T) {
		b := w.newBrowser()
		require.NotContains(t, b.signIn(t, ask("web", "state", "-")), "state")
		for _, state := range []string{"x", strings.Repeat("s", 2000), "a&b=c#d%20ü"} {
			require.Equal(t, state, b.signIn(t, ask("web", "state", state)).Get("state"))
		}
	})
	t.Run("response_type missing", func(t *testing.T) {
		b := w.newBrowser()
		wantReply(t, b.get(ask("web", "response_type", "-")), "invalid_request")
		for _, other := range []string{"token", "id_token", "code id_token", "none"} {
			a := b.get(ask("web", "response_type", other))
			wantReply(t, a, "unsupported_response_type")
			require.Equal(t, strings.Contains(other, "token"), strings.Contains(a.header.Get("Location"), "#"), "RFC 6749, section 4.2.2.1")
		}
	})
	t.Run("userinfo", func(t *testing.T) {
		token := w.newBrowser().tokens(t, "web").str("access_token")
		post := w.post("/oauth2/userinfo", "", url.Values{"access_token": {token}})
		require.Equal(t, w.alice, post.str("sub"))
		r := httptest.NewRequest(http.MethodPost, "/tenant/oauth2/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		require.Equal(t, w.alice, w.do(r).str("sub"))
		require.Contains(t, post.header.Get("Content-Type"), "application/json")
	})
	t.Run("scopes", func(t *testing.T) {
		told := w.userinfo(w.newBrowser().tokens(t, "web", "scope", "phone openid email profile address").str("access_token"))
		require.Equal(t, "alice@example.com", told.str("email"))
		require.Equal(t, true, told.body["email_verified"])
		require.Equal(t, "+1555", told.str("phone_number"))
		require.Equal(t, "Alice", told.str("given_name"))
		require.IsType(t, float64(0), told.body["updated_at"])
		wantReply(t, w.newBrowser().get(ask("web", "scope", "openid admin")), "invalid_scope")
	})
	t.Run("order", func(t *testing.T) {
		target, query, _ := strings.Cut(ask("web", "scope", "email openid"), "?")
		parts := strings.Split(query, "&")
		for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
			parts[i], parts[j] = parts[j], parts[i]
		}
		require.NotEmpty(t, w.newBrowser().signIn(t, target+"?"+strings.Join(parts, "&")).Get("code"))
	})
	t.Run("display, ui_locales, claims_locales, acr_values, login_hint, unknown parameter", func(t *testing.T) {
		b := w.newBrowser()
		target := ask("web", "display", "popup", "ui_locales", "de xx", "claims_locales", "de", "acr_values", "1 urn:keyway:password",
			"login_hint", `bob"<i>`, "extra", "foobar")
		page := b.get(target)
		require.True(t, isLogin(page))
		require.Equal(t, "de", page.header.Get("Content-Language"))
		require.Contains(t, page.raw, `value="bob&#34;&lt;i&gt;"`)
		require.Equal(t, "urn:keyway:password", w.idToken(t, b.tokens(t, "web", "acr_values", "urn:keyway:password"))["acr"])
	})
	t.Run("POST to the authorization endpoint", func(t *testing.T) {
		b := w.newBrowser()
		for range 2 { // with and without a session
			_, query, _ := strings.Cut(ask("web", "scope", "openid email"), "?")
			values, err := url.ParseQuery(query)
			require.NoError(t, err)
			a := b.post("/tenant/oauth2/authorize", values)
			if isLogin(a) {
				a = b.submit(t, a, "username", "alice", "password", password)
			}
			if isConsent(a) {
				a = b.submit(t, a, "decision", "allow")
			}
			require.NotEmpty(t, returned(t, a).Get("code"))
		}
	})
	t.Run("request object, request_uri", func(t *testing.T) {
		b := w.newBrowser()
		wantReply(t, b.get(ask("web", "request", "eyJhbGciOiJub25lIn0.e30.")), "invalid_request_object")
		wantReply(t, b.get(ask("web", "request_uri", "https://127.0.0.1/x")), "request_uri_not_supported")
		wantReply(t, b.get(ask("web", "registration", "{}")), "registration_not_supported")
	})
	t.Run("refresh", func(t *testing.T) {
		b := w.newBrowser()
		first := b.tokens(t, "web", "scope", "openid offline_access email")
		before, refresh := w.idToken(t, first), first.str("refresh_token")
		for range 2 {
			w.clock.add(time.Minute)
			a := w.refresh("web", refresh)
			require.Equal(t, http.StatusOK, a.status, a.raw)
			after := w.idToken(t, a)
			for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid"} {
				require.Equal(t, before[name], after[name], name)
			}
			refresh = a.str("refresh_token")
		}
		wantError(t, w.refresh("native", refresh), http.StatusBadRequest, "invalid_grant")
		require.Empty(t, b.tokens(t, "web").str("refresh_token"), "without offline_access there is none")
	})
	t.Run("error descriptions", func(t *testing.T) {
		got := wantReply(t, w.newBrowser().get(ask("web", "prompt", "none\n\"\\")), "invalid_request")
		require.Regexp(t, `^[\x20-\x21\x23-\x5B\x5D-\x7E]+$`, got.Get("error_description"))
		require.Len(t, got, 4, "error, error_description, iss, state and nothing else")
		got = wantReply(t, w.newBrowser().get(ask("web", "code_challenge", "")), "invalid_request")
		require.Equal(t, "code_challenge is missing", got.Get("error_description"), "who writes the client is told why")
	})
}

// TestSignInAgain is the rows about when people are asked anew.
func TestSignInAgain(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	again := func(t *testing.T, b *browser, more ...string) map[string]any {
		t.Helper()
		w.clock.add(10 * time.Second)
		page := b.get(ask("web", more...))
		require.True(t, isLogin(page), page.header.Get("Location"))
		got := returned(t, b.submit(t, page, "username", "alice", "password", password))
		return w.idToken(t, w.redeem("web", got.Get("code")))
	}
	silent := func(t *testing.T, b *browser, more ...string) map[string]any {
		t.Helper()
		w.clock.add(10 * time.Second)
		return w.idToken(t, w.redeem("web", returned(t, b.get(ask("web", more...))).Get("code")))
	}
	begin := func(t *testing.T) (*browser, answer, map[string]any) {
		b := w.newBrowser()
		a := b.tokens(t, "web")
		return b, a, w.idToken(t, a)
	}

	t.Run("prompt=login", func(t *testing.T) {
		b, _, first := begin(t)
		second := again(t, b, "prompt", "login")
		require.Greater(t, second["auth_time"], first["auth_time"])
		require.Equal(t, first["sub"], second["sub"])
	})
	t.Run("prompt=select_account", func(t *testing.T) {
		require.True(t, isLogin(w.newBrowser().get(ask("web", "prompt", "select_account"))), "there is nothing to select from")
		b, _, first := begin(t)
		page := b.get(ask("web", "prompt", "select_account"))
		require.Contains(t, page.raw, `id="select-form"`)
		got := returned(t, b.submit(t, page, "decision", "this"))
		require.Equal(t, first["auth_time"], w.idToken(t, w.redeem("web", got.Get("code")))["auth_time"], "nobody signed in anew")
		page = b.submit(t, b.get(ask("web", "prompt", "select_account")), "decision", "other")
		require.True(t, isLogin(page))
		require.Contains(t, page.raw, `name="username" type="text" value=""`)
		bob := w.seedBob(t)
		page = b.submit(t, page, "username", "bob", "password", password)
		require.True(t, isConsent(page), "it is his own to give")
		got = returned(t, b.submit(t, page, "decision", "allow"))
		require.Equal(t, bob, w.idToken(t, w.redeem("web", got.Get("code")))["sub"])
	})
	t.Run("prompt=none", func(t *testing.T) {
		wantReply(t, w.newBrowser().get(ask("web", "prompt", "none")), "login_required")
		b, _, first := begin(t)
		second := silent(t, b, "prompt", "none")
		require.Equal(t, first["sub"], second["sub"])
		require.Equal(t, first["auth_time"], second["auth_time"])
		wantReply(t, b.get(ask("web", "prompt", "none", "scope", "openid phone read")), "consent_required")
		for _, prompt := range []string{"none login", "none none", "create", "NONE"} {
			wantReply(t, b.get(ask("web", "prompt", prompt)), "invalid_request")
		}
	})
	t.Run("prompt=consent", func(t *testing.T) {
		b, _, _ := begin(t)
		require.True(t, isConsent(b.get(ask("web", "prompt", "consent"))), "though it was given before")
		require.True(t, isConsent(b.get(ask("web-post", "prompt", "consent"))), "though it is skipped")
	})
	t.Run("max_age", func(t *testing.T) {
		b, _, first := begin(t)
		second := silent(t, b, "max_age", "10000")
		require.Equal(t, first["auth_time"], second["auth_time"])
		third := again(t, b, "max_age", "1")
		require.Greater(t, third["auth_time"], first["auth_time"])
		again(t, b, "max_age", "0")
		w.clock.add(time.Minute)
		wantReply(t, b.get(ask("web", "max_age", "1", "prompt", "none")), "login_required")
		for _, bad := range []string{"x", "-1", "1.5", "99999999999"} {
			wantReply(t, b.get(ask("web", "max_age", bad)), "invalid_request")
		}
		for _, empty := range []string{"max_age", "request", "request_uri", "registration"} {
			require.NotEmpty(t, returned(t, b.get(ask("web", empty, ""))).Get("code"), "%s: an empty parameter is none", empty)
		}
	})
	t.Run("id_token_hint + prompt=none", func(t *testing.T) {
		b, a, first := begin(t)
		hint := a.str("id_token")
		require.Equal(t, first["sub"], silent(t, b, "prompt", "none", "id_token_hint", hint)["sub"])
		w.clock.add(2 * time.Hour)
		require.Equal(t, first["sub"], silent(t, b, "prompt", "none", "id_token_hint", hint)["sub"], "long expired")
		wantReply(t, w.newBrowser().get(ask("web", "prompt", "none", "id_token_hint", hint)), "login_required")
		for name, bad := range map[string]string{
			"an access token": a.str("access_token"), "nothing": "x.y.z", "a stranger's": stranger(t, hint), "none": unsigned(hint),
		} {
			require.NotNil(t, wantReply(t, b.get(ask("web", "id_token_hint", bad)), "invalid_request"), name)
		}
	})
	t.Run("id_token_hint after key rotation (regression 13)", func(t *testing.T) {
		b, a, first := begin(t)
		require.NoError(t, w.Rotate(t.Context(), true))
		require.Equal(t, first["sub"], silent(t, b, "prompt", "none", "id_token_hint", a.str("id_token"))["sub"])
	})
	t.Run("a hint of somebody else needs that person", func(t *testing.T) {
		w.seedBob(t)
		_, a, _ := begin(t)
		b := w.newBrowser()
		page := b.get(ask("web-post"))
		returned(t, b.submit(t, page, "username", "bob", "password", password))
		wantReply(t, b.get(ask("web", "prompt", "none", "id_token_hint", a.str("id_token"))), "login_required")
		page = b.get(ask("web", "id_token_hint", a.str("id_token")))
		require.True(t, isLogin(page))
		wantReply(t, b.submit(t, page, "username", "bob", "password", password), "login_required")
		page = b.get(ask("web", "id_token_hint", a.str("id_token")))
		require.NotEmpty(t, returned(t, b.submit(t, page, "username", "alice", "password", password)).Get("code"))
	})
	t.Run("claims parameter", func(t *testing.T) {
		b, _, first := begin(t)
		asked := `{"userinfo":{"name":{"essential":true},"given_name":null},"id_token":{"email":{"essential":true},"auth_time":null}}`
		page := b.get(ask("web", "claims", asked))
		require.True(t, isConsent(page), "that is more than was allowed")
		a := w.redeem("web", returned(t, b.submit(t, page, "decision", "allow")).Get("code"))
		require.Equal(t, "alice@example.com", w.idToken(t, a)["email"])
		told := w.userinfo(a.str("access_token"))
		require.Equal(t, "Alice", told.str("given_name"))
		require.NotContains(t, told.body, "email")

		require.NotContains(t, w.idToken(t, b.tokens(t, "narrow", "claims", asked)), "email", "the client may not ask for that")
		require.Equal(t, first["sub"], silent(t, b, "claims", `{"id_token":{"sub":{"value":`+strconv.Quote(w.alice)+`}}}`)["sub"])
		wantReply(t, b.get(ask("web", "prompt", "none", "claims", `{"id_token":{"sub":{"value":"other"}}}`)), "login_required")
		wantReply(t, b.get(ask("web", "claims", `{"id_token":{"acr":{"essential":true,"values":["gold"]}}}`)), "unmet_authentication_requirements")
		wantReply(t, b.get(ask("web", "claims", `{`)), "invalid_request")
	})
}

// TestResponseModes is how answers travel.
func TestResponseModes(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.tokens(t, "web")
	t.Run("query keeps the query that the URI has", func(t *testing.T) {
		a := b.get(ask("web", "redirect_uri", callback+"?registered=1"))
		require.True(t, strings.HasPrefix(a.header.Get("Location"), callback+"?registered=1&"))
		require.NotEmpty(t, returned(t, a).Get("code"))
	})
	t.Run("fragment", func(t *testing.T) {
		for _, more := range [][]string{{}, {"prompt", "none", "max_age", "0"}} {
			a := b.get(ask("web", append(more, "response_mode", "fragment")...))
			to, err := url.Parse(a.header.Get("Location"))
			require.NoError(t, err)
			require.Empty(t, to.RawQuery)
			values, err := url.ParseQuery(to.Fragment)
			require.NoError(t, err)
			require.Equal(t, issuer, values.Get("iss"))
			require.NotEmpty(t, values.Get("code")+values.Get("error"))
		}
	})
	t.Run("form_post", func(t *testing.T) {
		for code, more := range map[string][]string{"": {}, "login_required": {"prompt", "none", "max_age", "0"}} {
			a := b.get(ask("web", append(more, "response_mode", "form_post", "state", `"><script>`)...))
			require.Equal(t, http.StatusOK, a.status)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
			require.NotContains(t, a.header.Get("Content-Security-Policy"), "unsafe")
			require.NotContains(t, a.raw, `"><script>`)
			action, values := fields(t, a)
			require.Equal(t, callback, action)
			require.Equal(t, `"><script>`, values.Get("state"))
			require.Equal(t, issuer, values.Get("iss"))
			require.Equal(t, code, values.Get("error"))
			require.Equal(t, code == "", values.Get("code") != "")
		}
	})
	t.Run("an unknown one is refused", func(t *testing.T) {
		wantReply(t, b.get(ask("web", "response_mode", "web_message")), "invalid_request")
	})
}
