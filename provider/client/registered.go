package client

import "slices"

// Where clients come from.
const (
	SourceConfig  = "config"  // declared there, and applied at every start
	SourceCLI     = "cli"     // added by a command
	SourceDynamic = "dynamic" // registered itself (RFC 7591)
)

// About is what a client tells of itself, under the names of RFC 7591, section
// 2. It gives no rights.
type About struct {
	ApplicationType string   `json:"application_type,omitempty"` // web (default) or native
	Contacts        []string `json:"contacts,omitempty"`
	ClientURI       string   `json:"client_uri,omitempty"`
	LogoURI         string   `json:"logo_uri,omitempty"` // never loaded: it would tell its host who signs in
	PolicyURI       string   `json:"policy_uri,omitempty"`
	TermsURI        string   `json:"tos_uri,omitempty"`
	InitiateLogin   string   `json:"initiate_login_uri,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`
	DefaultACRs     []string `json:"default_acr_values,omitempty"`
	RequireAuthTime bool     `json:"require_auth_time,omitempty"` // it always is there
	DefaultMaxAge   *int64   `json:"default_max_age,omitempty"`   // seconds, for requests without max_age; nil for any age
}

// Registration is what is kept of a client that registered itself. Its zero
// value is for every other.
type Registration struct {
	IssuedAt        int64    `json:"client_id_issued_at,omitempty"`     // Unix seconds
	AccessTokenHash string   `json:"registration_token_hash,omitempty"` // by [secret.Hash]
	Invitation      string   `json:"invitation,omitempty"`              // the id of the one that it used; "" where none was needed
	Ceiling         []string `json:"registration_scopes,omitempty"`     // of that invitation; nil for the policy's
}

// Dynamic reports whether the client registered itself: the operator does not
// vouch for what it says.
func (c *Client) Dynamic() bool { return c.Source == SourceDynamic }

// checkDynamic reports rights that only an operator can give.
func (c *Client) checkDynamic() bool {
	return !c.Dynamic() || !c.Internal() && c.System == "" && !c.MayIntrospect && !c.MayRevokeLegacy && !c.SkipConsent && !c.MayExchange && len(c.MayTakeUpstream) == 0 &&
		!slices.ContainsFunc(c.GrantTypes, func(g string) bool { return g == GrantPassword || g == GrantTokenExchange || g == GrantJWTBearer })
}
