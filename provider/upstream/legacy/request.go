package legacy

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"keyway/provider/upstream"
)

// ask is one question, as expressions of the request see it.
type ask struct {
	upstream.Login
	settings map[string]string
}

func (a ask) environment() map[string]any {
	return map[string]any{"username": a.Username, "password": a.Password, "system": a.System, "settings": a.settings}
}

// errUnsayable says that the call cannot carry what was typed, so that it is
// nobody's password there. It is never sent as something else.
var errUnsayable = errors.New("the call cannot carry what was typed")

// sayable reports whether a text is in a body of that kind what it was.
func sayable(kind, text string) bool {
	if kind == bodyForm {
		return true // bytes are bytes
	}
	unwritten := func(r rune) bool { return kind == bodyXML && (r < ' ' && r != '\t' || r == 0xfffe || r == 0xffff) }
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unwritten)
}

// request makes the call to the server at base.
func (c *compiled) request(ctx context.Context, base string, a ask) (*http.Request, error) {
	if kind := c.Request.Body; !sayable(kind, a.Username) || !sayable(kind, a.Password) {
		return nil, errUnsayable
	}
	env := a.environment()
	query, err := c.texts("query", c.Request.Query, env)
	if err != nil {
		return nil, err
	}
	body, kind, err := c.body(env)
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, c.Request.Method, strings.TrimRight(base, "/")+c.Request.Path, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	r.Close = r.Method == http.MethodGet // Go would send it again where a kept connection breaks
	r.URL.RawQuery = values(query).Encode()
	r.Header.Set("Accept", "application/json, */*;q=0.5")
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	head, err := c.texts("headers", c.Request.Headers, env)
	if err != nil {
		return nil, err
	}
	for name, value := range head {
		if strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil, errUnsayable
		}
		r.Header.Set(name, value)
	}
	return r, nil
}

// body is encoded as its kind wants it, so that no name or password can be more than
// a value.
func (c *compiled) body(env map[string]any) (body []byte, contentType string, err error) {
	switch {
	case c.Request.Method == http.MethodGet:
		return nil, "", nil
	case c.Request.Body == bodyJSON:
		body, err = c.jsonBody(env)
		return body, "application/json", err
	}
	fields, err := c.texts("fields", c.Request.Fields, env)
	if err != nil {
		return nil, "", err
	}
	if c.Request.Body == bodyForm {
		return []byte(values(fields).Encode()), "application/x-www-form-urlencoded", nil
	}
	var b bytes.Buffer
	b.WriteString(xml.Header + "<" + c.Request.Root + ">")
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		b.WriteString("<" + name + ">")
		if err := xml.EscapeText(&b, []byte(fields[name])); err != nil {
			return nil, "", errors.New("request.fields: cannot be in XML")
		}
		b.WriteString("</" + name + ">")
	}
	b.WriteString("</" + c.Request.Root + ">\n")
	return b.Bytes(), "text/xml; charset=utf-8", nil
}

func (c *compiled) jsonBody(env map[string]any) ([]byte, error) {
	object := map[string]any{}
	for name := range c.Request.Fields {
		v, err := c.value("request.fields."+name, env)
		if err != nil {
			return nil, err
		}
		if v != nil {
			object[name] = v
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // as everybody else writes it: some old servers know no \u003c
	if e.Encode(object) != nil {
		return nil, errors.New("request.fields: cannot be in JSON")
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// texts are the values of a section without those that are nil.
func (c *compiled) texts(section string, fields map[string]string, env map[string]any) (map[string]string, error) {
	all := make(map[string]string, len(fields))
	for name := range fields {
		v, err := c.value("request."+section+"."+name, env)
		if err != nil {
			return nil, err
		}
		switch v := v.(type) {
		case nil:
		case string:
			all[name] = v
		case int, bool:
			all[name] = fmt.Sprint(v)
		default:
			return nil, fmt.Errorf("request.%s.%s: neither a text nor a whole number", section, name)
		}
	}
	return all, nil
}

func values(texts map[string]string) url.Values {
	v := make(url.Values, len(texts))
	for name, text := range texts {
		v.Set(name, text)
	}
	return v
}
