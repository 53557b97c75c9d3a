package mapping

import (
	"maps"
	"slices"
	"strings"

	"keyway/provider/upstream"
)

// Trial is what one expression makes of somebody.
type Trial struct {
	Field string `json:"field"`
	Value any    `json:"value,omitempty"`
	Error string `json:"error,omitempty"` // may quote claims: for the operator's eyes, and for no log
}

// Try evaluates every expression by itself, so that each of those that fail is
// seen, also where somebody would be refused before.
func (m *Mapping) Try(p *upstream.Person) []Trial {
	env := environment(m.options.Connector, p)
	var all []Trial
	try := func(field string, judge func(r *run, field string) any) {
		r := &run{mapping: m, env: env, loud: true}
		t := Trial{Field: field, Value: judge(r, field)}
		if r.err != nil {
			why, _, _ := strings.Cut(r.err.Error(), "\n") // a picture of the expression follows
			t.Value, t.Error = nil, strings.TrimPrefix(why, field+": ")
		}
		all = append(all, t)
	}
	truth := func(r *run, field string) any { return r.truth(field) }
	text := func(r *run, field string) any { return r.text(field) }
	name := func(r *run, field string) any { return r.name(field) }
	value := func(r *run, field string) any { return r.value(field) }
	try("allow", truth)
	try("login_name", name)
	try("email", text)
	try("email_verified", truth)
	try("roles", func(r *run, field string) any { return r.texts(field) })
	for _, directory := range slices.Sorted(maps.Keys(m.options.Names)) {
		try(nameField(directory), name)
	}
	for _, name := range slices.Sorted(maps.Keys(m.options.Claims)) {
		try("claims."+name, value)
	}
	for _, system := range slices.Sorted(maps.Keys(m.options.Accounts)) {
		a, at := m.options.Accounts[system], "accounts."+system+"."
		if a.When != "" {
			try(at+"when", truth)
		}
		try(at+"id", text)
		for _, name := range slices.Sorted(maps.Keys(a.Attributes)) {
			try(at+"attributes."+name, value)
		}
	}
	return all
}
