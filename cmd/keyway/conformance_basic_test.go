package main

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// basicRows are what a certified provider does for the response type code,
// with whatever response mode the site is asked for.
func basicRows(t *testing.T, s *site) {
	s.row(t, "happy path: code, token, signed ID token, userinfo; also with a second client", func(v *visitor) {
		subjects := map[any]bool{}
		for _, client := range []string{"web", "second", "es"} {
			got := v.passes(v.get(s.ask(client)), "alice")
			require.Equal(v, "a state", got.Get("state"))
			a := v.redeem(client, got.Get("code"))
			require.Equal(v, http.StatusOK, a.status, a.body)
			require.Equal(v, "no-store", a.header.Get("Cache-Control"))
			require.Equal(v, "Bearer", a.text("token_type"))
			claims := v.idToken(client, a)
			require.Equal(v, claims["sub"], v.userinfo(a.text("access_token")).text("sub"))
			subjects[claims["sub"]] = true
		}
		require.Len(v, subjects, 1)
	})
	for client, method := range map[string]string{"web": "basic", "second": "post as its own run", "signer": "private_key_jwt", "native": "none"} {
		s.row(t, "client authentication: "+method, func(v *visitor) {
			require.NotEmpty(v, v.tokens(client).text("access_token"))
		})
	}
	s.row(t, "client authentication: nothing but the client's own secret, once, in the header or in the body", func(v *visitor) {
		code := v.code("web")
		form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {siteVerifier}, "redirect_uri": {webReturn}}
		redeem := func(change ...string) seen { return v.send(http.MethodPost, "/oauth2/token", changed(form, change)) }
		redeem("client_id", "web", "client_secret", "wrong").fails(v.T, http.StatusUnauthorized, "invalid_client")
		redeem("client_id", "web").fails(v.T, http.StatusUnauthorized, "invalid_client")
		redeem("client_secret", "-").fails(v.T, http.StatusUnauthorized, "invalid_client")
		name, value := basicOf("web", "wrong")
		v.send(http.MethodPost, "/oauth2/token", form, name, value).fails(v.T, http.StatusUnauthorized, "invalid_client")
		name, value = basicOf("web", siteSecret)
		both := changed(form, []string{"client_id", "web", "client_secret", siteSecret})
		v.send(http.MethodPost, "/oauth2/token", both, name, value).fails(v.T, http.StatusBadRequest, "invalid_request")
		require.Equal(v, http.StatusOK, redeem("client_id", "web", "client_secret", siteSecret).status, "and the code is not spent by that")
	})
	idTokenRows(t, s)
	userinfoRows(t, s)
	requestRows(t, s)
	codeRows(t, s)
}

func idTokenRows(t *testing.T, s *site) {
	s.row(t, "ID token: RS256 default, kid in JWKS, iss, aud, exp, iat, nonce echoed, sub ≤ 255 ASCII, at_hash right if there, no unexpected alg", func(v *visitor) {
		a := v.tokens("web")
		claims, head := v.idToken("web", a), joseHeader(v.T, a.text("id_token"))
		require.Equal(v, "RS256", head["alg"])
		require.Contains(v, v.get("/oauth2/jwks").body, `"`+head["kid"].(string)+`"`)
		require.Equal(v, s.URL, claims["iss"])
		require.Contains(v, []any{"web", []any{"web"}}, normal(claims["aud"]))
		require.Equal(v, "a nonce", claims["nonce"])
		require.Regexp(v, `^[\x21-\x7E]{1,255}$`, claims["sub"])
		require.EqualValues(v, s.clock.Now().Unix(), claims["iat"])
		require.Greater(v, claims["exp"], claims["iat"])
		sum := sha256.Sum256([]byte(a.text("access_token")))
		require.Equal(v, base64.RawURLEncoding.EncodeToString(sum[:16]), claims["at_hash"])
		for _, personal := range []string{"email", "name", "phone_number", "address"} {
			require.NotContains(v, claims, personal)
		}
		require.Equal(v, "ES256", joseHeader(v.T, v.tokens("es").text("id_token"))["alg"], "as registered")
	})
	s.row(t, "nonce: absent in a code request: fine", func(v *visitor) {
		require.NotContains(v, v.idToken("web", v.tokens("web", "nonce", "-")), "nonce")
		for _, nonce := range []string{strings.Repeat("n", 64), strings.Repeat("n", 384)} {
			require.Equal(v, nonce, v.idToken("web", v.tokens("web", "nonce", nonce))["nonce"])
		}
	})
	s.row(t, "response_type missing: error back to the client or an error page", func(v *visitor) {
		v.refused(v.get(s.ask("web", "response_type", "-")), "invalid_request")
	})
}

