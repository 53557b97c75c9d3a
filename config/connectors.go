package config

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Connector declares an identity provider that people can sign in at.
type Connector struct {
	ID           string   `yaml:"id" required:"true" doc:"Its id: in clients' connectors, in events, and in the redirect URI to register there, ISSUER/login/callback/ID."`
	Name         string   `yaml:"name" doc:"What people read on the button; without, its id."`
	Type         string   `yaml:"type" default:"oidc" enum:"oidc oauth saml ldap database legacy" doc:"What it speaks: oidc is OpenID Connect, oauth plain OAuth 2, saml SAML 2.0; ldap asks a directory such as Active Directory about passwords; database is no server to sign in at, but an old system's people in their own database; legacy asks an old server by its own login call."`
	Issuer       string   `yaml:"issuer" doc:"Its issuer, exactly as its metadata names it; with tenants, that of the common endpoint; for saml, its entity id."`
	ClientID     string   `yaml:"client_id" doc:"This provider's client id there."`
	ClientSecret Secret   `yaml:"client_secret" doc:"Its secret; without one, this provider is a public client there, with PKCE as always."`
	AuthMethod   string   `yaml:"auth_method" default:"client_secret_basic" enum:"client_secret_basic client_secret_post" doc:"How the secret is sent."`
	Scopes       []string `yaml:"scopes" default:"profile email" doc:"What is asked for beside openid."`
	Prompt       string   `yaml:"prompt" enum:"login select_account consent" doc:"What the upstream is told to ask its people for at each sign-in; an app's request wins."`
	ACRValues    []string `yaml:"acr_values" doc:"The authentication contexts that are asked for there, the dearest first; an app's request wins."`
	RequireACR   []string `yaml:"require_acr" doc:"Those of which an answer must have one. Empty: any, and none."`
	Tenants      []string `yaml:"tenants" doc:"The ids of the tenants that may sign in, where the issuer is a common endpoint (Entra ID); such an issuer needs them."`
	Userinfo     bool     `yaml:"userinfo" default:"false" doc:"Whether claims are asked for at the userinfo endpoint, too."`
	Domains      []string `yaml:"domains" doc:"Whoever enters a name that ends in @ and one of these is taken there, and no password is looked at."`
	Directory    string   `yaml:"directory" default:"default" doc:"The directory in which its people get their login names."`
	Create       bool     `yaml:"create" default:"true" doc:"Whether somebody who comes for the first time becomes a user. If not, only who is linked gets in."`
	Hidden       bool     `yaml:"hidden" default:"false" doc:"Whether it has no button: a domain, a client or a request leads there."`
	Disabled     bool     `yaml:"disabled" default:"false" doc:"Whether nobody can sign in there."`
	Life         Life     `yaml:"life" doc:"What becomes of its people after they signed in."`
	Mapping      Mapping  `yaml:"mapping" doc:"What its claims make of somebody here, in expressions of expr-lang.org over claims, issuer, subject, connector, acr and amr."`

	SAML     ConnectorSAML     `yaml:"saml" doc:"What there is to know of a connector of type saml."`
	Database ConnectorDatabase `yaml:"database" doc:"Where the people of a connector of type database are."`

	Legacy ConnectorLegacy `yaml:"legacy" doc:"Where the server of a connector of type legacy is, and what it is."`

	LDAP ConnectorLDAP `yaml:"ldap" doc:"Where the people of a connector of type ldap are."`

	PasswordGrant bool  `yaml:"password_grant" default:"false" doc:"Whether passwords may be judged there, by the grant of RFC 6749, section 4.3. It is for verifiers; the upstream has to allow it, and asks for no second factor then."`
	Guard         Guard `yaml:"guard" doc:"What it may cost to have passwords judged there."`

	Key        Secret         `yaml:"key" doc:"For oidc: this provider's private key there, in place of a secret, as a JWK or PEM; keyway connectors key ID prints its public half. The client authenticates by private_key_jwt then."`
	Params     map[string]any `yaml:"params" doc:"Further parameters of its authorization requests, such as {domain_hint: corp.example.com}."`
	Algorithms []string       `yaml:"algorithms" default:"RS256 PS256 ES256 EdDSA" enum:"RS256 PS256 ES256 EdDSA" doc:"What its ID tokens may be signed with."`
	Skew       time.Duration  `yaml:"skew" default:"1m" min:"1s" max:"10m" doc:"How far its clock may be off."`
	Refresh    time.Duration  `yaml:"refresh" default:"1h" min:"1m" max:"24h" doc:"How old its metadata may get before it is read anew."`
	OAuth      ConnectorOAuth `yaml:"oauth" doc:"For type oauth: what the upstream is, or where it is asked what."`

	TrustSecondFactor   bool     `yaml:"trust_second_factor" default:"false" doc:"Whether its people need no second factor here when it says, by amr mfa or by second_factor_acr, that they gave one there."`
	FactorACR           []string `yaml:"second_factor_acr" doc:"The authentication contexts of its answers that mean a second factor."`
	RequireSecondFactor bool     `yaml:"require_second_factor" default:"false" doc:"Whether its people need a second factor."`
}

