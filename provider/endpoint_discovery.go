package provider

import (
	"fmt"
	"slices"

	"github.com/gin-gonic/gin"

	"keyway/provider/assertion"
	"keyway/provider/claims"
	"keyway/provider/dpop"
	"keyway/provider/farewell"
	"keyway/provider/keys"
	"keyway/provider/metadata"
	"keyway/provider/pairwise"
	"keyway/provider/requestobject"
	"keyway/provider/response"
	"keyway/provider/roles"
	"keyway/provider/wire"
)

func (p *Provider) newMetadata() (wire.Document, error) {
	confidential := []string{string(AuthSecretBasic), string(AuthSecretPost), string(AuthPrivateKeyJWT)}
	confidential = append(confidential, p.options.Certificates.Methods()...)
	all := append(slices.Clone(confidential), string(AuthNone))
	names := []string{"sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid", "email", "email_verified", "updated_at"}
	scopes := slices.Concat([]string{scopeOpenID}, claims.PersonalScopes(), []string{scopeOffline})
	if p.options.Roles != nil {
		scopes, names = append(scopes, roles.Scope), append(names, roles.Claim)
	}
	for _, s := range scopes {
		names = append(names, claims.StoredUnder(s)...)
	}
	register := ""
	if p.registrar != nil {
		register = p.url(pathRegister)
	}
	document, err := metadata.New(&metadata.Document{
		Registration: register,
		Issuer:       p.options.Issuer, Authorization: p.url(pathAuthorize), EndSession: p.url(farewell.Path), Pushed: p.url(pathPushed), DeviceAuthorization: p.url(pathDeviceRequest), Token: p.url(pathToken), Userinfo: p.url(pathUserinfo),
		JWKS: p.url(pathKeys), Introspection: p.url(pathIntrospect), Revocation: p.url(pathRevoke),
		Scopes: scopes, ResponseTypes: []string{"code"}, ResponseModes: response.Modes(), GrantTypes: grantTypes(),
		Prompts: p.offer().Prompts, AnswerAlgs: keys.Algorithms(),
		RequestParameter: true, RequestObjectAlgs: requestobject.Algorithms(), DetailTypes: p.options.DetailTypes,
		ChallengeMethods: []string{pkceS256}, ACRs: p.contexts(), Locales: p.options.Pages.Locales(),
		IssParameter: true, ClaimsParameter: true, SubjectTypes: pairwise.Types(),
		BackchannelLogout: p.notices != nil, BackchannelLogoutSession: p.notices != nil, FrontchannelLogout: true, FrontchannelLogoutSession: true,
		IDTokenAlgs: keys.Algorithms(), TokenAuth: all, TokenAuthAlgs: assertion.Algorithms(),
		IntrospectionAuth: confidential, IntrospectionAuthAlgs: assertion.Algorithms(),
		RevocationAuth: all, RevocationAuthAlgs: assertion.Algorithms(), Claims: names,
		DPoPAlgs: dpop.Algorithms(), UserinfoAlgs: keys.Algorithms(), IntrospectionAlgs: keys.Algorithms(),
		CertificateBound: p.options.Certificates != nil,
		Aliases: p.options.Certificates.Aliases(map[string]string{
			"token_endpoint": pathToken, "introspection_endpoint": pathIntrospect, "revocation_endpoint": pathRevoke, "userinfo_endpoint": pathUserinfo,
			"pushed_authorization_request_endpoint": pathPushed,
		}),
	})
	if err != nil {
		return wire.Document{}, fmt.Errorf("metadata: %w", err)
	}
	return document, nil
}

func (p *Provider) serveMetadata(c *gin.Context) error { return p.metadata.Serve(c) }

// serveJWKS publishes the public keys.
func (p *Provider) serveJWKS(c *gin.Context) error { return p.keys.JWKS().Serve(c) }
