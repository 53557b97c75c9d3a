package adapter

import "net/http"

// pick chooses among the routes at a path: the first that takes the method and
// whose conditions hold, the nearest level first. A path that is known but not
// for this method goes no further; what is said of it is the last route's, which
// has the fewest conditions.
func (a *Adapter) pick(w http.ResponseWriter, r *http.Request, x *exchange, levels [][]*mounted) (*mounted, Outcome) {
	for _, level := range levels {
		m, taken, o := x.pickAt(w, r, level)
		switch {
		case m != nil || o != "":
			return m, o
		case taken:
			continue
		}
		x.choose(level[len(level)-1], r)
		if r.Method == http.MethodOptions {
			return nil, OutcomeOptions
		}
		return nil, OutcomeMethodNotAllowed
	}
	return nil, OutcomeNotFound
}

// pickAt chooses among the routes of one level. The body is read only where a
// condition is about it; when it cannot be read, the first route without such
// a condition answers with the outcome. A slash too many is asked for no method.
func (x *exchange) pickAt(w http.ResponseWriter, r *http.Request, level []*mounted) (found *mounted, taken bool, o Outcome) {
	head := &input{request: r, query: parseForm(r.URL.RawQuery)}
	var redirect *mounted
	for _, m := range level {
		if m.redirect {
			redirect = m
			continue
		}
		if !m.route.takes(r.Method) {
			continue
		}
		taken = true
		head.rules = m.route.Input
		if !m.route.meets(head, m.settings, false) {
			continue
		}
		if m.route.needsBody() && o == "" {
			x.choose(m, r)
			o = x.read(w, r)
		}
		if !m.route.needsBody() || o == "" && m.route.meets(x.in, m.settings, true) {
			x.choose(m, r)
			return m, true, o
		}
	}
	if redirect != nil && !taken {
		x.choose(redirect, r)
		return redirect, true, ""
	}
	return nil, taken, o
}
