package ldap

import (
	"context"
	"fmt"
	"slices"
	"strings"

	goldap "github.com/go-ldap/ldap/v3"
)

const memberOf = "memberOf"

// groups are the names of somebody's groups, in order. Whoever is in too many is
// refused: a group that is left out may be one that keeps people away.
func (c *Connector) groups(ctx context.Context, find finder, e *goldap.Entry) ([]any, error) {
	names, err := c.groupNames(ctx, find, e)
	if err != nil {
		return nil, err
	}
	if len(names) > c.options.Groups.Max {
		return nil, unfit(fmt.Sprintf("the person is in more than %d groups", c.options.Groups.Max))
	}
	slices.Sort(names)
	all := []any{}
	for _, name := range slices.Compact(names) {
		all = append(all, name)
	}
	return all, nil
}

func (c *Connector) groupNames(ctx context.Context, find finder, e *goldap.Entry) ([]string, error) {
	if c.options.Groups.From == groupsMemberOf {
		return c.options.Groups.listed(e)
	}
	g := &c.options.Groups
	filter, ok := g.filterOf(e)
	if !ok {
		return nil, nil
	}
	found, err := find(ctx, goldap.NewSearchRequest(g.Base, goldap.ScopeWholeSubtree, goldap.NeverDerefAliases, g.Max+1, 0, false, filter, []string{g.attribute()}, nil))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, group := range found {
		if g.Name == "dn" {
			names = append(names, group.DN)
		} else if name := group.GetEqualFoldAttributeValue(g.Name); name != "" && len(name) <= maxValue {
			names = append(names, name)
		}
	}
	return names, nil
}

// attribute is what is asked of groups; 1.1 is nothing (RFC 4511, section 4.5.1.8).
func (g *Groups) attribute() string {
	if g.Name == "dn" {
		return "1.1"
	}
	return g.Name
}

// filterOf fills in what the person has; what they have not, no group has either.
// A filter of which nothing could be filled in asks for nobody.
func (g *Groups) filterOf(e *goldap.Entry) (filter string, some bool) {
	filter = placeholder.ReplaceAllStringFunc(g.Filter, func(m string) string {
		value := e.DN
		if name := m[1 : len(m)-1]; name != "dn" {
			value = e.GetEqualFoldAttributeValue(name)
		}
		some = some || value != ""
		return goldap.EscapeFilter(value)
	})
	return filter, some
}

// listed are the groups that the entry itself names.
func (g *Groups) listed(e *goldap.Entry) ([]string, error) {
	base, err := goldap.ParseDN(g.Base)
	if err != nil {
		return nil, err // New has parsed it
	}
	var names []string
	for _, a := range e.Attributes {
		if len(a.Name) > len(memberOf) && strings.EqualFold(a.Name[:len(memberOf)+1], memberOf+";") { // ;range=0-1499
			return nil, unfit("the directory names a part of the person's groups only")
		}
	}
	for _, text := range e.GetEqualFoldAttributeValues(memberOf) {
		dn, err := goldap.ParseDN(text)
		if err != nil || !base.AncestorOfFold(dn) || len(dn.RDNs) == 0 {
			continue
		}
		if name := g.nameIn(dn, text); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}

func (g *Groups) nameIn(dn *goldap.DN, text string) string {
	if g.Name == "dn" {
		return text
	}
	for _, a := range dn.RDNs[0].Attributes {
		if strings.EqualFold(a.Type, g.Name) {
			return a.Value
		}
	}
	return ""
}
