package main

import (
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
)

// boundTruths ask for what tokens are bound to, what answers are signed with,
// and by what clients know people.
func boundTruths() map[string]truth {
	return map[string]truth{
		"subject_types_supported": {does: func(v *visitor, kind string) {
			v.site.alter(v.T, "second", func(c *provider.Client) { c.SubjectType = kind })
			public, subject := v.idToken("web", v.tokens("web"))["sub"], v.idToken("second", v.tokens("second"))["sub"]
			switch kind {
			case "public":
				require.Equal(v, public, subject)
			case "pairwise":
				require.NotEqual(v, public, subject)
			default:
				v.Fatalf("nobody knows how to ask for the subject type %s", kind)
			}
		}},
		"dpop_signing_alg_values_supported": {
			does: func(v *visitor, alg string) {
				a := v.proves(v.proof(alg))
				require.Equal(v, http.StatusOK, a.status, a.body)
				require.Equal(v, "DPoP", a.text("token_type"))
			},
			refuses: func(v *visitor, alg string) {
				v.proves(unsignedToken(v.proof("ES256"), alg)+"x").fails(v.T, http.StatusBadRequest, "invalid_dpop_proof")
			},
			others: []string{"none", "HS256", "RS384", "RS512", "PS384", "ES384", "ES512"},
		},
		"userinfo_signing_alg_values_supported": {does: func(v *visitor, alg string) {
			v.site.alter(v.T, "second", func(c *provider.Client) { c.UserinfoAlg = alg })
			a := v.userinfo(v.tokens("second").text("access_token"))
			require.Equal(v, "application/jwt", a.header.Get("Content-Type"))
			require.Equal(v, alg, joseHeader(v.T, a.body)["alg"])
		}},
		"introspection_signing_alg_values_supported": {does: func(v *visitor, alg string) {
			v.site.alter(v.T, "machine", func(c *provider.Client) { c.IntrospectionAlg = alg })
			name, value := basicOf("machine", siteSecret)
			a := v.send(http.MethodPost, "/oauth2/introspect", url.Values{"token": {v.machine("machine")}}, name, value,
				"Accept", "application/token-introspection+jwt")
			require.Equal(v, "application/token-introspection+jwt", a.header.Get("Content-Type"))
			require.Equal(v, alg, joseHeader(v.T, a.body)["alg"])
		}},
	}
}

// proof is a DPoP proof for the token endpoint.
func (v *visitor) proof(alg string) string {
	v.Helper()
	require.Contains(v, v.site.keys, alg, "nobody has a key for it")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: v.site.keys[alg]},
		(&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	require.NoError(v, err)
	payload, err := json.Marshal(map[string]any{
		"jti": alg + v.Name(), "htm": "POST", "htu": v.site.URL + "/oauth2/token", "iat": v.site.clock.Now().Unix(),
	})
	require.NoError(v, err)
	signed, err := signer.Sign(payload)
	require.NoError(v, err)
	compact, err := signed.CompactSerialize()
	require.NoError(v, err)
	return compact
}

// proves asks for a token of the client machine with a DPoP proof.
func (v *visitor) proves(proof string) seen {
	v.Helper()
	name, value := basicOf("machine", siteSecret)
	return v.send(http.MethodPost, "/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}}, name, value, "DPoP", proof)
}
