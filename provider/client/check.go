package client

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/claims"
	"keyway/provider/cors"
	"keyway/provider/keys"
	"keyway/provider/pairwise"
	"keyway/provider/redirect"
	"keyway/provider/requestobject"
)

var claimName = regexp.MustCompile(`^[A-Za-z0-9:/._-]{1,200}$`)

// Check reports everything about c that could not work.
func (c *Client) Check() error {
	all := slices.Concat(c.checkAuth(), c.checkGrants(), c.checkBinding(), c.checkLogout(), c.checkRoles(), c.checkRights())
	if !ValidID(c.ID) {
		all = append(all, errors.New("client_id must be 1 to 255 visible ASCII characters"))
	}
	if f := c.AccessTokenFormat; f != "" && f != FormatOpaque && f != FormatATJWT {
		all = append(all, fmt.Errorf("access_token_format %q: must be %s or %s", f, FormatOpaque, FormatATJWT))
	}
	all = append(all, c.checkRequests()...)
	for _, alg := range []string{c.IDTokenAlg, c.AccessTokenAlg, c.ResponseAlg, c.UserinfoAlg, c.IntrospectionAlg} {
		if alg != "" && alg != keys.RS256 && alg != keys.ES256 {
			all = append(all, fmt.Errorf("signing algorithm %q: must be %s or %s", alg, keys.RS256, keys.ES256))
		}
	}
	if c.Internal() && c.RequireSecondFactor {
		all = append(all, errors.New("require_second_factor is not for the client of a legacy system, which has a setting of its own"))
	}
	if c.Internal() && len(c.Connectors) > 0 {
		all = append(all, errors.New("connectors are not for the client of a legacy system"))
	}
	if c.JWKS != "" && c.JWKSURI != "" {
		all = append(all, errors.New("jwks and jwks_uri do not go together"))
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("client %q: %w", c.ID, errors.Join(all...))
}

// checkRights judges what the operator lets the client do beyond its own tokens.
func (c *Client) checkRights() []error {
	var all []error
	if c.MayExchange && (c.Public() || c.Internal()) {
		all = append(all, errors.New("may_exchange needs a client that authenticates"))
	}
	if len(c.MayTakeUpstream) > 0 && !c.MayExchange {
		all = append(all, errors.New("may_take_upstream needs may_exchange"))
	}
	if c.MayIntrospect && c.Public() {
		all = append(all, errors.New("may_introspect needs a client that authenticates"))
	}
	if !c.checkDynamic() {
		all = append(all, errors.New("a client that registered itself may not have rights that the operator gives"))
	}
	return all
}

// checkRoles judges what the client calls roles.
func (c *Client) checkRoles() []error {
	n := c.RolesClaim
	if n == "" || claimName.MatchString(n) && !claims.Reserved(n) && claims.ScopeOf(n) == "" && n != "may_act" {
		return nil
	}
	return []error{fmt.Errorf("roles_claim %q: must be a claim's name that means nothing else, such as groups", n)}
}

// checkRequests judges what the client's authorization requests have to be.
func (c *Client) checkRequests() []error {
	var all []error
	if c.PKCEOptional && c.Public() {
		all = append(all, errors.New("pkce_optional is not for a public client"))
	}
	if alg := c.RequestObjectAlg; alg != "" && !slices.Contains(requestobject.Algorithms(), alg) {
		all = append(all, fmt.Errorf("request_object_signing_alg %q: must be one of %s", alg, strings.Join(requestobject.Algorithms(), ", ")))
	}
	for _, t := range c.DetailTypes {
		if t == "" || len(t) > 200 {
			all = append(all, errors.New("an item of authorization_details_types must have 1 to 200 bytes"))
		}
	}
	return all
}

func (c *Client) checkAuth() []error {
	switch c.AuthMethod {
	case AuthSecretBasic, AuthSecretPost:
		if len(c.SecretHashes) == 0 {
			return []error{fmt.Errorf("%s needs a secret", c.AuthMethod)}
		}
	case AuthPrivateKeyJWT:
		set, err := c.KeySet()
		if err != nil {
			return []error{err}
		}
		if c.JWKSURI == "" && (set == nil || len(set.Keys) == 0) {
			return []error{errors.New("private_key_jwt needs jwks with at least one key, or jwks_uri")}
		}
	case AuthTLS:
		if err := c.Certificate().Check(); err != nil {
			return []error{err}
		}
	case AuthSelfSignedTLS:
		set, err := c.KeySet()
		if err != nil {
			return []error{err}
		}
		if c.JWKSURI == "" && (set == nil || !slices.ContainsFunc(set.Keys, func(k jose.JSONWebKey) bool { return len(k.Certificates) > 0 })) {
			return []error{errors.New("self_signed_tls_client_auth needs jwks with a certificate in x5c, or jwks_uri")}
		}
	case AuthNone, AuthAdapter:
	default:
		return []error{fmt.Errorf("token_endpoint_auth_method %q is not known", c.AuthMethod)}
	}
	return nil
}

// checkBinding judges what c asks of subjects, browsers and tokens.
func (c *Client) checkBinding() []error {
	var all []error
	if c.SubjectType != "" && !slices.Contains(pairwise.Types(), c.SubjectType) {
		all = append(all, fmt.Errorf("subject_type %q is not known", c.SubjectType))
	}
	if c.SubjectType == pairwise.Pairwise {
		if _, err := pairwise.Sector(c.SectorIdentifierURI, c.RedirectURIs); err != nil {
			all = append(all, err)
		}
	}
	for _, origin := range c.AllowedCORSOrigins {
		if !cors.Check(origin) {
			all = append(all, fmt.Errorf("allowed_cors_origins: %q is not an origin, such as https://app.example.com", origin))
		}
	}
	if c.Internal() && (c.DPoPBound || c.CertificateBound) {
		all = append(all, errors.New("the tokens of a legacy system cannot be bound to a key"))
	}
	return all
}

func (c *Client) checkGrants() []error {
	var all []error
	for _, g := range c.GrantTypes {
		switch {
		case g == GrantPassword && !c.Internal():
			all = append(all, errors.New("only the client of a legacy system may use the password grant"))
		case (g == GrantClientCredentials || g == GrantJWTBearer) && (c.Public() || c.Internal()):
			all = append(all, fmt.Errorf("%s needs a client that authenticates", g))
		case g == GrantDevice && c.Internal():
			all = append(all, errors.New("the client of a legacy system may not let devices in"))
		case g == GrantTokenExchange && !c.MayExchange:
			all = append(all, errors.New("the token-exchange grant needs may_exchange"))
		case !slices.Contains([]string{GrantClientCredentials, GrantRefresh, GrantPassword, GrantCode, GrantDevice, GrantTokenExchange, GrantJWTBearer}, g):
			all = append(all, fmt.Errorf("grant type %q is not known", g))
		}
	}
	for _, uri := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
		if err := redirect.Check(uri); err != nil {
			all = append(all, fmt.Errorf("redirect URI %q: %w", uri, err))
		}
	}
	for _, s := range c.Scopes {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e || r == '"' || r == '\\' }) {
			all = append(all, fmt.Errorf("scope %q is not a scope token (RFC 6749, section 3.3)", s))
		}
	}
	return all
}

