package identity

import (
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// maxName is the longest login name or directory, in bytes, that is looked up.
const maxName = 1024

// FoldName is the form in which login names are compared: Unicode NFC and
// case folded, without trailing spaces, as the databases of the legacy
// systems compare them. A leading space stays significant.
func FoldName(name string) string {
	name = strings.TrimRight(name, " ")
	if isASCII(name) {
		return strings.ToLower(name)
	}
	return strings.TrimRight(norm.NFC.String(cases.Fold().String(norm.NFD.String(name))), " ")
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// lookupName reports whether name can be anybody's at all. What cannot is not
// worth a query, and some databases refuse it with an error.
func lookupName(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsRune(name, 0)
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
