package registration

import (
	"net/url"
	"strings"
	"unicode"
)

// misleading reports a character that is not seen, or that turns around how
// others are: what people are shown must be what is there.
func misleading(r rune) bool {
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) || r == unicode.ReplacementChar
}

// visible reports whether s has only printable ASCII without spaces.
func visible(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e })
}

// webURL reports whether s is an absolute https URL that every parser reads
// alike.
func webURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && visible(s) && !strings.ContainsAny(s, `\"<>^{|}`+"`") &&
		u.Scheme == "https" && u.Hostname() != "" && u.User == nil && u.Opaque == ""
}

// scopeToken reports whether s is one (RFC 6749, section 3.3).
func scopeToken(s string) bool { return s != "" && visible(s) && !strings.ContainsAny(s, `"\`) }

// within reports whether host is one of the allowed, each a name, or "*." and
// a name for everything below it.
func within(allowed []string, host string) bool {
	host = strings.ToLower(host)
	for _, a := range allowed {
		a = strings.ToLower(a)
		if below, ok := strings.CutPrefix(a, "*"); ok && strings.HasPrefix(below, ".") {
			if strings.HasSuffix(host, below) && len(host) > len(below) {
				return true
			}
		} else if a == host {
			return true
		}
	}
	return false
}

// origin is scheme, host and port of a URI, "" where it has none.
func origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + strings.ToLower(u.Host)
}
