// Package redirect judges the URIs that browsers are sent back to: which a
// client may register, and which of what is asked for is one of them. It reads
// them as texts wherever parsers could differ.
package redirect

import (
	"errors"
	"net"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// ErrUnfit says that no client may be returned to a URI.
var ErrUnfit = errors.New("must be an https URL, an http URL on loopback, or one of the app's own scheme with a dot in it; " +
	"without fragment, user, wildcard or dotted segments")

// Check returns [ErrUnfit] for what a client may not register (RFC 6749, section
// 3.1.2; RFC 8252, section 7), and for every form that servers and browsers
// read differently.
func Check(uri string) error {
	u, err := url.Parse(uri)
	if err != nil || u.User != nil || u.Opaque != "" || strings.ContainsAny(uri, "#*\\ \t\r\n") {
		return ErrUnfit
	}
	if u.Path != "" && strings.TrimSuffix(u.Path, "/") != strings.TrimSuffix(path.Clean(u.Path), "/") {
		return ErrUnfit
	}
	fit := strings.Contains(u.Scheme, ".")
	switch u.Scheme {
	case "https":
		fit = u.Hostname() != ""
	case "http":
		ip := net.ParseIP(u.Hostname())
		fit = u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	}
	if !fit {
		return ErrUnfit
	}
	return nil
}

// Match reports whether asked is one of those registered. URIs are compared
// as texts (RFC 9700, section 2.1), but for the port of a native app, which is a
// public client, on a loopback address (RFC 8252, section 7.3).
func Match(registered []string, asked string, native bool) bool {
	if slices.Contains(registered, asked) {
		return true
	}
	if !native {
		return false
	}
	host, rest, ok := withoutPort(asked)
	return ok && slices.ContainsFunc(registered, func(r string) bool {
		h, p, ok := withoutPort(r)
		return ok && h == host && p == rest
	})
}

// withoutPort parts a URI on a loopback address.
func withoutPort(uri string) (host, rest string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, found := strings.CutPrefix(uri, host)
		if !found {
			continue
		}
		if port, found := strings.CutPrefix(rest, ":"); found {
			rest = strings.TrimLeft(port, "0123456789")
			if n, err := strconv.ParseUint(port[:len(port)-len(rest)], 10, 16); err != nil || n == 0 || port[0] == '0' {
				return "", "", false
			}
		}
		return host, rest, (rest == "" || rest[0] == '/' || rest[0] == '?') && !strings.Contains(rest, "#")
	}
	return "", "", false
}

// WithQuery adds values to the query that a URI has already.
func WithQuery(uri string, values url.Values) string {
	switch {
	case len(values) == 0:
		return uri
	case strings.Contains(uri, "?"):
		return uri + "&" + values.Encode()
	}
	return uri + "?" + values.Encode()
}
