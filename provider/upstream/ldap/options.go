package ldap

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	goldap "github.com/go-ldap/ldap/v3"
)

// Options describe one directory. Issuer, Servers, BaseDN and Now have no default.
type Options struct {
	Issuer string // of its people; none of another directory's
	Preset string // ad, openldap or "": what fills the fields that are empty

	Servers  []string // ldaps://HOST:PORT or ldap://HOST:PORT; the next is asked where one cannot be reached
	Security Security

	BindDN       string // who searches; "" for an anonymous search
	BindPassword string

	BaseDN string
	Scope  string // sub or one; default sub
	// UserFilter finds somebody by what they typed, {username}.
	UserFilter string
	// UserDN is what is bound as without a search before, made of {username}: a DN,
	// or for Active Directory a name such as {username}@corp.example.
	UserDN     string
	Domain     string   // Active Directory's short name of the domain: DOMAIN\alice is alice then
	Subject    string   // the attribute by which somebody stays who they are
	Attributes []string // that become claims
	Groups     Groups

	Timeout     time.Duration // of one question with all its steps; default 5 s
	Connections int           // at most, in each of both pools; default 32
	Idle        time.Duration // how long an unused connection is kept; default 5 min
	Now         func() time.Time
}

// Security is how a connection has to be before a password goes over it.
type Security struct {
	StartTLS   bool   // on ldap: servers, before anything else is said
	CA         []byte // certificates in PEM; nil for those of the system
	ServerName string // that certificates have to have; default each server's host
	Insecure   bool   // passwords may go in the clear to a server that is not on this machine
}

// Groups says where somebody's groups are.
type Groups struct {
	From   string // memberof, search, nested or none; default none
	Filter string // of search: {dn} is the person's, any other {attribute} one of theirs
	Base   string // groups elsewhere do not count; default BaseDN
	Name   string // the attribute that names a group, or dn; default cn
	Max    int    // whoever is in more is refused; default 200
}

// inChain is the rule by which Active Directory follows groups in groups
// (LDAP_MATCHING_RULE_IN_CHAIN).
const inChain = "(member:1.2.840.113556.1.4.1941:={dn})"

// Names of presets, and of where groups are.
const (
	presetAD       = "ad"
	presetOpenLDAP = "openldap"

	groupsNone     = "none"
	groupsMemberOf = "memberof"
	groupsSearch   = "search"
	groupsNested   = "nested"
)

func (o *Options) fill() error {
	switch o.Preset {
	case presetAD:
		o.UserFilter = cmp.Or(o.UserFilter, "(&(objectCategory=person)(objectClass=user)(|(sAMAccountName={username})(userPrincipalName={username})))")
		o.Subject, o.Groups.From = cmp.Or(o.Subject, "objectGUID"), cmp.Or(o.Groups.From, groupsNested)
		o.defaultAttributes("sAMAccountName", "userPrincipalName", "displayName", "givenName", "sn", "mail")
	case presetOpenLDAP:
		if o.UserDN == "" {
			o.UserFilter = cmp.Or(o.UserFilter, "(&(objectClass=inetOrgPerson)(uid={username}))")
		}
		o.Subject, o.Groups.From = cmp.Or(o.Subject, "entryUUID"), cmp.Or(o.Groups.From, groupsSearch)
		o.defaultAttributes("uid", "cn", "displayName", "givenName", "sn", "mail")
	case "":
	default:
		return fmt.Errorf("preset %q is not known", o.Preset)
	}
	o.Subject, o.Scope = cmp.Or(o.Subject, "entryUUID"), cmp.Or(o.Scope, "sub")
	o.Timeout, o.Idle = cmp.Or(o.Timeout, 5*time.Second), cmp.Or(o.Idle, 5*time.Minute)
	o.Connections = cmp.Or(o.Connections, 32)
	o.Groups.fill(o.BaseDN)
	return nil
}