// Mapping is expressions. An empty one means its default.
type Mapping struct {
	Allow         string           `yaml:"allow" doc:"True for who may come in; without, everybody may."`
	LoginName     string           `yaml:"login_name" doc:"Their login name here; without, their e-mail address, else preferred_username, else the subject."`
	LoginNames    []MappingName    `yaml:"login_names" doc:"Login names in further directories, for legacy systems whose names are there."`
	Email         string           `yaml:"email" doc:"Their e-mail address; without, claims.email."`
	EmailVerified string           `yaml:"email_verified" doc:"Whether it is verified; without, claims.email_verified."`
	Roles         string           `yaml:"roles" doc:"A list of texts; without, none."`
	Claims        map[string]any   `yaml:"claims" doc:"Standard claims by their names, such as given_name: claims.first; beside those that the upstream has under the same name."`
	Accounts      []MappingAccount `yaml:"accounts" doc:"Accounts that its people have in legacy systems."`
}

// MappingName says what somebody is called in a further directory.
type MappingName struct {
	Directory string `yaml:"directory" required:"true" doc:"The directory."`
	Name      string `yaml:"name" required:"true" doc:"Their name in it; an empty text is none."`
}

// MappingAccount says who has an account in a legacy system.
type MappingAccount struct {
	System     string         `yaml:"system" required:"true" doc:"The legacy system's name, or its accounts."`
	When       string         `yaml:"when" doc:"True for who has one; without, everybody with an id."`
	ID         string         `yaml:"id" required:"true" doc:"The account's id there, a text or a number."`
	Attributes map[string]any `yaml:"attributes" doc:"Further attributes by their names, each an expression."`
}