// normal is a list of one as that one.
func normal(x any) any {
	if list, ok := x.([]any); ok && len(list) == 1 {
		return list[0]
	}
	return x
}

func joseHeader(t *testing.T, token string) map[string]any {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[0])
	require.NoError(t, err)
	var h map[string]any
	require.NoError(t, json.Unmarshal(b, &h))
	return h
}

func userinfoRows(t *testing.T, s *site) {
	s.row(t, "userinfo: GET, POST with header, POST with body; sub equals the ID token's; JSON with charset rules", func(v *visitor) {
		a := v.redeem("second", v.passes(v.get(s.ask("second", "scope", "openid profile")), "zoë").Get("code"))
		token, sub := a.text("access_token"), v.idToken("second", a)["sub"]
		for name, told := range map[string]seen{
			"GET": v.userinfo(token), "POST with header": v.send(http.MethodPost, "/oauth2/userinfo", nil, "Authorization", "Bearer "+token),
			"POST with body": v.send(http.MethodPost, "/oauth2/userinfo", url.Values{"access_token": {token}}),
		} {
			require.Equal(v, http.StatusOK, told.status, "%s: %s", name, told.body)
			require.Equal(v, sub, told.object["sub"], name)
			require.Regexp(v, `(?i)^application/json(;\s*charset=utf-8)?$`, told.header.Get("Content-Type"), name)
			require.Equal(v, "Zoë", told.object["given_name"], name)
		}
	})
	opened := map[string][]string{
		"profile": strings.Fields("name family_name given_name middle_name nickname preferred_username profile picture website gender birthdate zoneinfo locale updated_at"),
		"email":   {"email", "email_verified"}, "address": {"address"}, "phone": {"phone_number", "phone_number_verified"},
	}
	opened["profile email address phone"] = slices.Concat(opened["profile"], opened["email"], opened["address"], opened["phone"])
	for scope, names := range opened {
		s.row(t, "scopes: "+scope+": claims come at userinfo, types right", func(v *visitor) {
			told := v.userinfo(v.tokens("second", "scope", "openid "+scope).text("access_token")).object
			require.Len(v, told, len(names)+1, "%v", told)
			for _, name := range names {
				switch name {
				case "email_verified", "phone_number_verified":
					require.IsType(v, true, told[name], name)
				case "updated_at":
					require.IsType(v, float64(0), told[name], name)
				case "address":
					require.IsType(v, map[string]any{}, told[name], name)
				default:
					require.IsType(v, "", told[name], name)
				}
			}
		})
	}
}

