package apppassword

import (
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is why a [Wish] cannot be granted.
type Problem string

// The problems of wishes.
const (
	ProblemName     Problem = "name"     // empty, too long, or not text
	ProblemSystem   Problem = "system"   // no such system, or the person cannot sign in there
	ProblemDays     Problem = "days"     // not a number of days from 0 to 3650
	ProblemNetworks Problem = "networks" // not addresses and networks, or too many
	ProblemTooMany  Problem = "too_many" // the person has as many as anybody may have
)

// Error implements error.
func (p Problem) Error() string { return "app password: " + string(p) }

const (
	maxName     = 60 // characters
	maxDays     = 3650
	maxNetworks = 20
	maxText     = 2000 // bytes of the networks
)

// Wish is an app password as somebody wants it.
type Wish struct {
	Subject  string
	System   string
	Name     string // by which they will know it again: 1 to 60 characters
	Days     int    // that it lives; 0 for ever
	Networks string // from which alone it is taken: addresses or CIDR, between blanks or commas; "" for any
}

// judge returns the networks, each in CIDR notation.
func (w *Wish) judge() ([]string, error) {
	name := strings.TrimSpace(w.Name)
	if name == "" || !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return nil, ProblemName
	}
	if w.Days < 0 || w.Days > maxDays {
		return nil, ProblemDays
	}
	return ParseNetworks(w.Networks)
}

// ParseNetworks reads addresses and networks between blanks or commas, and
// returns them in CIDR notation, each once. The error is [ProblemNetworks].
func ParseNetworks(text string) ([]string, error) {
	if len(text) > maxText {
		return nil, ProblemNetworks
	}
	var networks []string
	for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }) {
		n, ok := parseNetwork(part)
		if !ok {
			return nil, ProblemNetworks
		}
		if !slices.Contains(networks, n) {
			networks = append(networks, n)
		}
	}
	if len(networks) > maxNetworks {
		return nil, ProblemNetworks
	}
	return networks, nil
}

// parseNetwork refuses IPv4 within IPv6: addresses are compared without that.
func parseNetwork(text string) (string, bool) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()).String(), addr.Zone() == ""
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4In6() {
		return "", false
	}
	return prefix.Masked().String(), true
}
