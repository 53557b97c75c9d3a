package details

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"
)

// Limits of the parameter.
const (
	MaxSize  = 4 << 10 // bytes
	maxItems = 20
	maxDepth = 8
	maxType  = 200 // bytes
)

// ErrInvalid is invalid_authorization_details (RFC 9396, section 5).
var ErrInvalid = errors.New("authorization_details are malformed, or of a type that the client may not use")

// List are authorization details. Each is one object, as compact JSON with its
// members in order.
type List []json.RawMessage

// Parse reads the parameter: an array of objects, each with a type among
// allowed. "" is nothing. The error is [ErrInvalid].
func Parse(text string, allowed []string) (List, error) {
	if text == "" {
		return nil, nil
	}
	if len(text) > MaxSize {
		return nil, ErrInvalid
	}
	objects, err := decode(text)
	if err != nil || len(objects) == 0 || len(objects) > maxItems {
		return nil, ErrInvalid
	}
	list := make(List, 0, len(objects))
	for _, o := range objects {
		kind, ok := o["type"].(string)
		if !ok || kind == "" || len(kind) > maxType || !slices.Contains(allowed, kind) || depth(o) > maxDepth || !commonFields(o) {
			return nil, ErrInvalid
		}
		b, err := json.Marshal(o) // sorts the members
		if err != nil {
			return nil, ErrInvalid
		}
		list = append(list, b)
	}
	return list, nil
}

func decode(text string) ([]map[string]any, error) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var objects []map[string]any
	if err := decoder.Decode(&objects); err != nil {
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrInvalid
	}
	return objects, nil
}

// commonFields judges those members whose shape RFC 9396, section 2.2, says.
func commonFields(o map[string]any) bool {
	for _, name := range []string{"locations", "actions", "datatypes", "privileges"} {
		v, there := o[name]
		if !there {
			continue
		}
		list, ok := v.([]any)
		if !ok || slices.ContainsFunc(list, func(v any) bool { _, ok := v.(string); return !ok }) {
			return false
		}
	}
	id, there := o["identifier"]
	_, ok := id.(string)
	return !there || ok
}

func depth(v any) int {
	deepest := 0
	switch v := v.(type) {
	case map[string]any:
		for _, x := range v {
			deepest = max(deepest, depth(x))
		}
	case []any:
		for _, x := range v {
			deepest = max(deepest, depth(x))
		}
	default:
		return 0
	}
	return deepest + 1
}

// Narrow returns those of the granted details that asked names, and false
// where asked has one that was not granted as it stands.
func (l List) Narrow(asked List) (List, bool) {
	for _, one := range asked {
		if !slices.ContainsFunc(l, func(granted json.RawMessage) bool { return bytes.Equal(granted, one) }) {
			return nil, false
		}
	}
	return asked, true
}

// Types are the types of the details, in their order.
func (l List) Types() []string {
	types := make([]string, 0, len(l))
	for _, raw := range l {
		var o struct {
			Type string `json:"type"`
		}
		if json.Unmarshal(raw, &o) == nil {
			types = append(types, o.Type)
		}
	}
	return types
}

// Line is one line of what a person is shown.
type Line struct{ Name, Value string }

// Item is one of the details as a person is shown it.
type Item struct {
	Type  string
	Lines []Line
}

// Items are the details as people are shown them: each member in one line, the
// members of objects by their path.
func (l List) Items() []Item {
	items := make([]Item, 0, len(l))
	for _, raw := range l {
		objects, err := decode("[" + string(raw) + "]")
		if err != nil || len(objects) != 1 {
			continue // only what Parse has made is in a list
		}
		kind, _ := objects[0]["type"].(string)
		delete(objects[0], "type")
		items = append(items, Item{Type: kind, Lines: lines("", objects[0])})
	}
	return items
}

func lines(path string, v any) []Line {
	switch v := v.(type) {
	case map[string]any:
		names := make([]string, 0, len(v))
		for name := range v {
			names = append(names, name)
		}
		slices.Sort(names)
		var all []Line
		for _, name := range names {
			all = append(all, lines(strings.TrimPrefix(path+" · "+readable(name), " · "), v[name])...)
		}
		return all
	case []any:
		if text, ok := joined(v); ok {
			return []Line{{path, text}}
		}
		var all []Line
		for i, x := range v {
			all = append(all, lines(fmt.Sprintf("%s %d", path, i+1), x)...)
		}
		return all
	default:
		return []Line{{path, scalar(v)}}
	}
}

// joined writes a list of texts and numbers in one line.
func joined(list []any) (string, bool) {
	texts := make([]string, 0, len(list))
	for _, v := range list {
		switch v.(type) {
		case map[string]any, []any:
			return "", false
		}
		texts = append(texts, scalar(v))
	}
	return strings.Join(texts, ", "), true
}

// scalar leaves out what is not seen but changes how the rest is read.
func scalar(v any) string {
	if v == nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Cc, r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, fmt.Sprint(v))
}

// readable makes words of a member's name.
func readable(name string) string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		switch {
		case r == '_' || r == '-':
			r = ' '
		case lower && r >= 'A' && r <= 'Z':
			b.WriteByte(' ')
			r += 'a' - 'A'
		}
		lower = r >= 'a' && r <= 'z'
		b.WriteRune(r)
	}
	return scalar(b.String())
}
