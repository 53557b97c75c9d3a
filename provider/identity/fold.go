package identity

import (
	"net/mail"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// FoldName is the form in which login names are compared: Unicode NFC and
// case folded, without trailing spaces, as the databases of the legacy
// systems compare them. A leading space stays significant.
func FoldName(name string) string {
	return norm.NFC.String(cases.Fold().String(strings.TrimRight(name, " ")))
}

// LooksLikeEmail reports whether name is a bare address (RFC 5322) with a dot in
// its domain.
func LooksLikeEmail(name string) bool {
	a, err := mail.ParseAddress(name)
	if err != nil || a.Name != "" || a.Address != name {
		return false
	}
	_, domain, _ := strings.Cut(name, "@")
	return strings.Contains(domain, ".")
}
