package main

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
)

// clientByMethod is the site's client of each authentication method.
var clientByMethod = map[string]string{"client_secret_basic": "web", "client_secret_post": "second", "private_key_jwt": "signer", "none": "native"}

func clientOfMethod(v *visitor, method string) string {
	v.Helper()
	client, ok := clientByMethod[method]
	require.True(v, ok, "nobody knows how to ask for the method %s", method)
	return client
}

// clientTruths ask for how clients may authenticate and what they are granted.
func clientTruths() map[string]truth {
	otherMethods := []string{"client_secret_basic", "client_secret_post", "private_key_jwt", "client_secret_jwt", "tls_client_auth", "self_signed_tls_client_auth", "none"}
	otherAlgs := []string{"none", "HS256", "HS384", "HS512", "RS1", "RS384", "RS512", "PS384", "PS512", "ES384", "ES512"}
	methods := func(path string) truth {
		return truth{
			does: func(v *visitor, method string) {
				client := clientOfMethod(v, method)
				token := v.tokens(client).text("access_token")
				if path != "/oauth2/token" {
					require.Equal(v, http.StatusOK, v.as(client, path, url.Values{"token": {token}}).status)
				}
			},
			refuses: func(v *visitor, method string) { requireMethodRefused(v, path, method) }, others: otherMethods,
		}
	}
	algorithms := func(path string) truth {
		ask := func(v *visitor, assertion string) seen {
			v.Helper()
			return v.send(http.MethodPost, path, url.Values{
				"grant_type": {"client_credentials"}, "token": {"x"}, "client_assertion": {assertion},
				"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
			})
		}
		return truth{
			does: func(v *visitor, alg string) {
				a := ask(v, v.site.signWith(v.T, alg, "", v.site.assertion()))
				require.Equal(v, http.StatusOK, a.status, a.body)
			},
			refuses: func(v *visitor, alg string) {
				good := v.site.sign(v.T, "", v.site.assertion())
				ask(v, unsignedToken(good, alg)+good[strings.LastIndexByte(good, '.')+1:]).fails(v.T, http.StatusUnauthorized, "invalid_client")
			},
			others: otherAlgs,
		}
	}
	out := map[string]truth{"grant_types_supported": {
		does: requireGrant, refuses: func(v *visitor, grant string) {
			v.as("machine", "/oauth2/token", url.Values{"grant_type": {grant}}).fails(v.T, http.StatusBadRequest, "unsupported_grant_type")
		},
		others: []string{
			"password", "implicit", "nonsense", "Authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "urn:ietf:params:oauth:grant-type:token-exchange",
			"urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:openid:params:grant-type:ciba",
		},
	}}
	for name, path := range map[string]string{"token": "/oauth2/token", "introspection": "/oauth2/introspect", "revocation": "/oauth2/revoke"} {
		out[name+"_endpoint_auth_methods_supported"] = methods(path)
		out[name+"_endpoint_auth_signing_alg_values_supported"] = algorithms(path)
	}
	return out
}

// requireMethodRefused calls as a client that would authenticate so.
func requireMethodRefused(v *visitor, path, method string) {
	v.Helper()
	form := url.Values{"grant_type": {"client_credentials"}, "token": {"x"}}
	switch method {
	case "client_secret_jwt":
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", unsignedToken(v.site.sign(v.T, "", v.site.assertion()), "HS256")+"x")
	case "tls_client_auth", "self_signed_tls_client_auth":
		form.Set("client_id", "signer") // and no more than a certificate would be shown
	default:
		v.as(clientOfMethod(v, method), path, form).fails(v.T, http.StatusUnauthorized, "invalid_client")
		return
	}
	v.send(http.MethodPost, path, form).fails(v.T, http.StatusUnauthorized, "invalid_client")
}

