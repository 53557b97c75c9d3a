package adapter

import (
	"fmt"
	"strings"
)

// sourceKind is where in a request a value may be.
type sourceKind string

const (
	fromInput   sourceKind = "" // as Input.Read says
	fromBody    sourceKind = "body"
	fromQuery   sourceKind = "query"
	fromHeader  sourceKind = "header"
	fromCookie  sourceKind = "cookie"
	fromBasic   sourceKind = "basic"
	fromBearer  sourceKind = "bearer"
	fromSetting sourceKind = "setting" // in Route.When only
)

// place is one parsed source of a [Field].
type place struct {
	kind sourceKind
	name string
}

func parsePlace(text string, settings map[string]Setting) (place, error) {
	if text == string(fromBearer) {
		return place{kind: fromBearer}, nil
	}
	prefix, name, ok := strings.Cut(text, ":")
	if !ok {
		prefix, name = "", text
	}
	p := place{kind: sourceKind(prefix), name: name}
	if name == "" {
		return p, fmt.Errorf("%q names nothing", text)
	}
	switch p.kind {
	case fromInput, fromBody, fromQuery, fromHeader, fromCookie:
		return p, nil
	case fromBasic:
		if name == "username" || name == "password" {
			return p, nil
		}
	case fromBearer:
	case fromSetting:
		if settings == nil {
			return p, fmt.Errorf("%q: a setting is a source in when only", text)
		}
		if _, ok := settings[name]; ok {
			return p, nil
		}
		return p, fmt.Errorf("there is no setting %q", name)
	}
	return p, fmt.Errorf("unknown source %q; a name, body:NAME, query:NAME, header:NAME, cookie:NAME, "+
		"basic:username, basic:password or bearer", text)
}
