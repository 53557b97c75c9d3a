package ldap

import (
	"strings"
	"unicode"
	"unicode/utf8"

	goldap "github.com/go-ldap/ldap/v3"
	"golang.org/x/text/unicode/norm"

	"keyway/provider/upstream"
)

const (
	typed   = "{username}"
	anybody = "*" // what a filter has in place of a name that nobody typed

	maxName     = 256  // bytes
	maxPassword = 1024 // bytes
)

// judgeName returns the name as it is looked up. Directories compare names by
// rules of their own (RFC 4518): they drop invisible characters and doubled
// spaces, and take one form of a letter for another. Here every one has one
// spelling, its case apart, so that guesses at somebody cannot be spread over
// many names.
func (o *Options) judgeName(name string) (string, error) {
	if domain, rest, ok := strings.Cut(name, `\`); ok && o.Domain != "" && strings.EqualFold(domain, o.Domain) {
		name = rest
	}
	switch {
	case name == "" || len(name) > maxName || !utf8.ValidString(name):
		return "", upstream.Fail(upstream.Unknown, "the name is empty, too long or no text")
	case strings.ContainsFunc(name, unprintable):
		return "", upstream.Fail(upstream.Unknown, "the name has a character in it that cannot be seen")
	case !norm.NFKC.IsNormalString(name) || strings.Join(strings.Fields(name), " ") != name:
		return "", upstream.Fail(upstream.Unknown, "the name is another spelling of a name")
	}
	return name, nil
}

func unprintable(r rune) bool {
	return r != ' ' && !unicode.IsGraphic(r) || unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) || unicode.Is(unicode.Variation_Selector, r)
}

func (o *Options) filterOf(name string) string {
	return strings.ReplaceAll(o.UserFilter, typed, goldap.EscapeFilter(name))
}

// bindName is what somebody binds as where no entry was looked for.
func (o *Options) bindName(name string) (string, error) {
	if o.bindsDN() {
		return strings.ReplaceAll(o.UserDN, typed, goldap.EscapeDN(name)), nil
	}
	// Active Directory takes many things for names; what was typed must stay the
	// part of one that it is meant to be.
	if strings.ContainsAny(name, `@\/"[]:;|=,+*?<>`) {
		return "", upstream.Fail(upstream.Unknown, "the name has a character in it that separates parts of names")
	}
	return strings.ReplaceAll(o.UserDN, typed, name), nil
}

// followFilter finds somebody by their subject among those that the user filter
// finds: who it does not find any more has lost what they had.
func (o *Options) followFilter(subject string) (string, error) {
	value := goldap.EscapeFilter(subject)
	if o.subjectIsGUID() {
		raw, ok := bytesOfGUID(subject)
		if !ok {
			return "", upstream.Fail(upstream.Unknown, "the subject is none of this directory's")
		}
		value = goldap.EscapeFilter(string(raw))
	}
	found := "(" + o.Subject + "=" + value + ")"
	if o.UserFilter == "" {
		return found, nil
	}
	return "(&" + found + strings.ReplaceAll(o.UserFilter, typed, anybody) + ")", nil
}
