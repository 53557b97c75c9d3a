package config

import (
	"net/netip"
	"time"
)

// Client declares an OAuth client. Zero lifetimes mean those of [Tokens].
type Client struct {
	ClientID                  string        `yaml:"client_id" required:"true" doc:"The client's id, unique."`
	Name                      string        `yaml:"name" doc:"What people are shown."`
	AuthMethod                string        `yaml:"auth_method" default:"client_secret_basic" enum:"client_secret_basic client_secret_post private_key_jwt tls_client_auth self_signed_tls_client_auth none" doc:"How it authenticates (RFC 7591, RFC 8705); the two with client_secret take the secret in the header or in the body alike, none is a public client."`
	Secret                    Secret        `yaml:"secret" doc:"Its secret, for the two client_secret methods."`
	JWKS                      string        `yaml:"jwks" doc:"File with its public keys (RFC 7517), for private_key_jwt and the jwt-bearer grant; with x5c, for self_signed_tls_client_auth."`
	JWKSURI                   string        `yaml:"jwks_uri" doc:"URL at which it publishes its public keys, in place of jwks; fetched when needed."`
	GrantTypes                []string      `yaml:"grant_types" required:"true" enum:"authorization_code refresh_token client_credentials urn:ietf:params:oauth:grant-type:device_code urn:ietf:params:oauth:grant-type:jwt-bearer urn:ietf:params:oauth:grant-type:token-exchange" doc:"The grants it may use."`
	Scopes                    []string      `yaml:"scopes" doc:"The scopes it may ask for."`
	Audience                  []string      `yaml:"audience" doc:"The audiences it may ask for, and gets when it asks for none."`
	RedirectURIs              []string      `yaml:"redirect_uris" doc:"Where authorization_code may return to, compared exactly; on loopback any port."`
	PostLogoutRedirectURIs    []string      `yaml:"post_logout_redirect_uris" doc:"Where a logout may return to."`
	BackchannelLogoutURI      string        `yaml:"backchannel_logout_uri" doc:"Where it is told, server to server, that somebody is signed out."`
	BackchannelLogoutSession  bool          `yaml:"backchannel_logout_session_required" default:"false" doc:"Whether it must be told of which session."`
	FrontchannelLogoutURI     string        `yaml:"frontchannel_logout_uri" doc:"What the browser loads when somebody signs out in it; of the scheme, host and port of a redirect URI."`
	FrontchannelLogoutSession bool          `yaml:"frontchannel_logout_session_required" default:"false" doc:"Whether that must say of which session."`
	AccessTokenFormat         string        `yaml:"access_token_format" default:"opaque" enum:"opaque at+jwt" doc:"How its access tokens look; at+jwt is RFC 9068."`
	AccessTokenAlg            string        `yaml:"access_token_alg" default:"ES256" enum:"ES256 RS256" doc:"What at+jwt access tokens are signed with."`
	IDTokenAlg                string        `yaml:"id_token_alg" default:"RS256" enum:"RS256 ES256" doc:"What its ID tokens are signed with."`
	UserinfoAlg               string        `yaml:"userinfo_signed_response_alg" enum:"RS256 ES256" doc:"What userinfo is signed with for it; without, it is plain JSON."`
	IntrospectionAlg          string        `yaml:"introspection_signed_response_alg" enum:"RS256 ES256" doc:"What introspection is signed with where it asks for a signed answer (RFC 9701); without, RS256."`
	DPoPBound                 bool          `yaml:"dpop_bound_access_tokens" default:"false" doc:"Whether it gets no token without a DPoP proof (RFC 9449). Who shows one gets a bound token in any case."`
	CertificateBound          bool          `yaml:"tls_client_certificate_bound_access_tokens" default:"false" doc:"Whether its tokens are bound to its certificate (RFC 8705)."`
	TLSSubjectDN              string        `yaml:"tls_client_auth_subject_dn" doc:"For tls_client_auth: the subject of its certificate (RFC 4514), such as CN=pay,O=Example,C=DE."`
	TLSSANDNS                 string        `yaml:"tls_client_auth_san_dns" doc:"For tls_client_auth: a DNS name in its certificate, in place of the subject."`
	TLSSANURI                 string        `yaml:"tls_client_auth_san_uri" doc:"For tls_client_auth: a URI in its certificate, in place of the subject."`
	TLSSANIP                  string        `yaml:"tls_client_auth_san_ip" doc:"For tls_client_auth: an address in its certificate, in place of the subject."`
	TLSSANEmail               string        `yaml:"tls_client_auth_san_email" doc:"For tls_client_auth: an e-mail address in its certificate, in place of the subject."`
	SubjectType               string        `yaml:"subject_type" default:"public" enum:"public pairwise" doc:"Whether it knows people by the same subject as every client, or by one of its sector's own."`
	SectorIdentifierURI       string        `yaml:"sector_identifier_uri" doc:"https URL whose host is the sector of a pairwise client; without, that is the one host of its redirect URIs."`
	AllowedCORSOrigins        []string      `yaml:"allowed_cors_origins" doc:"Origins of its pages that call the provider from a browser, besides those of a public client's redirect URIs."`
	AccessLifetime            time.Duration `yaml:"access_lifetime" default:"0s" min:"0s" doc:"Lifetime of its access tokens; 0s is tokens.access_lifetime."`
	RefreshLifetime           time.Duration `yaml:"refresh_lifetime" default:"0s" min:"0s" doc:"Lifetime of its refresh tokens; 0s is tokens.refresh_lifetime."`
	DefaultMaxAge             time.Duration `yaml:"default_max_age" default:"0s" min:"0s" doc:"How old a sign-in may be where a request has no max_age; 0s is any age."`
	ClientURI                 string        `yaml:"client_uri" doc:"Its home page, shown at consent."`
	PolicyURI                 string        `yaml:"policy_uri" doc:"How it treats what it learns of people, shown at consent."`
	TermsURI                  string        `yaml:"tos_uri" doc:"Its terms of service, shown at consent."`
	PKCEOptional              bool          `yaml:"pkce_optional" default:"false" doc:"Whether it may ask without PKCE; not for a public client. Where it sends a challenge, that binds."`
	RequirePushed             bool          `yaml:"require_pushed_authorization_requests" default:"false" doc:"Whether it must push its authorization requests (RFC 9126)."`
	RequireRequestObject      bool          `yaml:"require_signed_request_object" default:"false" doc:"Whether it must sign its authorization requests (RFC 9101), with one of its keys."`
	RequestObjectAlg          string        `yaml:"request_object_signing_alg" enum:"RS256 PS256 ES256 EdDSA" doc:"The one algorithm of its request objects; without, any of these."`
	ResponseAlg               string        `yaml:"authorization_signed_response_alg" default:"RS256" enum:"RS256 ES256" doc:"What authorization responses are signed with where it asks for response_mode jwt (JARM)."`
	DetailTypes               []string      `yaml:"authorization_details_types" doc:"The types of authorization_details (RFC 9396) that it may ask for. Discovery lists those of all clients."`
	Connectors                []string      `yaml:"connectors" doc:"Where its people may have signed in: ids of connectors, and local for the password page of this provider. Empty: anywhere. It holds for every grant."`
	Roles                     []string      `yaml:"roles" doc:"With the scope roles: those of a person's roles that it is told of, such as [payroll-admin, payroll-*]; * stands for whatever follows. Empty: all, of the connectors that it admits."`
	RolesClaim                string        `yaml:"roles_claim" default:"roles" doc:"What the roles are called in its ID tokens, at userinfo and introspection and in at+jwt access tokens."`
	RequireSecondFactor       bool          `yaml:"require_second_factor" default:"false" doc:"Whether nobody gets in, or stays, without a second factor. It holds for every grant."`
	SkipConsent               bool          `yaml:"skip_consent" default:"false" doc:"Whether people are not asked for their consent; for your own applications."`
	MayIntrospect             bool          `yaml:"may_introspect" default:"false" doc:"Whether it may introspect every token, not only its own."`
	MayRevokeLegacy           bool          `yaml:"may_revoke_legacy" default:"false" doc:"Whether it may revoke the tokens of legacy systems, which cannot do so themselves."`
	MayTakeUpstream           []string      `yaml:"may_take_upstream" doc:"The connectors whose upstreams' own access tokens it may have in exchange for those of their people (audience urn:keyway:upstream:ID); they have to keep them (life.keep_tokens)."`
	MayExchange               bool          `yaml:"may_exchange" default:"false" doc:"Whether it may exchange tokens, those of legacy systems too, for narrower ones of its own (RFC 8693)."`
	Disabled                  bool          `yaml:"disabled" default:"false" doc:"Refuses the client and its tokens."`
}

