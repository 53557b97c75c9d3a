// Package metadata is what the provider publishes of itself.
package metadata

import (
	"encoding/json"

	"keyway/provider/wire"
)

// Document describes the provider (OpenID Connect Discovery 1.0, section 3;
// RFC 8414, section 2). It names what there is and nothing else.
type Document struct {
	Issuer                    string   `json:"issuer"`
	Authorization             string   `json:"authorization_endpoint"`
	Token                     string   `json:"token_endpoint"`
	Userinfo                  string   `json:"userinfo_endpoint"`
	JWKS                      string   `json:"jwks_uri"`
	Introspection             string   `json:"introspection_endpoint"`
	Revocation                string   `json:"revocation_endpoint"`
	EndSession                string   `json:"end_session_endpoint"`
	DeviceAuthorization       string   `json:"device_authorization_endpoint"`
	Registration              string   `json:"registration_endpoint,omitempty"`
	Pushed                    string   `json:"pushed_authorization_request_endpoint"` // RFC 9126, section 5
	Scopes                    []string `json:"scopes_supported"`
	ResponseTypes             []string `json:"response_types_supported"`
	ResponseModes             []string `json:"response_modes_supported"`
	GrantTypes                []string `json:"grant_types_supported"`
	Prompts                   []string `json:"prompt_values_supported"`
	AnswerAlgs                []string `json:"authorization_signing_alg_values_supported"` // JARM, section 3
	RequestObjectAlgs         []string `json:"request_object_signing_alg_values_supported"`
	DetailTypes               []string `json:"authorization_details_types_supported,omitempty"`
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
	BackchannelLogout         bool     `json:"backchannel_logout_supported"`
	BackchannelLogoutSession  bool     `json:"backchannel_logout_session_supported"`
	FrontchannelLogout        bool     `json:"frontchannel_logout_supported"`
	FrontchannelLogoutSession bool     `json:"frontchannel_logout_session_supported"`
	RequestParameter          bool     `json:"request_parameter_supported"`
	RequestURIParameter       bool     `json:"request_uri_parameter_supported"`
	RequireRequestURIRegister bool     `json:"require_request_uri_registration"`
	DPoPAlgs                  []string `json:"dpop_signing_alg_values_supported"`
	UserinfoAlgs              []string `json:"userinfo_signing_alg_values_supported"`
	IntrospectionAlgs         []string `json:"introspection_signing_alg_values_supported"`

	CertificateBound bool              `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	Aliases          map[string]string `json:"mtls_endpoint_aliases,omitempty"` // RFC 8705, section 5
}

// New prepares the answer.
func New(d *Document) (wire.Document, error) {
	body, err := json.Marshal(d)
	if err != nil {
		return wire.Document{}, err
	}
	return wire.NewDocument(body), nil
}
