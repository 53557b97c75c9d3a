package config

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	// clientID is VSCHAR of RFC 6749, appendix A, without the colon that
	// separates it from the secret in HTTP Basic.
	clientID = regexp.MustCompile(`^[\x21-\x39\x3B-\x7E]{1,200}$`)
	// systemName is also a path segment, a log field and a part of a client id.
	systemName   = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	templateName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)
	basePath     = regexp.MustCompile(`^(/[A-Za-z0-9._~-]+)+$`)
	claimName    = regexp.MustCompile(`^[A-Za-z0-9:/._-]{1,200}$`)
	hostName     = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$`)
)

// grantTypePrefix begins the names of the grants that extend OAuth 2.0.
const grantTypePrefix = "urn:ietf:params:oauth:grant-type:"

func (c *Config) clientRules(w world) []rule {
	var rs []rule
	seen := map[string]bool{}
	for i, x := range c.Clients {
		at := fmt.Sprintf("clients[%d].", i)
		rs = append(rs, x.rules(at)...)
		rs = append(rs,
			rule{at + "client_id", seen[x.ClientID], "is another client's id already", ""},
			w.fileRule(at+"jwks", x.JWKS))
		rs = append(rs, x.certificateRules(at, &c.Certificates)...)
		seen[x.ClientID] = true
	}
	return rs
}

func (x *Client) rules(at string) []rule {
	shared := strings.HasPrefix(x.AuthMethod, "client_secret_")
	signed, public := x.AuthMethod == "private_key_jwt" || x.AuthMethod == "self_signed_tls_client_auth", x.AuthMethod == "none"
	code := slices.Contains(x.GrantTypes, "authorization_code")
	own := slices.Contains(x.GrantTypes, "client_credentials")
	device := slices.Contains(x.GrantTypes, "urn:ietf:params:oauth:grant-type:device_code")
	bearer := slices.Contains(x.GrantTypes, grantTypePrefix+"jwt-bearer")
	swap := slices.Contains(x.GrantTypes, grantTypePrefix+"token-exchange")
	rs := []rule{
		{at + "client_id", !clientID.MatchString(x.ClientID), "must be 1 to 200 visible ASCII characters without a colon", ""},
		{at + "client_id", strings.HasPrefix(x.ClientID, "legacy-"), "begins with legacy-, which is kept for the clients of legacy systems", ""},
		{at + "secret", shared && x.Secret.IsZero(), "is required for " + x.AuthMethod, "write secret: env:NAME, or auth_method: none for a public client"},
		{at + "secret", !shared && !x.Secret.IsZero(), "is of no use for " + x.AuthMethod, "remove it, or choose client_secret_basic"},
		{at + "jwks", signed && x.JWKS == "" && x.JWKSURI == "", "is required for " + x.AuthMethod, "name a file with its keys, or write jwks_uri"},
		{at + "jwks", !signed && !bearer && !x.signsRequests() && x.JWKS != "", "is of no use for " + x.AuthMethod, "remove it, choose private_key_jwt, or say by request_object_signing_alg that it signs requests"},
		{at + "jwks_uri", x.JWKS != "" && x.JWKSURI != "", "does not go with jwks", "keep one of them"},
		{at + "grant_types", len(x.GrantTypes) == 0, "must not be empty", ""},
		{at + "grant_types", public && own, "must not have client_credentials: a public client has no credentials", ""},
		{at + "grant_types", public && bearer, "must not have jwt-bearer: a public client has no credentials", ""},
		{at + "grant_types", swap && !x.MayExchange, "has token-exchange, which is a right of its own", "write may_exchange: true"},
		{at + "may_exchange", public && x.MayExchange, "is not for a public client", ""},
		{at + "grant_types", !code && !own && !device && !bearer && !swap && len(x.GrantTypes) > 0, "has nothing that starts a grant", "add authorization_code, client_credentials or urn:ietf:params:oauth:grant-type:device_code"},
		{at + "redirect_uris", code && len(x.RedirectURIs) == 0, "is required for authorization_code", ""},
		{at + "redirect_uris", !code && len(x.RedirectURIs) > 0, "is of no use without authorization_code", ""},
		{at + "skip_consent", !code && x.SkipConsent, "is of no use without authorization_code", ""},
		{at + "frontchannel_logout_uri", x.FrontchannelLogoutURI != "" && !code, "is of no use without authorization_code", ""},
		{at + "may_introspect", public && x.MayIntrospect, "is not for a public client", ""},
		lifetimeRule(at+"access_lifetime", x.AccessLifetime),
		lifetimeRule(at+"refresh_lifetime", x.RefreshLifetime),
	}
	rs = append(rs, x.requestRules(at, code)...)
	rs = append(rs, x.roleRules(at)...)
	const uri = "must be an https URL, an http URL on loopback, or one of the app's own scheme with a dot in it; without fragment, user, wildcard or dotted segments"
	for _, link := range []struct{ key, uri string }{
		{"jwks_uri", x.JWKSURI},
		{"client_uri", x.ClientURI},
		{"policy_uri", x.PolicyURI},
		{"tos_uri", x.TermsURI},
		{"backchannel_logout_uri", x.BackchannelLogoutURI},
		{"frontchannel_logout_uri", x.FrontchannelLogoutURI},
	} {
		u, ok := parseURL(link.uri)
		rs = append(rs, rule{at + link.key, link.uri != "" && (!ok || u.User != nil || u.Fragment != ""), "must be an http or https URL with a host, without user and fragment", ""})
	}
	rs = append(rs, listRules(at+"grant_types", x.GrantTypes, func(string) bool { return true }, "", "")...)
	rs = append(rs, listRules(at+"scopes", x.Scopes, scopeToken.MatchString, "must be one scope", "write a list: [openid, profile]")...)
	rs = append(rs, listRules(at+"audience", x.Audience, scopeToken.MatchString, "must be one audience without spaces", "")...)
	rs = append(rs, listRules(at+"redirect_uris", x.RedirectURIs, isReturnURI, uri, "")...)
	return append(rs, listRules(at+"post_logout_redirect_uris", x.PostLogoutRedirectURIs, isReturnURI, uri, "")...)
}

func (x *Client) signsRequests() bool { return x.RequireRequestObject || x.RequestObjectAlg != "" }

// requestRules are about what its authorization requests have to be.
func (x *Client) requestRules(at string, code bool) []rule {
	return []rule{
		{at + "require_signed_request_object", x.RequireRequestObject && x.JWKS == "" && x.JWKSURI == "", "needs keys that verify", "name a file in jwks, or write jwks_uri"},
		{at + "pkce_optional", x.AuthMethod == "none" && x.PKCEOptional, "is not for a public client", ""},
		{at + "require_pushed_authorization_requests", !code && x.RequirePushed, "is of no use without authorization_code", ""},
	}
}

// isReturnURI reports whether a browser may be sent to s: RFC 6749, section
// 3.1.2, RFC 8252, section 7, and no form that servers and browsers read
// differently.
func isReturnURI(s string) bool {
	u, err := url.Parse(s)
	if err != nil || u.User != nil || u.Opaque != "" || strings.ContainsAny(s, "#*\\ \t\r\n") {
		return false
	}
	if u.Path != "" && strings.TrimSuffix(u.Path, "/") != strings.TrimSuffix(path.Clean(u.Path), "/") {
		return false
	}
	switch u.Scheme {
	case "https":
		return u.Hostname() != ""
	case "http":
		return isLoopback(u.Hostname())
	}
	return strings.Contains(u.Scheme, ".")
}

func (c *Config) systemRules() []rule {
	var rs []rule
	seen := map[string]bool{}
	for i, x := range c.Systems {
		at := fmt.Sprintf("systems[%d].", i)
		rs = append(rs, x.rules(at)...)
		rs = append(rs, rule{at + "name", seen[x.Name], "is another system's name already", "an instance needs a name of its own"})
		seen[x.Name] = true
	}
	return rs
}

func (x *System) rules(at string) []rule {
	site, ok := parseURL(x.SiteURL)
	rs := []rule{
		{at + "name", !systemName.MatchString(x.Name), "must be 1 to 64 lower-case letters, digits, dots, dashes or underscores", ""},
		{at + "template", !templateName.MatchString(x.Template), "must be the name of a folder, not a path", "write faveo, or set templates_dir and write the folder's name"},
		{at + "profile", x.Profile != "" && !templateName.MatchString(x.Profile), "must be a profile's name", `write it as its README does, in quotes: "1.10"`},
		{at + "base_path", x.BasePath != "" && (!basePath.MatchString(x.BasePath) || x.BasePath != path.Clean(x.BasePath)), "must begin with a slash, not end in one, and have plain segments", "write /support"},
		{at + "host", x.Host != "" && !hostName.MatchString(x.Host), "must be a lower-case host name without scheme, port and wildcard", "write support.example.com"},
		{at + "site_url", x.SiteURL != "" && (!ok || site.RawQuery != "" || site.Fragment != "" || site.User != nil), "must be an http or https URL with a host, without query, fragment and user", ""},
		lifetimeRule(at+"lifetime", x.Lifetime),
	}
	rs = append(rs, listRules(at+"scopes", x.Scopes, scopeToken.MatchString, "must be one scope", "write a list: [openid, profile]")...)
	return append(rs, listRules(at+"audience", x.Audience, scopeToken.MatchString, "must be one audience without spaces", "")...)
}

func (x *Client) roleRules(at string) []rule {
	ends := func(r string) bool {
		i := strings.IndexByte(r, '*')
		return r != "" && (i < 0 || i == len(r)-1)
	}
	rs := []rule{
		{at + "roles", len(x.Roles) > 0 && !slices.Contains(x.Scopes, "roles"), "is of no use without the scope roles", "add roles to scopes"},
		{at + "roles_claim", !claimName.MatchString(x.RolesClaim), "must be 1 to 200 letters, digits, colons, slashes, dots, underscores or dashes", ""},
	}
	return append(rs, listRules(at+"roles", x.Roles, ends, "must be a role, or how roles begin and a * at its end", "")...)
}