// System declares an instance of a legacy system.
type System struct {
	Name          string         `yaml:"name" required:"true" doc:"The instance's name, unique: lower-case letters, digits, dot, dash, underscore."`
	Template      string         `yaml:"template" required:"true" doc:"The legacy system: a built-in folder's name, or one in templates_dir."`
	Profile       string         `yaml:"profile" doc:"The published version of its shape; default: the template's own."`
	BasePath      string         `yaml:"base_path" doc:"What stands before the system's paths, such as /support."`
	Host          string         `yaml:"host" doc:"Answer only on this host name."`
	SiteURL       string         `yaml:"site_url" doc:"The URL that replies say the system has; default: the origin of the issuer, or of host, and base_path."`
	Directory     string         `yaml:"directory" doc:"The directory of its login names, instead of the template's."`
	Accounts      string         `yaml:"accounts" doc:"The namespace of its accounts, instead of the template's."`
	Networks      []netip.Prefix `yaml:"networks" doc:"Networks that may sign in here. Empty: all."`
	SecondFactor  string         `yaml:"second_factor" default:"app_password" enum:"app_password appended refuse" doc:"What becomes of passwords whose owners have a second factor. app_password: refused where the second factor is needed. appended: the code stands behind the password of who has an authenticator app. refuse: refused. App passwords are taken in any case."`
	UniformErrors bool           `yaml:"uniform_errors" default:"false" doc:"Answers an unknown user as a wrong password."`
	Scopes        []string       `yaml:"scopes" default:"openid profile email" doc:"The scopes of its access tokens."`
	Audience      []string       `yaml:"audience" doc:"The audience of its access tokens."`
	Lifetime      time.Duration  `yaml:"lifetime" default:"0s" min:"0s" doc:"Lifetime of its access tokens; 0s is the template's own."`
	Owner         string         `yaml:"owner" doc:"Who answers for this system."`
	Sunset        time.Time      `yaml:"sunset" doc:"The date (YYYY-MM-DD) by which its clients shall have moved to OpenID Connect. It warns; it does not switch off."`
	Settings      map[string]any `yaml:"settings" doc:"The template's own settings; a string that begins with env: or file: is a secret's reference."`
}
