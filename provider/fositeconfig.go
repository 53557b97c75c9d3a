package provider

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"
	fositeopenid "github.com/ory/fosite/handler/openid"
	fositepkce "github.com/ory/fosite/handler/pkce"
	fositejwt "github.com/ory/fosite/token/jwt"
)

// noFetch refuses to fetch keys: clients register theirs by value.
type noFetch struct{}

var _ fosite.JWKSFetcherStrategy = noFetch{}

// Resolve implements [fosite.JWKSFetcherStrategy].
func (noFetch) Resolve(context.Context, string, bool) (*jose.JSONWebKeySet, error) {
	return nil, errors.New("key sets are not fetched")
}

// compose puts fosite together by hand. Every field that one of the
// configuration's getters would fill lazily is set, for those writes race.
func (p *Provider) compose() {
	o := p.options
	config := &fosite.Config{
		AccessTokenLifespan:           o.Lifetimes.Access,
		RefreshTokenLifespan:          o.Lifetimes.Refresh,
		IDTokenLifespan:               o.Lifetimes.IDToken,
		IDTokenIssuer:                 o.Issuer,
		AccessTokenIssuer:             o.Issuer,
		ScopeStrategy:                 fosite.ExactScopeStrategy,
		AudienceMatchingStrategy:      fosite.ExactAudienceMatchingStrategy,
		EnforcePKCEForPublicClients:   true, // for others, package request does
		TokenURL:                      p.url(pathToken),
		JWKSFetcherStrategy:           noFetch{},
		AuthorizeCodeLifespan:         o.Lifetimes.Code,
		RedirectSecureChecker:         func(context.Context, *url.URL) bool { return true }, // it is one of the client's, which were checked
		RefreshTokenScopes:            []string{scopeOffline},
		JWTScopeClaimKey:              fositejwt.JWTScopeFieldString,
		ClientSecretsHasher:           p.secrets,
		ClientAuthenticationStrategy:  p.authenticateClient,
		GlobalSecret:                  p.tokens.successor,
		SanitationWhiteList:           []string{},
		DisableRefreshTokenValidation: true,
		UserCodeSymbols:               []rune{},
	}
	access := &fositeoauth2.HandleHelper{AccessTokenStrategy: p.tokens, AccessTokenStorage: p.fositeStore, Config: config}
	id := &fositeopenid.IDTokenHandleHelper{IDTokenStrategy: idTokens{provider: p}}
	code := &fositeoauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: p.tokens, RefreshTokenStrategy: p.tokens, AuthorizeCodeStrategy: p.tokens,
		CoreStorage: p.fositeStore, TokenRevocationStorage: p.fositeStore, Config: config,
	}
	pkce := &fositepkce.Handler{AuthorizeCodeStrategy: p.tokens, Storage: p.fositeStore, Config: config}
	// The order matters: PKCE completes the code. fosite's OpenID handler is not
	// asked here: what it would check was checked (authorize_request.go).
	config.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{code, pkce}
	config.TokenEndpointHandlers = fosite.TokenEndpointHandlers{
		grantTypeGuard{},
		code, pkce,
		&fositeopenid.OpenIDConnectExplicitHandler{OpenIDConnectRequestStorage: p.fositeStore, Config: config, IDTokenHandleHelper: id},
		&fositeoauth2.ClientCredentialsGrantHandler{HandleHelper: access, Config: config},
		&fositeoauth2.ResourceOwnerPasswordCredentialsGrantHandler{ //nolint:staticcheck // deprecated for use in the open; ours stays in process
			HandleHelper: access, ResourceOwnerPasswordCredentialsGrantStorage: p.fositeStore,
			RefreshTokenStrategy: p.tokens, Config: config,
		},
		&deviceHandler{HandleHelper: access, provider: p},
		&sessionIDToken{IDTokenHandleHelper: id, lifetime: o.Lifetimes.IDToken},
		&refreshHandler{provider: p},
		&exchangeHandler{HandleHelper: access, provider: p},
		&fositeopenid.OpenIDConnectRefreshHandler{IDTokenHandleHelper: id, Config: config},
	}
	p.fosite = fosite.NewOAuth2Provider(p.fositeStore, config)
}

// grantTypeGuard asks before any grant is looked at whether the client may use
// its type: unauthorized_client (RFC 6749, section 5.2), where fosite's own
// handlers have other codes.
type grantTypeGuard struct{}

var _ fosite.TokenEndpointHandler = grantTypeGuard{}

// CanHandleTokenEndpointRequest implements [fosite.TokenEndpointHandler].
func (grantTypeGuard) CanHandleTokenEndpointRequest(context.Context, fosite.AccessRequester) bool {
	return true
}

// CanSkipClientAuth implements [fosite.TokenEndpointHandler].
func (grantTypeGuard) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest implements [fosite.TokenEndpointHandler].
func (grantTypeGuard) HandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) error {
	c, ok := r.GetClient().(*fositeClient)
	if types := r.GetGrantTypes(); !ok || len(types) != 1 || !c.mayUse(types[0]) {
		return fosite.ErrUnauthorizedClient
	}
	return fosite.ErrUnknownRequest // what follows is for others
}

// PopulateTokenEndpointResponse implements [fosite.TokenEndpointHandler].
func (grantTypeGuard) PopulateTokenEndpointResponse(context.Context, fosite.AccessRequester, fosite.AccessResponder) error {
	return fosite.ErrUnknownRequest
}

// sessionIDToken adds the ID token that fosite's password grant leaves out, and that of
// the device grant.
type sessionIDToken struct {
	*fositeopenid.IDTokenHandleHelper
	lifetime time.Duration
}

var _ fosite.TokenEndpointHandler = (*sessionIDToken)(nil)

// CanHandleTokenEndpointRequest implements [fosite.TokenEndpointHandler].
func (*sessionIDToken) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(grantPassword) || r.GetGrantTypes().ExactOne(grantDevice)
}

// CanSkipClientAuth implements [fosite.TokenEndpointHandler].
func (*sessionIDToken) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return false }

// HandleTokenEndpointRequest implements [fosite.TokenEndpointHandler].
func (*sessionIDToken) HandleTokenEndpointRequest(context.Context, fosite.AccessRequester) error {
	return fosite.ErrUnknownRequest
}

// PopulateTokenEndpointResponse adds an ID token if openid was granted; for a
// legacy system's client, if it registered an algorithm for it.
func (h *sessionIDToken) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, w fosite.AccessResponder) error {
	c, ok := r.GetClient().(*fositeClient)
	s, ours := r.GetSession().(*Session)
	if !h.CanHandleTokenEndpointRequest(ctx, r) || !ok || !ours || c.Internal() && c.IDTokenAlg == "" || !contains(r.GetGrantedScopes(), scopeOpenID) {
		return fosite.ErrUnknownRequest
	}
	claims := s.IDTokenClaims()
	claims.AccessTokenHash = h.GetAccessTokenHash(ctx, r, w)
	return h.IssueExplicitIDToken(ctx, h.lifetime, r, w)
}