func (o *Options) defaultAttributes(names ...string) {
	if o.Attributes == nil {
		o.Attributes = names
	}
}

func (g *Groups) fill(base string) {
	g.From, g.Base, g.Name, g.Max = cmp.Or(g.From, groupsNone), cmp.Or(g.Base, base), cmp.Or(g.Name, "cn"), cmp.Or(g.Max, 200)
	switch g.From {
	case groupsSearch:
		g.Filter = cmp.Or(g.Filter, "(|(member={dn})(uniqueMember={dn})(memberUid={uid}))")
	case groupsNested:
		g.Filter = inChain
	}
}

var (
	attributeName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	placeholder   = regexp.MustCompile(`\{([A-Za-z][A-Za-z0-9-]*)\}`)
	// ruleOfName is a matching rule applied to what was typed: who a person is when
	// no name was typed could not be asked with it.
	ruleOfName = regexp.MustCompile(`:=[^()]*\{username\}`)
)

// check judges filled options.
func (o *Options) check() error {
	if o.Issuer == "" || len(o.Servers) == 0 || o.BaseDN == "" || o.Now == nil {
		return errors.New("issuer, servers, base DN and clock must be given")
	}
	if o.BindDN != "" && o.BindPassword == "" {
		return errors.New("a bind DN without a password would be an anonymous bind")
	}
	for _, dn := range []string{o.BaseDN, o.Groups.Base} {
		if _, err := goldap.ParseDN(dn); err != nil {
			return fmt.Errorf("%q is not a DN: %w", dn, err)
		}
	}
	for _, name := range slices.Concat([]string{o.Subject, o.Groups.Name}, o.Attributes) {
		if !attributeName.MatchString(name) {
			return fmt.Errorf("%q is not the name of an attribute", name)
		}
	}
	if o.Timeout < 0 || o.Idle < 0 || o.Connections < 0 || o.Groups.Max < 0 || o.Scope != "sub" && o.Scope != "one" {
		return errors.New("times and numbers must not be negative, and the scope must be sub or one")
	}
	return errors.Join(o.checkTemplates(), o.Groups.check())
}

func (o *Options) checkTemplates() error {
	switch {
	case o.UserFilter == "" && (o.UserDN == "" || !o.bindsDN()):
		return errors.New("a user filter is needed to find the entry")
	case o.UserFilter != "" && (!strings.Contains(o.UserFilter, typed) || ruleOfName.MatchString(o.UserFilter)):
		return fmt.Errorf("the user filter must have %s in it, and not behind a matching rule", typed)
	case o.UserDN != "" && !strings.Contains(o.UserDN, typed):
		return fmt.Errorf("the user DN must have %s in it", typed)
	}
	for _, name := range []string{"x", anybody} { // as it is asked for a name, and for whoever is followed
		if _, err := goldap.CompileFilter(cmp.Or(strings.ReplaceAll(o.UserFilter, typed, name), "(a=*)")); err != nil {
			return fmt.Errorf("user filter: %w", err)
		}
	}
	if !o.bindsDN() {
		return nil
	}
	if _, err := goldap.ParseDN(strings.ReplaceAll(o.UserDN, typed, "x")); err != nil {
		return fmt.Errorf("user DN: %w", err)
	}
	return nil
}

// bindsDN reports whether UserDN is a DN, and not a name.
func (o *Options) bindsDN() bool { return strings.Contains(o.UserDN, "=") }

func (g *Groups) check() error {
	switch g.From {
	case groupsNone, groupsMemberOf:
		return nil
	case groupsSearch, groupsNested:
	default:
		return fmt.Errorf("groups from %q is not known", g.From)
	}
	if _, err := goldap.CompileFilter(placeholder.ReplaceAllString(g.Filter, "x")); err != nil {
		return fmt.Errorf("group filter: %w", err)
	}
	if !placeholder.MatchString(g.Filter) {
		return errors.New("the group filter is of everybody: it has no {dn}")
	}
	return nil
}