var errUnfitLogout = errors.New("must be an https URL, or an http URL on loopback; without fragment, user, wildcard, comma, semicolon, quote or dotted segments")

// checkLogout judges where the client wants to be told of sign-outs. Whether the
// first is called at all depends on where its host is; see package outbound.
func (c *Client) checkLogout() []error {
	var all []error
	if uri := c.BackchannelLogoutURI; uri != "" && webOrigin(uri) == "" {
		all = append(all, fmt.Errorf("backchannel_logout_uri %q: %w", uri, errUnfitLogout))
	}
	uri := c.FrontchannelLogoutURI
	origin := webOrigin(uri)
	switch {
	case uri == "":
	case origin == "":
		all = append(all, fmt.Errorf("frontchannel_logout_uri %q: %w", uri, errUnfitLogout))
	case !slices.ContainsFunc(c.RedirectURIs, func(r string) bool { return webOrigin(r) == origin }):
		all = append(all, fmt.Errorf("frontchannel_logout_uri %q: must have scheme, host and port of a redirect URI", uri))
	}
	return all
}

// webOrigin returns scheme, host and port of a URI that is fit for redirects and
// is not of an app's own scheme; "" for any other.
func webOrigin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || redirect.Check(uri) != nil || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsAny(uri, ";,'\"") {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}

// ValidID reports whether id can be one of a client: visible ASCII, at most
// 255 characters.
func ValidID(id string) bool {
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e })
}