var (
	connectorID = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)
	mailDomain  = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$`)
)

// localConnector is what clients call our own login page.
const localConnector = "local"

func (c *Config) connectorRules(w world) []rule {
	var rs []rule
	ids, domains, issuers := map[string]bool{}, map[string]bool{}, map[string]int{}
	for _, x := range c.Connectors {
		issuers[x.Issuer]++
	}
	for i, x := range c.Connectors {
		at := fmt.Sprintf("connectors[%d].", i)
		rs = append(rs, x.rules(at)...)
		rs = append(rs, w.fileRule(at+"ldap.ca", x.LDAP.CA))
		rs = append(rs, x.legacyRules(at, w)...)
		rs = append(rs,
			rule{at + "id", ids[x.ID], "is another connector's id already", ""},
			rule{at + "issuer", x.Type == typeOIDC && x.Issuer == c.Issuer, "is this provider's own", "people would go round in circles"},
			rule{at + "issuer", x.Type == typeLDAP && x.Issuer != "" && (issuers[x.Issuer] > 1 || x.Issuer == c.Issuer), "is another one's already", "its people would be theirs"})
		ids[x.ID] = true
		for j, d := range x.Domains {
			rs = append(rs, rule{fmt.Sprintf("%sdomains[%d]", at, j), domains[d], "belongs to a connector already", ""})
			domains[d] = true
		}
	}
	rs = append(rs, issuerOwnerRules(c.Connectors)...)
	for i, x := range c.Clients {
		at := fmt.Sprintf("clients[%d].connectors", i)
		rs = append(rs, listRules(at, x.Connectors, func(id string) bool { return id == localConnector || ids[id] },
			"is not the id of a connector", "write local for the password page of this provider")...)
	}
	return append(rs, c.takeRules()...)
}

// What connectors speak.
const (
	typeOIDC  = "oidc"
	typeOAuth = "oauth"
)

func (x *Connector) rules(at string) []rule {
	rs := []rule{
		{at + "id", !connectorID.MatchString(x.ID) || x.ID == localConnector, "must be 1 to 32 lower-case letters, digits or dashes, and not local", ""},
		{at + "directory", x.Directory == "", "must not be empty", ""},
		{at + "password_grant", x.PasswordGrant && x.Type != typeOIDC, "is for oidc", "others judge passwords without, or cannot"},
	}
	switch x.Type {
	case typeOIDC:
		rs = append(rs, x.oidcRules(at)...)
	case typeOAuth:
		rs = append(rs, x.oauthRules(at)...)
	case typeDatabase:
		rs = append(rs, x.databaseRules(at)...)
	case typeSAML:
		rs = append(rs, x.samlRules(at)...)
	case typeLDAP:
		rs = append(rs, x.ldapRules(at)...)
	}
	rs = append(rs, rule{at + "database", x.Type != typeDatabase && x.Database.used(), "is of no use for type " + x.Type, "write type: database"})
	rs = append(rs, paramRules(at+"params.", x.Params)...)
	rs = append(rs, rule{at + "saml", x.Type != typeSAML && x.SAML.used(), "is of no use for type " + x.Type, "write type: saml"})
	rs = append(rs, rule{at + "ldap", x.Type != typeLDAP && x.LDAP.used(), "is of no use for type " + x.Type, "write type: ldap"})
	rs = append(rs, listRules(at+"domains", x.Domains, mailDomain.MatchString, "must be a lower-case domain without @ and wildcard", "write corp.example.com")...)
	rs = append(rs, x.Life.rules(at+"life.")...)
	return append(rs, x.Mapping.rules(at+"mapping.")...)
}

func (x *Connector) oidcRules(at string) []rule {
	u, err := url.Parse(x.Issuer)
	bad := err != nil || strings.Contains(x.Issuer, "{") || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != ""
	plain := !bad && u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname()))
	rs := []rule{
		{at + "client_id", x.ClientID == "", "is required", ""},
		{at + "issuer", bad || plain, "must be an https URL without user, query and fragment", "write it as it stands in its metadata; for Entra ID, https://login.microsoftonline.com/TENANT/v2.0, or .../common/v2.0 with tenants"},
		{at + "auth_method", x.AuthMethod == "client_secret_post" && x.ClientSecret.IsZero(), "is of no use without client_secret", ""},
		{at + "key", !x.Key.IsZero() && !x.ClientSecret.IsZero(), "does not go with client_secret", "keep one of them"},
		{at + "algorithms", len(x.Algorithms) == 0, "must not be empty", ""},
	}
	return append(rs, listRules(at+"scopes", x.Scopes, scopeToken.MatchString, "must be one scope", "write a list: [profile, email]")...)
}

func (m *Mapping) rules(at string) []rule {
	var rs []rule
	for _, name := range slices.Sorted(maps.Keys(m.Claims)) {
		_, text := m.Claims[name].(string)
		rs = append(rs, rule{at + "claims." + name, !text, "must be an expression", ""})
	}
	seen := map[string]bool{}
	for i, n := range m.LoginNames {
		rs = append(rs, rule{fmt.Sprintf("%slogin_names[%d].directory", at, i), seen[n.Directory], "is given twice", ""})
		seen[n.Directory] = true
	}
	for i, a := range m.Accounts {
		for _, name := range slices.Sorted(maps.Keys(a.Attributes)) {
			_, text := a.Attributes[name].(string)
			rs = append(rs, rule{fmt.Sprintf("%saccounts[%d].attributes.%s", at, i, name), !text, "must be an expression", `write a constant in quotes: '"user"'`})
		}
	}
	return rs
}
