package registration

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"

	"keyway/provider/assertion"
	"keyway/provider/keys"
	"keyway/provider/keyset"
	"keyway/provider/pairwise"
	"keyway/provider/redirect"
	"keyway/provider/requestobject"
)

// The values that the code names.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	responseCode = "code"

	typeWeb    = "web"
	typeNative = "native"

	methodBasic = "client_secret_basic"
	methodJWT   = "private_key_jwt"
	methodNone  = "none"

	scopeOffline = "offline_access"
)

// Policy is what the operator allows clients that register themselves. Zero
// values mean the defaults: what an app needs in which people sign in.
type Policy struct {
	GrantTypes       []string
	AuthMethods      []string
	Scopes           []string // the ceiling, and what a client gets that asks for none
	ApplicationTypes []string // web, native
	SubjectTypes     []string // public, pairwise
	SigningAlgs      []string // what the provider signs with
	RedirectHosts    []string // of https redirect URIs, by name or as *.name; none: any
	MaxClients       int      // that may be registered at a time

	// Callable judges the URIs that the provider itself would call.
	Callable func(uri string) error
}

// complete sets the defaults.
func (p *Policy) complete() {
	for _, d := range []struct {
		list *[]string
		def  []string
	}{
		{&p.GrantTypes, []string{grantCode, grantRefresh}},
		{&p.AuthMethods, []string{methodBasic, "client_secret_post", methodJWT, methodNone}},
		{&p.Scopes, []string{"openid", "profile", "email", scopeOffline}},
		{&p.ApplicationTypes, []string{typeWeb, typeNative}},
		{&p.SubjectTypes, pairwise.Types()},
		{&p.SigningAlgs, keys.Algorithms()},
	} {
		if *d.list == nil {
			*d.list = d.def
		}
	}
	if p.MaxClients <= 0 {
		p.MaxClients = 1000
	}
}

// Judge says whether a client may be registered as it asks, and completes what
// it left out. A ceiling that is not nil narrows the policy's scopes. Errors are
// [*Refusal].
func (p *Policy) Judge(m *Metadata, ceiling []string) error {
	for _, judge := range []func(*Metadata) error{
		p.judgeGrants, p.judgeAuth, p.judgeKeys, p.judgeRedirects, p.judgeLogout, p.judgeLinks, p.judgeSubject, p.judgeTokens,
	} {
		if err := judge(m); err != nil {
			return err
		}
	}
	scopes := p.Scopes
	if ceiling != nil {
		scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return !slices.Contains(ceiling, s) })
	}
	return judgeScopes(m, scopes)
}

// judgeGrants holds grant and response types to each other (RFC 7591, section
// 2.1).
func (p *Policy) judgeGrants(m *Metadata) error {
	if m.GrantTypes == nil {
		m.GrantTypes = []string{grantCode}
	}
	starts := false
	for i, g := range m.GrantTypes {
		if !slices.Contains(p.GrantTypes, g) {
			return refuse("grant_types", "one of them may not be registered here")
		}
		if slices.Contains(m.GrantTypes[:i], g) {
			return refuse("grant_types", "one of them is repeated")
		}
		starts = starts || g != grantRefresh
	}
	if !starts {
		return refuse("grant_types", "there is none that begins a grant")
	}
	code := slices.Contains(m.GrantTypes, grantCode)
	if code && m.ResponseTypes == nil {
		m.ResponseTypes = []string{responseCode}
	}
	switch {
	case code && !slices.Equal(m.ResponseTypes, []string{responseCode}):
		return refuse("response_types", "only code is offered")
	case !code && len(m.ResponseTypes) > 0:
		return refuse("response_types", "is of no use without the grant type authorization_code")
	case code && len(m.RedirectURIs) == 0:
		return refuseRedirect("redirect_uris", "there must be one")
	case !code && len(m.RedirectURIs) > 0:
		return refuse("redirect_uris", "is of no use without the grant type authorization_code")
	}
	return nil
}