// requireGrant gets a token by each grant.
func requireGrant(v *visitor, grant string) {
	switch grant {
	case "authorization_code":
		v.tokens("second")
	case "refresh_token":
		a := v.refreshes("second", v.tokens("second", "scope", "openid offline_access").text("refresh_token"))
		require.Equal(v, http.StatusOK, a.status, a.body)
	case "client_credentials":
		require.NotEmpty(v, v.machine("machine"))
	case "urn:ietf:params:oauth:grant-type:device_code":
		begun := v.beginsDevice()
		require.True(v, v.submit(v.typesCode(begun), "decision", "allow").has("device-allowed"))
		require.NotEmpty(v, v.polls("tv", begun).text("access_token"))
	case "urn:ietf:params:oauth:grant-type:token-exchange":
		a := v.as("machine", "/oauth2/token", url.Values{
			"grant_type": {grant}, "subject_token": {v.tokens("second", "scope", "openid email").text("access_token")},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		})
		require.Equal(v, http.StatusOK, a.status, a.body)
		require.Equal(v, "openid", a.text("scope"))
	case "urn:ietf:params:oauth:grant-type:jwt-bearer":
		now := v.site.clock.Now().Unix()
		a := v.as("machine", "/oauth2/token", url.Values{"grant_type": {grant}, "assertion": {v.site.sign(v.T, "JWT", map[string]any{
			"iss": "machine", "sub": "machine", "aud": v.site.URL, "jti": rand.Text(), "iat": now, "exp": now + 60,
		})}})
		require.Equal(v, http.StatusOK, a.status, a.body)
	default:
		v.Fatalf("nobody knows how to ask for the grant %s", grant)
	}
}

// requireNoFetch names an address that the site must not call.
func requireNoFetch(v *visitor, is string) {
	require.Equal(v, "false", is)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(v, err)
	defer l.Close() //nolint:errcheck // the row is over
	v.refused(v.get(v.site.ask("second", "request_uri", "https://"+l.Addr().String()+"/request")), "request_uri_not_supported")
	require.NoError(v, l.(*net.TCPListener).SetDeadline(time.Now().Add(100*time.Millisecond)))
	_, err = l.Accept()
	require.Error(v, err, "it was called")
}

// answerTruths ask for what is in the answers.
func answerTruths() map[string]truth {
	return map[string]truth{
		"authorization_response_iss_parameter_supported": {does: func(v *visitor, is string) {
			require.Equal(v, is == "true", v.passes(v.get(v.site.ask("web")), "alice").Has("iss"))
		}},
		"id_token_signing_alg_values_supported": {
			does: func(v *visitor, alg string) {
				client, ok := map[string]string{"RS256": "web", "ES256": "es"}[alg]
				require.True(v, ok, "nobody knows how to ask for %s", alg)
				require.Equal(v, alg, joseHeader(v.T, v.tokens(client).text("id_token"))["alg"])
			},
		},
		"authorization_signing_alg_values_supported": {does: func(v *visitor, alg string) {
			v.site.alter(v.T, "second", func(c *provider.Client) { c.ResponseAlg = alg })
			v.tokens("second")
			to, err := url.Parse(v.get(v.site.ask("second", "response_mode", "jwt")).location())
			require.NoError(v, err)
			require.Equal(v, alg, joseHeader(v.T, to.Query().Get("response"))["alg"])
		}},
		"claims_supported": {does: requireClaim, others: []string{"password", "role", "subject_id"}, refuses: func(v *visitor, claim string) {
			a := v.tokens("second", "scope", everyScope, "claims", `{"id_token":{"`+claim+`":null},"userinfo":{"`+claim+`":null}}`)
			require.NotContains(v, v.idToken("second", a), claim)
			require.NotContains(v, v.userinfo(a.text("access_token")).object, claim)
		}},
	}
}

// alter changes a client for the rest of the test.
func (s *site) alter(t *testing.T, client string, change func(*provider.Client)) {
	t.Helper()
	c, err := s.program.store.FindClient(t.Context(), client)
	require.NoError(t, err)
	altered := *c
	change(&altered)
	require.NoError(t, s.program.provider.SaveClient(t.Context(), &altered))
	t.Cleanup(func() { require.NoError(t, s.program.provider.SaveClient(context.WithoutCancel(t.Context()), c)) })
}

const everyScope = "openid profile email address phone"

// requireClaim wants a claim in the ID token or at userinfo, where it is known.
func requireClaim(v *visitor, claim string) {
	a := v.tokens("second", "scope", everyScope, "claims", `{"id_token":{"acr":{"essential":true}}}`)
	if _, ok := v.idToken("second", a)[claim]; ok {
		return
	}
	require.Contains(v, v.userinfo(a.text("access_token")).object, claim)
}
