package main

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// truth is how one member of the discovery document is asked for.
type truth struct {
	does    func(v *visitor, item string) // fails where the site does not do what it lists
	refuses func(v *visitor, item string) // fails where it does what it does not list
	others  []string                      // what it might list: refused where it does not
}

// truthRows ask for everything that the discovery document lists, and for what
// it does not. A member, or an item of one, that nobody knows how to ask for
// fails.
func truthRows(t *testing.T, s *site) {
	known := map[string]truth{}
	for _, part := range []map[string]truth{endpointTruths(), requestTruths(), clientTruths(), answerTruths(), boundTruths(), channelTruths()} {
		for name, x := range part {
			known[name] = x
		}
	}
	listed := s.visitor(t).metadata()
	for name, value := range listed {
		x, ok := known[name]
		require.True(t, ok, "nobody knows how to ask for %s", name)
		for _, item := range itemsOf(t, name, value) {
			s.row(t, "discovery is true: "+name+" "+item, func(v *visitor) { x.does(v, item) })
		}
	}
	for name, x := range known {
		present, _ := listed[name].([]any)
		for _, item := range x.others {
			if slices.Contains(present, any(item)) || listed[name] == s.URL+item || listed[name] == (item == "true") {
				continue
			}
			s.row(t, "discovery is true: "+name+" not "+item, func(v *visitor) { x.refuses(v, item) })
		}
	}
}

// itemsOf are the texts of a member's value: itself, or those of the list.
func itemsOf(t *testing.T, name string, value any) []string {
	t.Helper()
	switch x := value.(type) {
	case string:
		return []string{x}
	case bool:
		if x {
			return []string{"true"}
		}
		return []string{"false"}
	case []any:
		items := make([]string, len(x))
		for i := range x {
			items[i] = x[i].(string)
		}
		return items
	}
	t.Fatalf("%s is a %T", name, value)
	return nil
}

// endpointTruths ask each endpoint something that only it answers so.
func endpointTruths() map[string]truth {
	answers := func(method string, status int, want string) truth {
		return truth{does: func(v *visitor, at string) {
			var form url.Values
			if method == http.MethodPost {
				form = url.Values{"x": {"y"}}
			}
			a := v.send(method, at, form)
			require.Equal(v, status, a.status, a.body)
			require.Contains(v, a.body, want)
		}}
	}
	gone := func(x truth, path string) truth {
		x.others = []string{path}
		x.refuses = func(v *visitor, path string) {
			for _, method := range []string{http.MethodGet, http.MethodPost} {
				require.Equal(v, http.StatusNotFound, v.send(method, v.site.URL+path, nil).status)
			}
		}
		return x
	}
	return map[string]truth{
		"issuer":                                {does: func(v *visitor, item string) { require.Equal(v, v.site.URL, item) }},
		"authorization_endpoint":                answers(http.MethodGet, http.StatusBadRequest, `id="error-page"`),
		"token_endpoint":                        answers(http.MethodPost, http.StatusBadRequest, "grant_type"),
		"userinfo_endpoint":                     answers(http.MethodGet, http.StatusUnauthorized, ""),
		"jwks_uri":                              answers(http.MethodGet, http.StatusOK, `"kid"`),
		"introspection_endpoint":                answers(http.MethodPost, http.StatusUnauthorized, "invalid_client"),
		"revocation_endpoint":                   answers(http.MethodPost, http.StatusUnauthorized, "invalid_client"),
		"end_session_endpoint":                  answers(http.MethodGet, http.StatusOK, `id="logged_out-page"`),
		"pushed_authorization_request_endpoint": gone(answers(http.MethodPost, http.StatusUnauthorized, "invalid_client"), "/oauth2/par"),
		"device_authorization_endpoint":         gone(answers(http.MethodPost, http.StatusUnauthorized, "invalid_client"), "/oauth2/device"),
		"registration_endpoint":                 gone(answers(http.MethodPost, http.StatusUnauthorized, ""), "/oauth2/register"),
	}
}