func (p *Policy) judgeAuth(m *Metadata) error {
	if m.AuthMethod == "" {
		m.AuthMethod = methodBasic
	}
	switch {
	case !slices.Contains(p.AuthMethods, m.AuthMethod):
		return refuse("token_endpoint_auth_method", "may not be registered here")
	case m.AuthMethod == methodNone && slices.Contains(m.GrantTypes, "client_credentials"):
		return refuse("token_endpoint_auth_method", "none does not go with the grant type client_credentials")
	case m.AuthAlg != "" && m.AuthMethod != methodJWT:
		return refuse("token_endpoint_auth_signing_alg", "is of no use for this authentication method")
	case m.AuthAlg != "" && !slices.Contains(assertion.Algorithms(), m.AuthAlg):
		return refuse("token_endpoint_auth_signing_alg", "is not supported")
	}
	return nil
}

func (p *Policy) judgeKeys(m *Metadata) error {
	switch {
	case m.JWKSURI != "" && m.JWKS != nil:
		return refuse("jwks_uri", "does not go with jwks")
	case m.JWKSURI != "" && p.callable(m.JWKSURI) != nil:
		return refuse("jwks_uri", "must be a public https URL")
	case m.AuthMethod == methodJWT && m.JWKSURI == "" && m.JWKS == nil:
		return refuse("jwks", "private_key_jwt needs jwks or jwks_uri")
	case m.JWKS != nil:
		if _, err := keyset.Parse(m.JWKS); err != nil {
			return refuse("jwks", err.Error())
		}
	}
	return nil
}

func (p *Policy) callable(uri string) error {
	if p.Callable == nil {
		return errors.New("nothing is called")
	}
	return p.Callable(uri)
}

// judgeRedirects judges where browsers are sent (OpenID Connect Dynamic Client
// Registration 1.0, section 2, application_type; RFC 8252, section 7).
func (p *Policy) judgeRedirects(m *Metadata) error {
	if m.ApplicationType == "" {
		m.ApplicationType = typeWeb
	}
	if !slices.Contains(p.ApplicationTypes, m.ApplicationType) {
		return refuse("application_type", "may not be registered here")
	}
	for i, uri := range m.RedirectURIs {
		if why := p.unfit(m.ApplicationType, uri); why != "" {
			return refuseRedirect("redirect_uris", why)
		}
		if slices.Contains(m.RedirectURIs[:i], uri) {
			return refuseRedirect("redirect_uris", "one of them is repeated")
		}
	}
	for _, uri := range m.PostLogoutRedirectURIs {
		if why := p.unfit(m.ApplicationType, uri); why != "" {
			return refuse("post_logout_redirect_uris", why)
		}
	}
	return nil
}

// judgeLogout judges where the client is told of sign-outs (OpenID Connect
// Back-Channel Logout 1.0, section 2.2; Front-Channel Logout 1.0, section 2).
func (p *Policy) judgeLogout(m *Metadata) error {
	if m.BackchannelLogoutURI != "" && p.callable(m.BackchannelLogoutURI) != nil {
		return refuse("backchannel_logout_uri", "must be a public https URL")
	}
	if m.FrontchannelLogoutURI == "" {
		return nil
	}
	if why := p.unfit(m.ApplicationType, m.FrontchannelLogoutURI); why != "" {
		return refuse("frontchannel_logout_uri", why)
	}
	same := func(uri string) bool { return origin(uri) == origin(m.FrontchannelLogoutURI) }
	if !slices.ContainsFunc(m.RedirectURIs, same) {
		return refuse("frontchannel_logout_uri", "must have scheme, host and port of a redirect URI")
	}
	return nil
}

