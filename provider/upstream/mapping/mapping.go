// Package mapping turns what an upstream says of somebody into a user of ours,
// by expressions that the operator writes (expr-lang.org). They see
//
//	claims     the claims of the upstream, for LDAP the attributes
//	issuer     subject, connector, acr: texts
//	amr        a list of texts
//
// and can neither loop without end nor reach anything else.
package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"

	"keyway/provider/claims"
	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// Limits of expressions and of what they make.
const (
	maxExpression = 4 << 10 // bytes
	maxNodes      = 500
	maxMemory     = 100_000 // elements that one evaluation may make
	maxText       = 512     // bytes of a name, an id, a role
	maxRoles      = 200
)

// Options are the expressions. "" means the default.
type Options struct {
	Connector string
	Directory string // of login names; default [identity.DefaultDirectory]

	Allow         string            // true for who may come in; default everybody
	LoginName     string            // a text; default: e-mail address, else preferred_username, else the subject
	Names         map[string]string // further login names, texts, by their directories; an empty one is none
	Email         string            // a text; default claims.email
	EmailVerified string            // true or false; default claims.email_verified
	Roles         string            // a list of texts; default none
	Claims        map[string]string
	Accounts      map[string]Account // by legacy system
}

// Account says how somebody gets an account in a legacy system.
type Account struct {
	When       string // true for who has one; default everybody with an id
	ID         string // a text or a number; an empty one is none
	Attributes map[string]string
}

// Mapping is compiled.
type Mapping struct {
	options  Options
	programs map[string]*vm.Program
}

