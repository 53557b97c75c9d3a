package adapter

import (
	"encoding/json"
	"strings"
)

// find returns the value of the first place that has one.
func (in *input) find(places []place) (v value, ok bool) {
	for _, p := range places {
		if v, ok = in.at(p); ok {
			return v, true
		}
	}
	return value{}, false
}

func (in *input) at(p place) (value, bool) {
	switch p.kind {
	case fromBody:
		return in.body(p.name)
	case fromQuery:
		v, ok := in.query[p.name]
		return v, ok
	case fromHeader:
		if p.name == "Host" {
			return value{}, false // what a client claims to have asked is no input
		}
		list := in.request.Header.Values(p.name)
		if len(list) == 0 {
			return value{}, false
		}
		return value{text: list[0]}, true
	case fromCookie:
		c, err := in.request.Cookie(p.name)
		if err != nil {
			return value{}, false
		}
		return value{text: c.Value}, true
	case fromBasic:
		user, pass, ok := in.request.BasicAuth()
		if p.name == fieldPassword {
			user = pass
		}
		return value{text: user}, ok
	case fromBearer:
		return in.bearer()
	case fromInput, fromSetting:
	}
	for _, where := range in.rules.Read {
		v, ok := in.query[p.name]
		if where == "body" {
			v, ok = in.body(p.name)
		}
		if ok {
			return v, true
		}
	}
	return value{}, false
}

// bearer is RFC 6750, section 2.1.
func (in *input) bearer() (value, bool) {
	scheme, token, ok := strings.Cut(in.request.Header.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return value{}, false
	}
	return value{text: strings.TrimSpace(token)}, true
}

func (in *input) body(name string) (value, bool) {
	if in.json == nil {
		v, ok := in.form[name]
		return v, ok
	}
	found, ok := reach(in.json, name)
	if !ok {
		return value{}, false
	}
	switch found := found.(type) {
	case nil:
		return value{notString: true, null: true}, true
	case string:
		return value{text: found}, true
	case json.Number, bool:
		if in.rules.Scalars {
			return value{text: toText(found)}, true
		}
	}
	return value{notString: true}, true
}
