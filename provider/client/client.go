package client

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/cors"
	"keyway/provider/mtls"
	"keyway/provider/pairwise"
	"keyway/provider/secret"
)

// The grant types that a client may have (RFC 7591, section 2).
const (
	GrantCode              = "authorization_code"
	GrantClientCredentials = "client_credentials"
	GrantRefresh           = "refresh_token"
	GrantPassword          = "password"
	GrantDevice            = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628, section 3.4
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" //nolint:gosec // a name: RFC 8693, section 2.1
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523, section 2.1
)

// TokenFormat is how an access token looks.
type TokenFormat string

// The formats of access tokens.
const (
	FormatOpaque   TokenFormat = "opaque"    // kw_at_ and 32 random bytes, base64url
	FormatHex32    TokenFormat = "hex32"     // 16 random bytes in hexadecimal
	FormatJWTHS256 TokenFormat = "jwt-hs256" // a legacy JWT under the legacy secret
	FormatATJWT    TokenFormat = "at+jwt"    // RFC 9068
)

// AuthMethod is how a client authenticates at the token endpoint, in the
// words of RFC 7591, section 2; AuthAdapter marks an internal client, which
// cannot authenticate there at all.
type AuthMethod string

// The client authentication methods.
const (
	AuthSecretBasic   AuthMethod = "client_secret_basic"
	AuthSecretPost    AuthMethod = "client_secret_post"
	AuthPrivateKeyJWT AuthMethod = "private_key_jwt"
	AuthTLS           AuthMethod = "tls_client_auth"
	AuthSelfSignedTLS AuthMethod = "self_signed_tls_client_auth"
	AuthNone          AuthMethod = "none"
	AuthAdapter       AuthMethod = "adapter"
)

