package main

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/language"
)

// registered are the members of provider metadata that the standards know,
// each with its kind of value: OpenID Connect Discovery 1.0, RFC 8414 and the
// registry that it made.
var registered = map[string]string{
	"issuer": "url", "authorization_endpoint": "url", "token_endpoint": "url", "userinfo_endpoint": "url", "jwks_uri": "url",
	"registration_endpoint": "url", "introspection_endpoint": "url", "revocation_endpoint": "url", "end_session_endpoint": "url",
	"pushed_authorization_request_endpoint": "url", "device_authorization_endpoint": "url", "service_documentation": "url", "op_policy_uri": "url", "op_tos_uri": "url",
	"scopes_supported": "list", "response_types_supported": "list", "response_modes_supported": "list", "grant_types_supported": "list",
	"acr_values_supported": "list", "subject_types_supported": "list", "claims_supported": "list", "claim_types_supported": "list", "prompt_values_supported": "list",
	"ui_locales_supported": "list", "claims_locales_supported": "list", "display_values_supported": "list", "code_challenge_methods_supported": "list",
	"id_token_signing_alg_values_supported": "list", "userinfo_signing_alg_values_supported": "list", "request_object_signing_alg_values_supported": "list",
	"token_endpoint_auth_methods_supported": "list", "token_endpoint_auth_signing_alg_values_supported": "list",
	"introspection_endpoint_auth_methods_supported": "list", "introspection_endpoint_auth_signing_alg_values_supported": "list",
	"revocation_endpoint_auth_methods_supported": "list", "revocation_endpoint_auth_signing_alg_values_supported": "list",
	"introspection_signing_alg_values_supported": "list", "authorization_signing_alg_values_supported": "list", "dpop_signing_alg_values_supported": "list",
	"authorization_details_types_supported": "list", "protected_resources": "list",
	"claims_parameter_supported": "bool", "request_parameter_supported": "bool", "request_uri_parameter_supported": "bool", "require_request_uri_registration": "bool",
	"require_pushed_authorization_requests": "bool", "require_signed_request_object": "bool", "authorization_response_iss_parameter_supported": "bool",
	"tls_client_certificate_bound_access_tokens": "bool", "backchannel_logout_supported": "bool", "backchannel_logout_session_supported": "bool",
	"frontchannel_logout_supported": "bool", "frontchannel_logout_session_supported": "bool", "mtls_endpoint_aliases": "object",
}

func configRows(t *testing.T, s *site) {
	s.row(t, "discovery at the well-known path, 200, JSON type, issuer equals the URL asked", func(v *visitor) {
		a := v.send(http.MethodGet, "/.well-known/openid-configuration", nil)
		require.Equal(v, http.StatusOK, a.status)
		require.Regexp(v, `^application/json\b`, a.header.Get("Content-Type"))
		require.Equal(v, s.URL, a.text("issuer"))
		require.Equal(v, a.object, v.get("/.well-known/oauth-authorization-server").object, "RFC 8414")
	})
	s.row(t, "metadata has no unknown or mistyped members, and endpoints are https", func(v *visitor) {
		for name, value := range v.metadata() {
			kind, ok := registered[name]
			require.True(v, ok, "%s is no member that a standard knows", name)
			requireKind(v, kind, name, value)
		}
	})
	s.row(t, "response types, grant types, subject types, ID-token algorithms incl. RS256", func(v *visitor) {
		require.True(v, v.lists("response_types_supported", "code"))
		require.True(v, v.lists("grant_types_supported", "authorization_code"))
		require.True(v, v.lists("subject_types_supported", "public"))
		require.True(v, v.lists("id_token_signing_alg_values_supported", "RS256"))
		require.False(v, v.lists("id_token_signing_alg_values_supported", "none"))
	})
	s.row(t, "claims_supported present and sensible", func(v *visitor) {
		for _, claim := range []string{"sub", "iss", "aud", "exp", "iat", "name", "email", "email_verified", "address", "phone_number", "updated_at", "auth_time", "acr"} {
			require.True(v, v.lists("claims_supported", claim), claim)
		}
	})
	s.row(t, "openid in scopes_supported, scope strings well-formed", func(v *visitor) {
		require.True(v, v.lists("scopes_supported", "openid"))
		for _, scope := range v.metadata()["scopes_supported"].([]any) {
			require.Regexp(v, `^[\x21\x23-\x5B\x5D-\x7E]+$`, scope)
		}
	})
	s.row(t, "locales well-formed and in canonical case", func(v *visitor) {
		for _, locale := range v.metadata()["ui_locales_supported"].([]any) {
			tag, err := language.Parse(locale.(string))
			require.NoError(v, err)
			require.Equal(v, tag.String(), locale)
		}
	})
	s.row(t, "code_challenge_methods_supported an array", func(v *visitor) {
		require.Equal(v, []any{"S256"}, v.metadata()["code_challenge_methods_supported"])
	})
	s.row(t, "claims_parameter_supported, request_parameter_supported, request_uri_parameter_supported are booleans and true to fact", func(v *visitor) {
		m := v.metadata()
		require.Equal(v, true, m["claims_parameter_supported"])
		require.Equal(v, false, m["request_uri_parameter_supported"])
		requireRequestParameter(v, m["request_parameter_supported"].(bool))
		v.refused(v.get(s.ask("web", "request_uri", "https://app.example.com/request.jwt")), "request_uri_not_supported")
	})
	s.row(t, "JWKS valid: no private parts, distinct kids, kid present when there are several, base64url without padding", requireKeySet)
}

