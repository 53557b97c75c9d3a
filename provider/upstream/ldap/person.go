package ldap

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"

	"keyway/provider/upstream"
)

// Limits of what a directory says of somebody.
const (
	maxValues  = 500     // of an attribute
	maxValue   = 8 << 10 // bytes; longer ones are left out
	maxSubject = 255     // bytes
)

// finder searches as somebody.
type finder func(context.Context, *goldap.SearchRequest) ([]*goldap.Entry, error)

// wanted are the attributes that are asked for.
func (o *Options) wanted() []string {
	all := slices.Concat(o.stateAttributes(), []string{o.Subject}, o.Attributes)
	switch o.Groups.From {
	case groupsMemberOf:
		all = append(all, memberOf)
	case groupsSearch, groupsNested:
		for _, m := range placeholder.FindAllStringSubmatch(o.Groups.Filter, -1) {
			if m[1] != "dn" {
				all = append(all, m[1])
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// unfit is about one entry, whose password was right: no guess, and no outage, or
// whoever has it could open the breaker for everybody.
func unfit(why string) error { return upstream.Fail(upstream.Disabled, why) }

// person is who an entry is.
func (c *Connector) person(ctx context.Context, find finder, e *goldap.Entry) (*upstream.Person, error) {
	subject, err := c.options.subjectOf(e)
	if err != nil {
		return nil, err
	}
	said, err := c.options.claims(e)
	if err != nil {
		return nil, err
	}
	said["dn"] = e.DN
	if c.options.Groups.From != groupsNone {
		groups, err := c.groups(ctx, find, e)
		if err != nil {
			return nil, err
		}
		said["groups"] = groups
	}
	return &upstream.Person{Issuer: c.options.Issuer, Subject: subject, Claims: said}, nil
}

// subjectOf refuses an entry without exactly one subject: nothing else says who
// somebody is.
func (o *Options) subjectOf(e *goldap.Entry) (string, error) {
	values := e.GetEqualFoldRawAttributeValues(o.Subject)
	if len(values) != 1 {
		return "", unfit(fmt.Sprintf("the entry has %d values of %s and must have one", len(values), o.Subject))
	}
	if o.subjectIsGUID() {
		if text, ok := textOfGUID(values[0]); ok {
			return text, nil
		}
		return "", unfit("the objectGUID is none")
	}
	text := string(values[0])
	if text == "" || len(text) > maxSubject || !isText(values[0]) {
		return "", unfit(o.Subject + " is empty, too long or no text")
	}
	return text, nil
}

// standard are the claims of OpenID Connect that attributes stand for where no
// attribute has the claim's name.
func standard() [][2]string {
	return [][2]string{
		{"email", "mail"},
		{"name", "displayName"},
		{"name", "cn"},
		{"given_name", "givenName"},
		{"family_name", "sn"},
		{"preferred_username", "uid"},
		{"preferred_username", "sAMAccountName"},
	}
}

func (o *Options) claims(e *goldap.Entry) (map[string]any, error) {
	all := map[string]any{}
	for _, name := range o.Attributes {
		v, err := valueOf(e, name)
		if err != nil {
			return nil, err
		}
		if v != nil {
			all[name] = v
		}
	}
	for _, pair := range standard() {
		claim, attribute := pair[0], pair[1]
		if text, ok := first(all[attribute]); ok && all[claim] == nil {
			all[claim] = text
		}
	}
	return all, nil
}

// first is the only text of an attribute, or the first of several.
func first(v any) (string, bool) {
	if list, ok := v.([]any); ok && len(list) > 0 {
		v = list[0]
	}
	text, ok := v.(string)
	return text, ok
}

// valueOf is nil for an attribute that the entry has not, a text for one value
// and a list for several.
func valueOf(e *goldap.Entry, name string) (any, error) {
	raw := e.GetEqualFoldRawAttributeValues(name)
	if len(raw) > maxValues {
		return nil, unfit(fmt.Sprintf("the entry has more than %d values of %s", maxValues, name))
	}
	raw = slices.DeleteFunc(slices.Clone(raw), func(b []byte) bool { return len(b) > maxValue })
	binary := slices.ContainsFunc(raw, func(b []byte) bool { return !isText(b) })
	values := make([]any, len(raw))
	for i, b := range raw {
		values[i] = string(b)
		if binary {
			values[i] = base64.StdEncoding.EncodeToString(b)
		}
	}
	switch len(values) {
	case 0:
		return nil, nil
	case 1:
		return values[0], nil
	}
	return values, nil
}

func isText(b []byte) bool { return utf8.Valid(b) && !strings.ContainsRune(string(b), 0) }
