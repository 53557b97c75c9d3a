package provider

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/gin-gonic/gin"

	"keyway/provider/assertion"
	"keyway/provider/claims"
)

// document is an answer that is prepared once.
type document struct {
	body []byte
	etag string
}

func newDocument(body []byte) document {
	sum := sha256.Sum256(body)
	return document{body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
}

// metadata describes the provider (OpenID Connect Discovery 1.0, section 3;
// RFC 8414, section 2). It names what there is and nothing else.
type metadata struct {
	Issuer                    string   `json:"issuer"`
	Authorization             string   `json:"authorization_endpoint"`
	Token                     string   `json:"token_endpoint"`
	Userinfo                  string   `json:"userinfo_endpoint"`
	JWKS                      string   `json:"jwks_uri"`
	Introspection             string   `json:"introspection_endpoint"`
	Revocation                string   `json:"revocation_endpoint"`
	EndSession                string   `json:"end_session_endpoint"`
	Scopes                    []string `json:"scopes_supported"`
	ResponseTypes             []string `json:"response_types_supported"`
	ResponseModes             []string `json:"response_modes_supported"`
	GrantTypes                []string `json:"grant_types_supported"`
	Prompts                   []string `json:"prompt_values_supported"`
	ChallengeMethods          []string `json:"code_challenge_methods_supported"`
	ACRs                      []string `json:"acr_values_supported"`
	Locales                   []string `json:"ui_locales_supported"`
	IssParameter              bool     `json:"authorization_response_iss_parameter_supported"`
	SubjectTypes              []string `json:"subject_types_supported"`
	IDTokenAlgs               []string `json:"id_token_signing_alg_values_supported"`
	TokenAuth                 []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs             []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionAuth         []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAuthAlgs     []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationAuth            []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAuthAlgs        []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	Claims                    []string `json:"claims_supported"`
	ClaimsParameter           bool     `json:"claims_parameter_supported"`
	RequestParameter          bool     `json:"request_parameter_supported"`
	RequestURIParameter       bool     `json:"request_uri_parameter_supported"`
	RequireRequestURIRegister bool     `json:"require_request_uri_registration"`
}

func (p *Provider) newMetadata() (document, error) {
	confidential := []string{string(AuthSecretBasic), string(AuthSecretPost), string(AuthPrivateKeyJWT)}
	all := append(confidential[:3:3], string(AuthNone))
	names := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "email", "email_verified", "updated_at"}
	scopes := slices.Concat([]string{scopeOpenID}, claims.PersonalScopes(), []string{scopeOffline})
	for _, s := range scopes {
		names = append(names, claims.StoredUnder(s)...)
	}
	body, err := json.Marshal(metadata{
		Issuer: p.options.Issuer, Authorization: p.url(pathAuthorize), EndSession: p.url(pathLogout), Token: p.url("/oauth2/token"), Userinfo: p.url("/oauth2/userinfo"),
		JWKS: p.url("/oauth2/jwks"), Introspection: p.url("/oauth2/introspect"), Revocation: p.url("/oauth2/revoke"),
		Scopes: scopes, ResponseTypes: []string{"code"}, ResponseModes: responseModes(), GrantTypes: grantTypes(),
		Prompts: prompts(), ChallengeMethods: []string{pkceS256}, ACRs: []string{pageACR}, Locales: p.options.Pages.Locales(),
		IssParameter: true, ClaimsParameter: true, SubjectTypes: []string{"public"},
		IDTokenAlgs: signingAlgs(), TokenAuth: all, TokenAuthAlgs: assertion.Algorithms(),
		IntrospectionAuth: confidential, IntrospectionAuthAlgs: assertion.Algorithms(),
		RevocationAuth: all, RevocationAuthAlgs: assertion.Algorithms(), Claims: names,
	})
	if err != nil {
		return document{}, fmt.Errorf("metadata: %w", err)
	}
	return newDocument(body), nil
}

func (p *Provider) serveMetadata(c *gin.Context) error { return p.serve(c, p.metadata) }

// serveJWKS publishes the public keys (RFC 7517, section 5).
func (p *Provider) serveJWKS(c *gin.Context) error { return p.serve(c, p.keys.current().jwks) }

func (*Provider) serve(c *gin.Context, d document) error {
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return methodNotAllowed("GET, HEAD")
	}
	h := c.Writer.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "public, max-age="+strconv.Itoa(int(jwksCache.Seconds())))
	h.Set("ETag", d.etag)
	if matchesETag(c.GetHeader("If-None-Match"), d.etag) {
		c.Status(http.StatusNotModified)
		c.Writer.WriteHeaderNow()
		return nil
	}
	c.Data(http.StatusOK, "application/json", d.body)
	return nil
}

// matchesETag reads If-None-Match (RFC 9110, section 13.1.2).
func matchesETag(header, etag string) bool {
	for _, tag := range strings.Split(header, ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag == etag || tag == "*" {
			return true
		}
	}
	return false
}
