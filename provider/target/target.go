package target

import (
	"net/url"
	"slices"
	"strings"
)

// Code is the error code of a target that is malformed or not allowed (RFC
// 8707, section 2).
const Code = "invalid_target"

// maxTargets bounds how many targets one request may have, and maxLength how
// long one may be, in bytes.
const (
	maxTargets = 20
	maxLength  = 1 << 10
)

// Narrow returns what of the allowed targets is asked for: all, where nothing
// is. It returns false where a resource is no absolute URI without a fragment,
// or anything that is asked for is not allowed. Targets are compared as texts.
func Narrow(allowed, resources, audiences []string) ([]string, bool) {
	asked := slices.Concat(resources, audiences)
	if len(asked) == 0 {
		return allowed, true
	}
	if len(asked) > maxTargets || slices.ContainsFunc(resources, func(s string) bool { return !absolute(s) }) {
		return nil, false
	}
	var narrowed []string
	for _, s := range asked {
		if !slices.Contains(allowed, s) {
			return nil, false
		}
		if !slices.Contains(narrowed, s) {
			narrowed = append(narrowed, s)
		}
	}
	return narrowed, true
}

// absolute reports whether s is an absolute URI (RFC 3986, section 4.3).
func absolute(s string) bool {
	if len(s) > maxLength || strings.Contains(s, "#") {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "" || u.Path != "")
}