// Client is an OAuth client of ours. The zero values of its optional fields
// mean the provider's defaults.
type Client struct {
	ID           string     `json:"client_id"`
	Name         string     `json:"client_name,omitempty"`
	AuthMethod   AuthMethod `json:"token_endpoint_auth_method"`
	SecretHashes []string   `json:"secret_hashes,omitempty"` // tagged: "sha256:..." for generated secrets, PHC for imported ones; the newest first
	GrantTypes   []string   `json:"grant_types"`
	Scopes       []string   `json:"scopes,omitempty"`   // the ceiling
	Audience     []string   `json:"audience,omitempty"` // what it may ask for, and gets when it asks for nothing

	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	ResponseTypes          []string `json:"response_types,omitempty"`
	JWKS                   string   `json:"jwks,omitempty"`                            // JSON (RFC 7517), for private_key_jwt, request objects and self_signed_tls_client_auth
	JWKSURI                string   `json:"jwks_uri,omitempty"`                        // where the client publishes them instead
	AuthAlg                string   `json:"token_endpoint_auth_signing_alg,omitempty"` // of its assertions; "" for any that is supported
	AllowedCORSOrigins     []string `json:"allowed_cors_origins,omitempty"`            // besides those of a public client's redirect URIs

	// What its certificate must say for tls_client_auth: exactly one (RFC 8705,
	// section 2.1.2).
	TLSSubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS    string `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI    string `json:"tls_client_auth_san_uri,omitempty"`
	TLSSANIP     string `json:"tls_client_auth_san_ip,omitempty"`
	TLSSANEmail  string `json:"tls_client_auth_san_email,omitempty"`

	DPoPBound        bool `json:"dpop_bound_access_tokens,omitempty"`                   // no token without a DPoP proof (RFC 9449, section 5.2)
	CertificateBound bool `json:"tls_client_certificate_bound_access_tokens,omitempty"` // to its certificate (RFC 8705, section 3.4)

	SubjectType         string `json:"subject_type,omitempty"`          // "public" (default) or "pairwise"
	SectorIdentifierURI string `json:"sector_identifier_uri,omitempty"` // whose host is the sector of a pairwise client

	// Where the client is told that somebody is signed out, and whether it must
	// be told of which session (OpenID Connect Back-Channel Logout 1.0, section
	// 2.2; Front-Channel Logout 1.0, section 2).
	BackchannelLogoutURI      string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession  bool   `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI     string `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSession bool   `json:"frontchannel_logout_session_required,omitempty"`

	AccessTokenFormat TokenFormat `json:"access_token_format,omitempty"`               // FormatOpaque (default) or FormatATJWT
	IDTokenAlg        string      `json:"id_token_signed_response_alg,omitempty"`      // RS256 (default) or ES256
	AccessTokenAlg    string      `json:"access_token_signed_response_alg,omitempty"`  // ES256 (default) or RS256
	UserinfoAlg       string      `json:"userinfo_signed_response_alg,omitempty"`      // "" for plain JSON
	IntrospectionAlg  string      `json:"introspection_signed_response_alg,omitempty"` // RS256 (default) or ES256, where a signed answer is asked for
	AccessLifetime    Duration    `json:"access_token_lifetime,omitempty"`
	RefreshLifetime   Duration    `json:"refresh_token_lifetime,omitempty"`

	// SkipConsent is for the operator's own applications: nobody is asked
	// whether they may.
	SkipConsent bool `json:"skip_consent,omitempty"`

	// Connectors are where its users may have signed in: ids of connectors, and
	// [ConnectorLocal]. Empty allows every way.
	Connectors []string `json:"connectors,omitempty"`

	// Roles are those that it is told of, a * at the end for any that begin so;
	// empty for all. RolesClaim is what it calls them, "" for roles.
	Roles      []string `json:"roles,omitempty"`
	RolesClaim string   `json:"roles_claim,omitempty"`

	// RequireSecondFactor lets nobody in, or stay, who has not proved a second factor.
	RequireSecondFactor bool `json:"require_second_factor,omitempty"`

	PKCEOptional         bool     `json:"pkce_optional,omitempty"`                         // of a confidential client only
	RequirePushed        bool     `json:"require_pushed_authorization_requests,omitempty"` // RFC 9126, section 6
	RequireRequestObject bool     `json:"require_signed_request_object,omitempty"`         // RFC 9101, section 10.5
	RequestObjectAlg     string   `json:"request_object_signing_alg,omitempty"`            // the only one; "" for any that is supported
	ResponseAlg          string   `json:"authorization_signed_response_alg,omitempty"`     // of JARM: RS256 (default) or ES256
	DetailTypes          []string `json:"authorization_details_types,omitempty"`           // RFC 9396, section 10

	MayIntrospect bool `json:"may_introspect,omitempty"` // any token of this provider, not only its own
	// MayRevokeLegacy lets it revoke the tokens of legacy systems, whose internal
	// clients cannot authenticate to do so themselves.
	MayRevokeLegacy bool `json:"may_revoke_legacy,omitempty"`
	// MayExchange lets it exchange anybody's tokens for narrower ones of its own.
	MayExchange bool `json:"may_exchange,omitempty"`
	// MayTakeUpstream are the connectors whose upstreams' own access tokens it may
	// have in exchange for those of their people.
	MayTakeUpstream []string `json:"may_take_upstream,omitempty"`
	Disabled        bool     `json:"disabled,omitempty"`

	System string `json:"system,omitempty"` // on an internal client: the legacy system instance
	Source string `json:"source,omitempty"` // SourceConfig, SourceCLI, SourceDynamic

	About
	Registration
}

// KeySet returns the keys that the client registered by value, nil for none.
func (c *Client) KeySet() (*jose.JSONWebKeySet, error) {
	if c.JWKS == "" {
		return nil, nil
	}
	set := new(jose.JSONWebKeySet)
	if err := json.Unmarshal([]byte(c.JWKS), set); err != nil {
		return nil, fmt.Errorf("client %q: jwks: %w", c.ID, err)
	}
	return set, nil
}

// NewSecret returns a generated client secret, to be shown once, and
// the hash to be stored in [Client.SecretHashes].
func NewSecret() (generated, hash string) { return secret.New() }

// HashSecret returns the hash of a secret that has at least 256 random
// bits, such as one that an operator generated.
func HashSecret(generated string) string { return secret.Hash(generated) }

// Duration is a [time.Duration] that reads and writes like "15m" in JSON.
type Duration time.Duration

// MarshalText implements [encoding.TextMarshaler].
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// Internal reports whether c is the client of a legacy system. Such a client
// has no secret and is refused at every public endpoint.
func (c *Client) Internal() bool { return c.AuthMethod == AuthAdapter }

// ByCertificate reports whether c authenticates by the certificate of its
// connection (RFC 8705, section 2).
func (c *Client) ByCertificate() bool {
	return c.AuthMethod == AuthTLS || c.AuthMethod == AuthSelfSignedTLS
}

// Certificate is what the certificate of c must say for [AuthTLS].
func (c *Client) Certificate() mtls.Subject {
	return mtls.Subject{DN: c.TLSSubjectDN, DNS: c.TLSSANDNS, URI: c.TLSSANURI, IP: c.TLSSANIP, Email: c.TLSSANEmail}
}

// Sector tells which clients know a person by the same subject (OpenID Connect
// Core 1.0, section 8.1); "" for those that know everybody by the public one.
func (c *Client) Sector() string {
	if c.SubjectType != pairwise.Pairwise {
		return ""
	}
	sector, err := pairwise.Sector(c.SectorIdentifierURI, c.RedirectURIs)
	if err != nil { // Check has refused it; what was stored by others must not tell more
		return "client:" + c.ID
	}
	return sector
}

// Origins are those of the pages that may call in the name of c.
func (c *Client) Origins() []string {
	origins := slices.Clone(c.AllowedCORSOrigins)
	if c.Public() {
		origins = cors.Merge(origins, c.RedirectURIs...)
	}
	return origins
}

// MayUse reports whether c may use a grant type; token exchange is a right of
// its own.
func (c *Client) MayUse(grantType string) bool {
	if grantType == GrantTokenExchange {
		return c.MayExchange
	}
	return slices.Contains(c.GrantTypes, grantType)
}

// ConnectorLocal stands in [Client.Connectors] for our own login page.
const ConnectorLocal = "local"

// Admits reports whether somebody who signed in at a connector, "" for our own
// login page, may use c. It holds for every grant, and for as long as one lives.
func (c *Client) Admits(connector string) bool {
	if connector == "" {
		connector = ConnectorLocal
	}
	return len(c.Connectors) == 0 || slices.Contains(c.Connectors, connector)
}

// Public reports whether c cannot keep a secret (RFC 6749, section 2.1).
func (c *Client) Public() bool { return c.AuthMethod == AuthNone }
