package registration

import "encoding/json"

// Metadata is what a client says of itself (RFC 7591, section 2; OpenID
// Connect Dynamic Client Registration 1.0, section 2). A member that has its
// zero value was omitted.
type Metadata struct {
	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	ResponseTypes          []string `json:"response_types,omitempty"`
	GrantTypes             []string `json:"grant_types,omitempty"`
	ApplicationType        string   `json:"application_type,omitempty"`
	Scope                  string   `json:"scope,omitempty"`

	AuthMethod string          `json:"token_endpoint_auth_method,omitempty"`
	AuthAlg    string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	JWKSURI    string          `json:"jwks_uri,omitempty"`
	JWKS       json.RawMessage `json:"jwks,omitempty"`

	Name            string   `json:"client_name,omitempty"`
	Contacts        []string `json:"contacts,omitempty"`
	ClientURI       string   `json:"client_uri,omitempty"`
	LogoURI         string   `json:"logo_uri,omitempty"`
	PolicyURI       string   `json:"policy_uri,omitempty"`
	TermsURI        string   `json:"tos_uri,omitempty"`
	InitiateLogin   string   `json:"initiate_login_uri,omitempty"`
	SoftwareID      string   `json:"software_id,omitempty"`
	SoftwareVersion string   `json:"software_version,omitempty"`

	SubjectType string `json:"subject_type,omitempty"`
	SectorURI   string `json:"sector_identifier_uri,omitempty"`

	IDTokenAlg      string   `json:"id_token_signed_response_alg,omitempty"`
	DefaultMaxAge   *int64   `json:"default_max_age,omitempty"` // seconds
	RequireAuthTime bool     `json:"require_auth_time,omitempty"`
	DefaultACRs     []string `json:"default_acr_values,omitempty"`
}

// Request is the body of a registration, or of an update.
type Request struct {
	Metadata

	// ClientID and ClientSecret are for an update, which repeats them (RFC 7592,
	// section 2.2). A registration ignores them.
	ClientID, ClientSecret string
	// Managed is the first member that only the provider may set, "" for none
	// (RFC 7592, section 2.2).
	Managed string
}

// Refusal says why a client cannot be registered (RFC 7591, section 3.2.2).
type Refusal struct {
	Code        string
	Description string // names the member, and quotes nothing of what was sent
}

// Error implements error.
func (r *Refusal) Error() string { return r.Code + ": " + r.Description }

// The codes of refusals.
const (
	invalidMetadata = "invalid_client_metadata"
	invalidRedirect = "invalid_redirect_uri"
	unapproved      = "unapproved_software_statement"
)

func refuse(member, why string) *Refusal {
	return &Refusal{Code: invalidMetadata, Description: member + ": " + why + "."}
}

func refuseRedirect(member, why string) *Refusal {
	return &Refusal{Code: invalidRedirect, Description: member + ": " + why + "."}
}
