package config

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// decoder turns the nodes of a file into a [Config] and goes on after a
// mistake, so that all of them are reported at once.
type decoder struct {
	world
	*source
	problems Problems
	places   map[string]place
	failed   map[string]bool
	anchors  map[string]ast.Node
	visits   int
}

// problem records one; a file cannot make us keep more than some pages of them.
func (d *decoder) problem(key string, at place, message, hint string) {
	d.failed[key] = true
	if len([]rune(key)) > widest {
		key = string([]rune(key)[:widest]) + "…"
	}
	if !d.full() {
		d.problems = append(d.problems, Problem{Line: at.line, Column: at.column, Key: key, Message: message, Hint: hint})
	}
}

func (d *decoder) full() bool { return len(d.problems) >= 4*maxPrinted }

// fail records an error whose text is "message; hint".
func (d *decoder) fail(key string, at place, err error) {
	message, hint, _ := strings.Cut(err.Error(), "; ")
	d.problem(key, at, message, hint)
}

// document decodes a whole file; root is nil when it says nothing.
func (d *decoder) document(root ast.Node, c *Config) {
	v := reflect.ValueOf(c).Elem()
	if root == nil {
		d.required("", keysOf(v.Type()), nil)
		return
	}
	d.collectAnchors(root)
	d.value("", root, v)
}

// value decodes n into v. A key without a value keeps its default.
func (d *decoder) value(path string, n ast.Node, v reflect.Value) {
	n, ok := d.follow(path, n)
	if !ok {
		return
	}
	if n.Type() == ast.NullType && path != "" {
		return
	}
	switch {
	case section(v.Type()):
		d.section(path, n, v)
	case v.Kind() == reflect.Slice:
		d.list(path, n, v)
	case v.Kind() == reflect.Map:
		d.settings(path, n, v)
	default:
		d.scalar(path, n, v)
	}
}

func (d *decoder) section(path string, n ast.Node, v reflect.Value) {
	pairs, ok := d.pairs(path, n)
	if !ok {
		return
	}
	keys := keysOf(v.Type())
	given := map[string]bool{}
	for _, p := range pairs {
		if d.full() {
			return
		}
		full := join(path, p.name)
		i := slices.IndexFunc(keys, func(k key) bool { return k.name == p.name })
		if i < 0 {
			d.hide(p.value)
			d.problem(full, p.at, "is not a key", hintFor(p.name, keys))
			continue
		}
		given[p.name] = !blank(p.value)
		d.places[full] = p.at
		f := v.Field(keys[i].field)
		d.value(full, p.value, f)
		d.bounds(full, keys[i], f)
	}
	d.required(path, keys, given)
}

// required reports the required keys that are not given.
func (d *decoder) required(path string, keys []key, given map[string]bool) {
	for _, k := range keys {
		if full := join(path, k.name); k.required && !given[k.name] {
			hint := ""
			if full == "secret" {
				hint = "write secret: env:KEYWAY_SECRET and set that variable to the output of: openssl rand -base64 48"
			}
			d.problem(full, d.placeFor(path), "is required", hint)
		}
	}
}

// bounds checks a value against the range and the enumeration of its key.
func (d *decoder) bounds(path string, k key, v reflect.Value) {
	if d.failed[path] {
		return
	}
	if message := k.outside(v); message != "" {
		d.problem(path, d.placeFor(path), message, "")
	}
	switch {
	case len(k.enum) == 0:
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			item := fmt.Sprintf("%s[%d]", path, i)
			d.oneOf(item, k.enum, v.Index(i).String())
			d.failed[path] = d.failed[path] || d.failed[item]
		}
	default:
		d.oneOf(path, k.enum, v.String())
	}
}

func (d *decoder) oneOf(path string, enum []string, got string) {
	if slices.Contains(enum, got) || d.failed[path] {
		return
	}
	hint := ""
	if got == "password" {
		hint = "a password grant is only made for a legacy system; declare it under systems"
	} else if meant := suggest(got, enum); meant != "" {
		hint = fmt.Sprintf("did you mean %q?", meant)
	}
	d.problem(path, d.placeFor(path), "must be one of "+strings.Join(enum, ", "), hint)
}

func (d *decoder) list(path string, n ast.Node, v reflect.Value) {
	items, ok := n.(*ast.SequenceNode)
	if !ok {
		d.wrongType(path, n, "a list")
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, len(items.Values)))
	for i, item := range items.Values {
		if d.full() {
			return
		}
		full := fmt.Sprintf("%s[%d]", path, i)
		d.places[full] = startOf(item)
		element := reflect.New(v.Type().Elem()).Elem()
		if section(element.Type()) {
			setDefaults(element)
		}
		if blank(item) {
			d.problem(full, d.places[full], "is empty", "remove it")
		}
		d.value(full, item, element)
		v.Set(reflect.Append(v, element))
	}
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func blank(n ast.Node) bool { return n == nil || n.Type() == ast.NullType }

// hintFor says what an unknown key was probably meant to be.
func hintFor(name string, keys []key) string {
	names := make([]string, 0, len(keys))
	for _, k := range keys {
		names = append(names, k.name)
	}
	if meant := suggest(name, names); meant != "" {
		return fmt.Sprintf("did you mean %q?", meant)
	}
	for _, l := range everyKey() {
		if last := l.path[strings.LastIndex(l.path, ".")+1:]; fold(last) == fold(name) {
			return fmt.Sprintf("did you mean %q?", l.path)
		}
	}
	return "known here: " + strings.Join(names, ", ")
}