// New compiles the expressions, and reports all that do not.
func New(o Options) (*Mapping, error) {
	if o.Directory == "" {
		o.Directory = identity.DefaultDirectory
	}
	orDefault(&o.Allow, "true")
	orDefault(&o.LoginName, "claims.email ?? claims.preferred_username ?? subject")
	orDefault(&o.Email, "claims.email")
	orDefault(&o.EmailVerified, `claims.email_verified in [true, "true"]`)
	orDefault(&o.Roles, "[]")
	m := &Mapping{options: o, programs: map[string]*vm.Program{}}
	var all []error
	for field, text := range o.expressions() {
		if err := m.compile(field, text); err != nil {
			all = append(all, err)
		}
	}
	for name := range o.Claims {
		if claims.ScopeOf(name) == "" || name == "email" || name == "email_verified" || name == "updated_at" {
			all = append(all, fmt.Errorf("claims.%s: not a claim that a mapping may set", name))
		}
	}
	slices.SortFunc(all, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return m, errors.Join(all...)
}

func orDefault(s *string, def string) {
	if *s == "" {
		*s = def
	}
}

// expressions are all of them, by the field that they stand in.
func (o *Options) expressions() map[string]string {
	all := map[string]string{
		"allow": o.Allow, "login_name": o.LoginName, "email": o.Email, "email_verified": o.EmailVerified, "roles": o.Roles,
	}
	for directory, text := range o.Names {
		all[nameField(directory)] = text
	}
	for name, text := range o.Claims {
		all["claims."+name] = text
	}
	for system, a := range o.Accounts {
		all["accounts."+system+".id"] = a.ID
		if a.When != "" {
			all["accounts."+system+".when"] = a.When
		}
		for name, text := range a.Attributes {
			all["accounts."+system+".attributes."+name] = text
		}
	}
	return all
}

func nameField(directory string) string { return "login_names." + directory }

func environment(connector string, p *upstream.Person) map[string]any {
	return map[string]any{
		"claims": plain(p.Claims), "issuer": p.Issuer, "subject": p.Subject, "connector": connector, "acr": p.ACR, "amr": p.AMR,
	}
}

func (m *Mapping) compile(field, text string) error {
	if text == "" || len(text) > maxExpression {
		return fmt.Errorf("%s: an expression of 1 to %d bytes is needed", field, maxExpression)
	}
	program, err := expr.Compile(text, expr.Env(environment("", &upstream.Person{Claims: map[string]any{}})), expr.MaxNodes(maxNodes))
	if err != nil {
		return fmt.Errorf("%s: %w", field, err)
	}
	m.programs[field] = program
	return nil
}

// run evaluates the expressions of one person, and keeps the first error.
type run struct {
	mapping *Mapping
	env     map[string]any
	loud    bool // errors say what failed
	err     error
}

func (r *run) value(field string) any {
	if r.err != nil {
		return nil
	}
	machine := vm.VM{MemoryBudget: maxMemory}
	v, err := machine.Run(r.mapping.programs[field], r.env)
	if err != nil && r.loud {
		r.err = fmt.Errorf("%s: %w", field, err)
	} else if err != nil {
		r.err = fmt.Errorf("%s: the expression failed", field) // its text may quote claims
	}
	return v
}

func (r *run) truth(field string) bool {
	b, ok := r.value(field).(bool)
	if r.err == nil && !ok {
		r.err = fmt.Errorf("%s: neither true nor false", field)
	}
	return b
}

// text takes a missing value for "".
func (r *run) text(field string) string {
	s, ok := textOf(r.value(field))
	if r.err == nil && (!ok || len(s) > maxText || !storable(s)) {
		r.err = fmt.Errorf("%s: not a text of at most %d bytes", field, maxText)
	}
	return s
}

// storable reports a text that every database takes.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// name is a text that can be a login name, or "". What no user can be called is the
// upstream's fault, and no outage of ours.
func (r *run) name(field string) string {
	s := r.text(field)
	if folded := identity.FoldName(s); r.err == nil && s != "" && (folded == "" || len(folded) > maxText) {
		r.err = fmt.Errorf("%s: not a login name of at most %d bytes", field, maxText)
	}
	return s
}

func textOf(v any) (string, bool) {
	switch v := v.(type) {
	case nil:
		return "", true
	case string:
		return v, true
	case int, int64, float64:
		return fmt.Sprint(v), true
	}
	return "", false
}

func (r *run) texts(field string) []string {
	v := r.value(field)
	if r.err != nil || v == nil {
		return nil
	}
	list, ok := v.([]any)
	if !ok || len(list) > maxRoles {
		r.err = fmt.Errorf("%s: not a list of at most %d texts", field, maxRoles)
		return nil
	}
	out := make([]string, 0, len(list))
	for _, one := range list {
		s, ok := one.(string)
		if !ok || s == "" || len(s) > maxText {
			r.err = fmt.Errorf("%s: not a list of texts", field)
			return nil
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Map returns who p is here. Errors are [*upstream.Error]: refused where allow
// is false, untrusted where what the upstream says cannot be mapped.
func (m *Mapping) Map(p *upstream.Person) (*identity.Federated, error) {
	r := &run{mapping: m, env: environment(m.options.Connector, p)}
	if p.Subject == "" || len(p.Subject) > maxText || !storable(p.Subject) {
		r.err = fmt.Errorf("subject: not a text of 1 to %d bytes", maxText)
	}
	if !r.truth("allow") && r.err == nil {
		return nil, upstream.Fail(upstream.Refused, "the mapping does not let this person in")
	}
	f := &identity.Federated{
		Connector: m.options.Connector, Issuer: p.Issuer, Subject: p.Subject, SID: p.SID,
		LoginName: identity.LoginName{Directory: m.options.Directory, Name: r.name("login_name"), Slot: identity.SlotPassword},
		Email:     r.text("email"), EmailVerified: r.truth("email_verified"), Roles: r.texts("roles"),
		Claims: m.claims(r, p),
	}
	f.Names, f.Accounts = m.names(r), m.accounts(r)
	if f.LoginName.Name == "" && r.err == nil {
		r.err = errors.New("login_name: it is empty")
	}
	if p.RefreshToken != "" {
		f.RefreshToken = []byte(p.RefreshToken)
	}
	if r.err != nil {
		return nil, &upstream.Error{Kind: upstream.Untrusted, Err: fmt.Errorf("mapping: %w", r.err)}
	}
	return f, nil
}

// claims are the standard ones of the upstream, and those that are mapped.
func (m *Mapping) claims(r *run, p *upstream.Person) map[string]any {
	out := map[string]any{}
	for _, scope := range claims.PersonalScopes() {
		for _, name := range claims.StoredUnder(scope) {
			if v, ok := p.Claims[name]; ok {
				out[name] = v
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(m.options.Claims)) {
		if v := r.value("claims." + name); v != nil {
			out[name] = v
		} else {
			delete(out, name)
		}
	}
	return out
}

func (m *Mapping) names(r *run) []identity.LoginName {
	var out []identity.LoginName
	for _, directory := range slices.Sorted(maps.Keys(m.options.Names)) {
		if name := r.name(nameField(directory)); name != "" {
			out = append(out, identity.LoginName{Directory: directory, Name: name, Slot: identity.SlotPassword})
		}
	}
	return out
}

func (m *Mapping) accounts(r *run) []identity.Account {
	var out []identity.Account
	for _, system := range slices.Sorted(maps.Keys(m.options.Accounts)) {
		a := m.options.Accounts[system]
		if a.When != "" && !r.truth("accounts."+system+".when") {
			continue
		}
		id := r.text("accounts." + system + ".id")
		if id == "" || r.err != nil {
			continue
		}
		one := identity.Account{System: system, ID: id, Attributes: map[string]any{}}
		for _, name := range slices.Sorted(maps.Keys(a.Attributes)) {
			one.Attributes[name] = r.value("accounts." + system + ".attributes." + name)
		}
		out = append(out, one)
	}
	return out
}

// plain makes numbers comparable with those in expressions.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, one := range v {
			out[name] = plain(one)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, one := range v {
			out[i] = plain(one)
		}
		return out
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return int(n)
		}
		f, _ := v.Float64()
		return f
	}
	return v
}