func requireKind(v *visitor, kind, name string, value any) {
	v.Helper()
	switch kind {
	case "url":
		u, err := url.Parse(value.(string))
		require.NoError(v, err)
		require.Equal(v, "https", u.Scheme, name)
		require.Empty(v, u.Fragment, name)
	case "bool":
		require.IsType(v, true, value, name)
	case "object":
		require.IsType(v, map[string]any{}, value, name)
	case "list":
		require.NotEmpty(v, value, name)
		items := value.([]any)
		for i, x := range items {
			require.IsType(v, "", x, name)
			require.False(v, slices.Contains(items[:i], x), "%s has %v twice", name, x)
		}
	}
}

// requireRequestParameter asks with a request object: it is honoured whole, or
// refused by its name.
func requireRequestParameter(v *visitor, supported bool) {
	v.Helper()
	a := v.get(v.site.ask("signer", "request", v.site.sign(v.T, "oauth-authz-req+jwt", v.requestObject())))
	if !supported {
		v.refused(a, "request_not_supported")
		return
	}
	a = v.enters(a, "alice")
	require.Equal(v, "inside", v.returned(a).Get("state"))
	require.Contains(v, a.location()+a.body, "https://signer.example.com/other", "a redirect_uri inside wins")
	v.refused(v.get(v.site.ask("signer", "request", "eyJhbGciOiJub25lIn0.e30.")), "invalid_request_object")
}

// requestObject is the claims of a good request object, whose state and
// redirect_uri are not those of the query.
func (v *visitor) requestObject() map[string]any {
	v.Helper()
	claims := map[string]any{
		"iss": "signer", "aud": v.site.URL, "client_id": "signer", "state": "inside", "redirect_uri": "https://signer.example.com/other",
		"exp": v.site.clock.Now().Unix() + 60, "nbf": v.site.clock.Now().Unix(),
	}
	u, err := url.Parse(v.site.ask("signer"))
	require.NoError(v, err)
	for name, values := range u.Query() {
		if _, ok := claims[name]; !ok {
			claims[name] = values[0]
		}
	}
	return claims
}

func requireKeySet(v *visitor) {
	var set struct{ Keys []map[string]any }
	require.NoError(v, json.Unmarshal([]byte(v.get(v.metadata()["jwks_uri"].(string)).body), &set))
	seenKids := map[string]bool{}
	encoded := regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	for _, k := range set.Keys {
		kid, _ := k["kid"].(string)
		require.NotEmpty(v, kid)
		require.False(v, seenKids[kid], "kid %s twice", kid)
		seenKids[kid] = true
		require.Equal(v, "sig", k["use"])
		require.NotEmpty(v, k["alg"])
		for _, private := range strings.Fields("d p q dp dq qi oth k") {
			require.NotContains(v, k, private)
		}
		for _, part := range strings.Fields("n e x y") {
			if text, ok := k[part].(string); ok {
				require.Regexp(v, encoded, text)
				_, err := base64.RawURLEncoding.Strict().DecodeString(text)
				require.NoError(v, err, part)
			}
		}
	}
	require.NotEmpty(v, seenKids)
}