func requestRows(t *testing.T, s *site) {
	s.row(t, "scopes and parameters in any order", func(v *visitor) {
		target, query, _ := strings.Cut(s.ask("web", "scope", "email address openid"), "?")
		parts := strings.Split(query, "&")
		slices.Reverse(parts)
		a := v.redeem("web", v.passes(v.get(target+"?"+strings.Join(parts, "&")), "alice").Get("code"))
		require.Equal(v, "alice@example.com", v.userinfo(a.text("access_token")).text("email"))
	})
	for name, values := range map[string][]string{
		"display": {"page", "popup", "touch", "wap"}, "ui_locales": {"se", "de en", "xx-invalid-yy"}, "claims_locales": {"se", "de"},
		"acr_values": {"1 2", "urn:keyway:password"}, "login_hint": {"alice", `x"><i>`}, "extra": {"foobar"}, "audience_hint": {""},
	} {
		s.row(t, name+": never an error", func(v *visitor) {
			for _, value := range values {
				require.NotEmpty(v, v.code("web", name, value), value)
			}
		})
	}
	s.row(t, "acr_values: acr in the ID token if asked and known", func(v *visitor) {
		known := v.metadata()["acr_values_supported"].([]any)[0].(string)
		require.Equal(v, known, v.idToken("web", v.tokens("web", "acr_values", known))["acr"])
	})
	s.row(t, "redirect_uri not registered: error page, no redirect", func(v *visitor) {
		v.told(v.get(s.ask("web", "redirect_uri", "https://app.example.com/other")))
		v.told(v.get(s.ask("web", "redirect_uri", "-")))
	})
	s.row(t, "POST to the authorization endpoint works", func(v *visitor) {
		for range 2 { // without and with a session
			u, err := url.Parse(s.ask("second"))
			require.NoError(v, err)
			require.NotEmpty(v, v.passes(v.follow(v.send(http.MethodPost, "/oauth2/authorize", u.Query())), "alice").Get("code"))
		}
	})
	s.row(t, "claims parameter: essential name returned", func(v *visitor) {
		a := v.tokens("second", "claims", `{"userinfo":{"name":{"essential":true}}}`)
		require.Equal(v, "Alice Example", v.userinfo(a.text("access_token")).text("name"))
		require.NotContains(v, v.userinfo(a.text("access_token")).object, "email")
	})
	s.row(t, "request object, request_uri: processed fully or refused by the named error; never half ignored; a redirect_uri inside wins", func(v *visitor) {
		requireRequestParameter(v, v.metadata()["request_parameter_supported"].(bool))
		v.refused(v.get(s.ask("web", "request_uri", "https://app.example.com/r")), "request_uri_not_supported")
	})
	s.row(t, "PKCE: a valid request works though not required", func(v *visitor) {
		require.Equal(v, http.StatusOK, v.redeem("web", v.code("web")).status)
	})
	s.row(t, "error descriptions: no CR, LF, TAB, quotes or backslash; no unknown parameters beside", func(v *visitor) {
		for _, more := range [][]string{{"prompt", "no\r\n\t\"\\ne"}, {"scope", "openid \\"}, {"response_type", `"`}, {"code_challenge_method", "\n"}, {"claims", "{"}} {
			got := v.refused(v.get(s.ask("web", more...)), "invalid_request", "invalid_scope", "unsupported_response_type")
			require.Regexp(v, `^[\x20-\x21\x23-\x5B\x5D-\x7E]*$`, got.Get("error_description"))
			for name := range got {
				require.Contains(v, []string{"error", "error_description", "iss", "state"}, name)
			}
		}
	})
}

func codeRows(t *testing.T, s *site) {
	for wait, name := range map[time.Duration]string{0: "at once: error, and the access token should die", 30 * time.Second: "after 30 s: error"} {
		s.row(t, "code reuse: "+name, func(v *visitor) {
			code := v.code("web", "scope", "openid offline_access")
			first := v.redeem("web", code)
			require.Equal(v, http.StatusOK, v.userinfo(first.text("access_token")).status)
			s.clock.advance(wait)
			v.redeem("web", code).fails(v.T, http.StatusBadRequest, "invalid_grant")
			v.userinfo(first.text("access_token")).fails(v.T, http.StatusUnauthorized, "invalid_token")
			v.refreshes("web", first.text("refresh_token")).fails(v.T, http.StatusBadRequest, "invalid_grant")
		})
	}
	s.row(t, "refresh: works twice, bound to the client, scope kept, ID token keeps iss, sub, aud, auth_time; characters and entropy of tokens", func(v *visitor) {
		a := v.tokens("web", "scope", "openid offline_access email")
		before, refresh := v.idToken("web", a), a.text("refresh_token")
		tokens := []string{a.text("access_token"), refresh}
		for range 2 {
			s.clock.advance(time.Minute)
			a = v.refreshes("web", refresh)
			require.Equal(v, http.StatusOK, a.status, a.body)
			after := v.idToken("web", a)
			for _, name := range []string{"iss", "sub", "aud", "auth_time"} {
				require.Equal(v, before[name], after[name], name)
			}
			require.NotContains(v, after, "nonce", "OpenID Connect Core 1.0, section 12.2")
			require.Equal(v, "alice@example.com", v.userinfo(a.text("access_token")).text("email"), "the scope is kept")
			refresh = a.text("refresh_token")
			tokens = append(tokens, a.text("access_token"), refresh)
		}
		v.refreshes("second", refresh).fails(v.T, http.StatusBadRequest, "invalid_grant")
		for i, token := range tokens {
			require.Regexp(v, `^[A-Za-z0-9._~+/-]{32,}=*$`, token)
			require.NotContains(v, tokens[:i], token)
			for _, other := range tokens[:i] {
				require.NotEqual(v, other[10:26], token[10:26], "no part of it is the same")
			}
		}
	})
}
