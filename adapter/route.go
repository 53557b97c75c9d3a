package adapter

import (
	"net"
	"net/http"
	"slices"
	"strings"
)

// mounted is a route of an instance at one path.
type mounted struct {
	*instance
	route    *preparedRoute
	path     string // below the host, as declared
	base     string // the part of path that the instance adds
	redirect bool   // path has a trailing slash too many: send the client to the path without
}

// table is all routes of one host name.
type table struct {
	exact  map[string][]*mounted
	folded map[string][]*mounted // by lower-case path, of routes that ignore case
	prefix map[string][]*mounted // by "/path/", of routes that end in "*"
	sizes  []int                 // the lengths of the prefixes, longest first
}

func newTable() *table {
	return &table{exact: map[string][]*mounted{}, folded: map[string][]*mounted{}, prefix: map[string][]*mounted{}}
}

// add mounts m; it returns an earlier route that would answer the same
// requests, if there is one.
func (t *table) add(m *mounted) *mounted {
	level, key := t.exact, m.path
	if m.route.IgnoreCase {
		level, key = t.folded, strings.ToLower(m.path)
	}
	if base, ok := strings.CutSuffix(key, "*"); ok {
		level, key = t.prefix, base
		if !slices.Contains(t.sizes, len(base)) {
			t.sizes = append(t.sizes, len(base))
			slices.SortFunc(t.sizes, func(a, b int) int { return b - a })
		}
	}
	for i, other := range level[key] {
		switch {
		case !sameRequests(m, other):
		case m.yieldsTo(other):
			return nil
		case other.yieldsTo(m):
			level[key] = slices.Delete(level[key], i, i+1)
			return t.add(m)
		default:
			return other
		}
	}
	level[key] = append(level[key], m)
	slices.SortStableFunc(level[key], func(a, b *mounted) int { return len(b.route.when) - len(a.route.when) })
	return nil
}

// yieldsTo reports whether m gives way to another instance's route for the same
// requests.
func (m *mounted) yieldsTo(other *mounted) bool {
	return m.route.Yield && !other.route.Yield && m.instance != other.instance
}

// slashTooMany reports whether a path below the route's "*" is to be asked for
// without its last slash.
func (m *mounted) slashTooMany(path string) bool {
	above, ok := strings.CutSuffix(m.path, "*")
	return ok && m.route.TrailingSlash == "redirect" && len(path) > len(above) && strings.HasSuffix(path, "/")
}

// sameRequests reports whether two routes at one path cannot be told apart.
func sameRequests(a, b *mounted) bool {
	if !slices.Equal(a.route.when, b.route.when) {
		return false
	}
	if len(a.route.Methods) == 0 || len(b.route.Methods) == 0 {
		return true
	}
	return slices.ContainsFunc(a.route.Methods, func(m string) bool { return slices.Contains(b.route.Methods, m) })
}

// levels returns the routes at a path, the nearest first: those of the path
// itself, those that ignore its case, and those above it from the longest on.
func (t *table) levels(path string) [][]*mounted {
	var out [][]*mounted
	if list := t.exact[path]; list != nil {
		out = append(out, list)
	}
	if len(t.folded) > 0 {
		if list := t.folded[strings.ToLower(path)]; list != nil {
			out = append(out, list)
		}
	}
	for _, size := range t.sizes {
		if len(path) < size {
			continue
		}
		list := t.prefix[path[:size]]
		if list == nil {
			list = foldedPrefix(t.prefix[strings.ToLower(path[:size])])
		}
		if list != nil {
			out = append(out, list)
		}
	}
	return out
}

func foldedPrefix(list []*mounted) []*mounted {
	if len(list) > 0 && list[0].route.IgnoreCase {
		return list
	}
	return nil
}

// takes reports whether the route takes the method. HEAD is a GET without its
// body (RFC 9110, section 9.3.2).
func (r *preparedRoute) takes(method string) bool {
	return len(r.Methods) == 0 || slices.Contains(r.Methods, method) ||
		method == http.MethodHead && slices.Contains(r.Methods, http.MethodGet)
}

// hostOf is the request's host name, lower case and without its port.
func hostOf(r *http.Request) string {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// pathOf is the path with its escapes undone, unless one of them hides a slash:
// such a path is another one.
func pathOf(r *http.Request) string {
	if strings.Contains(strings.ToUpper(r.URL.RawPath), "%2F") {
		return r.URL.RawPath
	}
	return r.URL.Path
}
