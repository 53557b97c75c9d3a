package registration

import (
	"encoding/json"
	"strings"

	"keyway/provider/client"
)

// Metadata is what a client says of itself (RFC 7591, section 2; OpenID
// Connect Dynamic Client Registration 1.0, section 2). A member that has its
// zero value was omitted.
type Metadata struct {
	RedirectURIs              []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs    []string `json:"post_logout_redirect_uris,omitempty"`
	BackchannelLogoutURI      string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSession  bool     `json:"backchannel_logout_session_required,omitempty"`
	FrontchannelLogoutURI     string   `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSession bool     `json:"frontchannel_logout_session_required,omitempty"`
	ResponseTypes             []string `json:"response_types,omitempty"`
	GrantTypes                []string `json:"grant_types,omitempty"`
	Scope                     string   `json:"scope,omitempty"`

	AuthMethod string          `json:"token_endpoint_auth_method,omitempty"`
	AuthAlg    string          `json:"token_endpoint_auth_signing_alg,omitempty"`
	JWKSURI    string          `json:"jwks_uri,omitempty"`
	JWKS       json.RawMessage `json:"jwks,omitempty"`

	Name string `json:"client_name,omitempty"`
	client.About

	TLSSubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS    string `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI    string `json:"tls_client_auth_san_uri,omitempty"`
	TLSSANIP     string `json:"tls_client_auth_san_ip,omitempty"`
	TLSSANEmail  string `json:"tls_client_auth_san_email,omitempty"`

	DPoPBound        bool `json:"dpop_bound_access_tokens,omitempty"`
	CertificateBound bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`

	SubjectType string `json:"subject_type,omitempty"`
	SectorURI   string `json:"sector_identifier_uri,omitempty"`

	IDTokenAlg           string `json:"id_token_signed_response_alg,omitempty"`
	UserinfoAlg          string `json:"userinfo_signed_response_alg,omitempty"`
	IntrospectionAlg     string `json:"introspection_signed_response_alg,omitempty"`
	ResponseAlg          string `json:"authorization_signed_response_alg,omitempty"`
	RequestObjectAlg     string `json:"request_object_signing_alg,omitempty"`
	RequireRequestObject bool   `json:"require_signed_request_object,omitempty"`
	RequirePushed        bool   `json:"require_pushed_authorization_requests,omitempty"`
}

// of is what is known of a client.
func of(c *client.Client) Metadata {
	m := Metadata{
		RedirectURIs: c.RedirectURIs, PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, ResponseTypes: c.ResponseTypes,
		BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelLogoutSession: c.BackchannelLogoutSession,
		FrontchannelLogoutURI: c.FrontchannelLogoutURI, FrontchannelLogoutSession: c.FrontchannelLogoutSession,
		GrantTypes: c.GrantTypes, Scope: strings.Join(c.Scopes, " "),
		AuthMethod: string(c.AuthMethod), AuthAlg: c.AuthAlg, JWKSURI: c.JWKSURI, Name: c.Name, About: c.About,
		TLSSubjectDN: c.TLSSubjectDN, TLSSANDNS: c.TLSSANDNS, TLSSANURI: c.TLSSANURI, TLSSANIP: c.TLSSANIP, TLSSANEmail: c.TLSSANEmail,
		DPoPBound: c.DPoPBound, CertificateBound: c.CertificateBound, SubjectType: c.SubjectType, SectorURI: c.SectorIdentifierURI,
		IDTokenAlg: c.IDTokenAlg, UserinfoAlg: c.UserinfoAlg, IntrospectionAlg: c.IntrospectionAlg, ResponseAlg: c.ResponseAlg, RequestObjectAlg: c.RequestObjectAlg,
		RequireRequestObject: c.RequireRequestObject, RequirePushed: c.RequirePushed,
	}
	if c.JWKS != "" {
		m.JWKS = json.RawMessage(c.JWKS)
	}
	return m
}

// apply makes c what m says, wholly.
func (m *Metadata) apply(c *client.Client) {
	c.RedirectURIs, c.PostLogoutRedirectURIs, c.ResponseTypes = m.RedirectURIs, m.PostLogoutRedirectURIs, m.ResponseTypes
	c.BackchannelLogoutURI, c.BackchannelLogoutSession = m.BackchannelLogoutURI, m.BackchannelLogoutSession
	c.FrontchannelLogoutURI, c.FrontchannelLogoutSession = m.FrontchannelLogoutURI, m.FrontchannelLogoutSession
	c.GrantTypes, c.Scopes = m.GrantTypes, strings.Fields(m.Scope)
	c.AuthMethod, c.AuthAlg = client.AuthMethod(m.AuthMethod), m.AuthAlg
	c.JWKSURI, c.JWKS = m.JWKSURI, string(m.JWKS)
	c.Name, c.About = m.Name, m.About
	c.TLSSubjectDN, c.TLSSANDNS, c.TLSSANURI, c.TLSSANIP, c.TLSSANEmail = m.TLSSubjectDN, m.TLSSANDNS, m.TLSSANURI, m.TLSSANIP, m.TLSSANEmail
	c.DPoPBound, c.CertificateBound, c.SubjectType, c.SectorIdentifierURI = m.DPoPBound, m.CertificateBound, m.SubjectType, m.SectorURI
	c.IDTokenAlg, c.UserinfoAlg, c.IntrospectionAlg, c.ResponseAlg = m.IDTokenAlg, m.UserinfoAlg, m.IntrospectionAlg, m.ResponseAlg
	c.RequestObjectAlg, c.RequireRequestObject, c.RequirePushed = m.RequestObjectAlg, m.RequireRequestObject, m.RequirePushed
}