// unfit says why an app of the type cannot be returned to uri, "" if it can.
func (p *Policy) unfit(applicationType, uri string) string {
	u, err := url.Parse(uri)
	switch {
	case err != nil, !visible(uri), redirect.Check(uri) != nil:
		return redirect.ErrUnfit.Error()
	case applicationType == typeWeb && u.Scheme != "https":
		return "a web app must use https; one on loopback or with a scheme of its own has application_type native"
	case u.Scheme == "https" && loopback(u.Hostname()):
		return "a host on loopback must use http"
	case u.Scheme == "https" && len(p.RedirectHosts) > 0 && !within(p.RedirectHosts, u.Hostname()):
		return "the host may not be registered here"
	}
	return ""
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") || ip != nil && (ip.IsLoopback() || ip.IsUnspecified())
}

// judgeLinks judges what people may be shown, which is no link to anything but
// a web page.
func (*Policy) judgeLinks(m *Metadata) error {
	if len([]rune(m.Name)) > 100 {
		return refuse("client_name", "is too long")
	}
	for _, link := range []struct{ member, uri string }{
		{"client_uri", m.ClientURI},
		{"logo_uri", m.LogoURI},
		{"policy_uri", m.PolicyURI},
		{"tos_uri", m.TermsURI},
		{"initiate_login_uri", m.InitiateLogin},
	} {
		if link.uri != "" && !webURL(link.uri) {
			return refuse(link.member, "must be an https URL")
		}
	}
	return nil
}

// judgeSubject sees to it that a client has one sector (OpenID Connect Core
// 1.0, section 8.1). What stands at sector_identifier_uri is for [CheckSector].
func (p *Policy) judgeSubject(m *Metadata) error {
	if m.SubjectType == "" {
		m.SubjectType = pairwise.Public
	}
	switch {
	case !slices.Contains(p.SubjectTypes, m.SubjectType):
		return refuse("subject_type", "is not supported")
	case m.SectorURI != "" && p.callable(m.SectorURI) != nil:
		return refuse("sector_identifier_uri", "must be a public https URL")
	case m.SubjectType == pairwise.Pairwise:
		if _, err := pairwise.Sector(m.SectorURI, m.RedirectURIs); err != nil {
			return refuse("sector_identifier_uri", "is needed, for the redirect URIs have not one host")
		}
	}
	return nil
}

func (p *Policy) judgeTokens(m *Metadata) error {
	for _, signed := range []struct{ member, alg string }{
		{"id_token_signed_response_alg", m.IDTokenAlg},
		{"userinfo_signed_response_alg", m.UserinfoAlg},
		{"introspection_signed_response_alg", m.IntrospectionAlg},
		{"authorization_signed_response_alg", m.ResponseAlg},
	} {
		if signed.alg != "" && !slices.Contains(p.SigningAlgs, signed.alg) {
			return refuse(signed.member, "must be one of "+strings.Join(p.SigningAlgs, ", "))
		}
	}
	switch {
	case m.RequestObjectAlg != "" && !slices.Contains(requestobject.Algorithms(), m.RequestObjectAlg):
		return refuse("request_object_signing_alg", "must be one of "+strings.Join(requestobject.Algorithms(), ", "))
	case (m.RequestObjectAlg != "" || m.RequireRequestObject) && m.JWKS == nil && m.JWKSURI == "":
		return refuse("jwks", "request objects need jwks or jwks_uri")
	}
	return nil
}

// judgeScopes gives a client that asks for nothing all that it may have, but
// offline access only if it can use it.
func judgeScopes(m *Metadata, ceiling []string) error {
	asked := strings.Fields(m.Scope)
	for i, s := range asked {
		if !scopeToken(s) || slices.Contains(asked[:i], s) {
			return refuse("scope", "one of them is malformed or repeated")
		}
		if !slices.Contains(ceiling, s) {
			return refuse("scope", "one of them may not be registered here")
		}
	}
	if len(asked) == 0 {
		asked = slices.DeleteFunc(slices.Clone(ceiling), func(s string) bool {
			return s == scopeOffline && !slices.Contains(m.GrantTypes, grantRefresh)
		})
	}
	m.Scope = strings.Join(asked, " ")
	return nil
}