// requestTruths ask for what an authorization request may say.
func requestTruths() map[string]truth {
	refusedAs := func(name string, codes ...string) func(v *visitor, item string) {
		return func(v *visitor, item string) {
			v.tokens("second")
			v.refused(v.get(v.site.ask("second", name, item)), codes...)
		}
	}
	return map[string]truth{
		"scopes_supported": {
			does: func(v *visitor, scope string) {
				a := v.tokens("second", "scope", scope)
				require.Equal(v, scope, v.introspectedAs("second", a.text("access_token"))["scope"])
			},
			refuses: refusedAs("scope", "invalid_scope"), others: []string{"admin", "Openid", "offline"},
		},
		"response_types_supported": {
			does:    func(v *visitor, responseType string) { v.tokens("second", "response_type", responseType) },
			refuses: refusedAs("response_type", "unsupported_response_type"),
			others:  []string{"token", "id_token", "id_token token", "code id_token", "code token", "code id_token token", "none", "Code", "nonsense"},
		},
		"response_modes_supported": {
			does: requireMode, refuses: refusedAs("response_mode", "invalid_request", "unsupported_response_mode"),
			others: []string{"jwt", "query.jwt", "fragment.jwt", "form_post.jwt", "web_message", "Query", "nonsense"},
		},
		"prompt_values_supported": {
			does: requirePrompt, refuses: refusedAs("prompt", "invalid_request"), others: []string{"create", "nonsense", "Login"},
		},
		"code_challenge_methods_supported": {
			does:    func(v *visitor, method string) { v.tokens("second", "code_challenge_method", method) },
			refuses: refusedAs("code_challenge_method", "invalid_request"), others: []string{"plain", "s256", "nonsense"},
		},
		"acr_values_supported": {
			does: func(v *visitor, acr string) {
				essential := []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"` + acr + `"}}}`}
				page := v.get(v.site.ask("second", essential...))
				if page.has("login-form") {
					page = v.enters(page, "careful")
				}
				if page.has("enrol-form") {
					v.setsUp(page)
				}
				a := v.redeem("second", v.passes(v.get(v.site.ask("second", essential...)), "careful").Get("code"))
				require.Equal(v, acr, v.idToken("second", a)["acr"])
			},
			refuses: func(v *visitor, acr string) {
				v.tokens("second")
				v.refused(v.get(v.site.ask("second", "claims", `{"id_token":{"acr":{"essential":true,"value":"`+acr+`"}}}`)), "unmet_authentication_requirements")
			},
			others: []string{"urn:mace:incommon:iap:gold"},
		},
		"ui_locales_supported": {
			does: func(v *visitor, locale string) {
				require.Equal(v, locale, v.get(v.site.ask("second", "ui_locales", locale)).header.Get("Content-Language"))
			},
			refuses: func(v *visitor, locale string) {
				require.NotEqual(v, locale, v.get(v.site.ask("second", "ui_locales", locale)).header.Get("Content-Language"))
			},
			others: []string{"fr", "ja"},
		},
		"request_object_signing_alg_values_supported": {
			does: func(v *visitor, alg string) {
				a := v.get(v.site.ask("signer", "request", v.site.signWith(v.T, alg, "oauth-authz-req+jwt", v.requestObject()), "state", "-"))
				require.Equal(v, "inside", v.passes(a, "alice").Get("state"))
			},
			refuses: func(v *visitor, alg string) {
				good := v.site.sign(v.T, "oauth-authz-req+jwt", v.requestObject())
				v.refused(v.get(v.site.ask("signer", "request", unsignedToken(good, alg)+good[strings.LastIndexByte(good, '.')+1:])), "invalid_request_object")
			},
			others: []string{"none", "HS256", "RS512", "ES384"},
		},
		"request_parameter_supported":     {does: func(v *visitor, is string) { requireRequestParameter(v, is == "true") }},
		"request_uri_parameter_supported": {does: requireNoFetch},
		"require_request_uri_registration": {does: func(v *visitor, is string) {
			require.Equal(v, "false", is, "there is no request_uri to register")
		}},
		"claims_parameter_supported": {does: func(v *visitor, is string) {
			a := v.tokens("second", "claims", `{"id_token":{"email":null}}`, "scope", "openid email")
			require.Equal(v, is == "true", v.idToken("second", a)["email"] == "alice@example.com")
		}},
	}
}

// requireMode wants the answer to come by the mode that was asked for.
func requireMode(v *visitor, mode string) {
	v.tokens("second")
	a := v.get(v.site.ask("second", "response_mode", mode))
	to, err := url.Parse(a.location())
	require.NoError(v, err)
	switch strings.TrimSuffix(mode, ".jwt") {
	case "query", "jwt":
		require.NotEmpty(v, to.RawQuery)
	case "fragment":
		require.NotEmpty(v, to.Fragment)
		require.Empty(v, to.RawQuery)
	case "form_post":
		require.True(v, a.has("form-post"), a.body)
	default:
		v.Fatalf("nobody knows how to ask for the response mode %s", mode)
	}
	require.Equal(v, strings.HasSuffix(mode, "jwt"), strings.Contains(a.location()+a.body, "response=") || strings.Contains(a.body, `name="response"`))
}

// requirePrompt wants each prompt to do what it says to somebody signed in.
func requirePrompt(v *visitor, prompt string) {
	page := map[string]string{"login": "login-form", "consent": "consent-form", "select_account": "", "create": ""}
	v.tokens("second")
	a := v.get(v.site.ask("second", "prompt", prompt))
	if prompt == "none" {
		require.NotEmpty(v, v.returned(a).Get("code"))
		return
	}
	want, ok := page[prompt]
	require.True(v, ok, "nobody knows how to ask for the prompt %s", prompt)
	require.Equal(v, http.StatusOK, a.status, "a page, and no answer yet")
	require.False(v, a.has("error-page"), a.body)
	if want != "" {
		require.True(v, a.has(want), a.body)
	}
}

// introspectedAs is what a client learns of a token of its own.
func (v *visitor) introspectedAs(client, token string) map[string]any {
	v.Helper()
	a := v.as(client, "/oauth2/introspect", url.Values{"token": {token}})
	require.Equal(v, http.StatusOK, a.status, a.body)
	return a.object
}
