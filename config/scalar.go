package config

import (
	"fmt"
	"reflect"
	"strconv"
	"time"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

func tokenOf(n ast.Node) *token.Token {
	if n == nil {
		return nil
	}
	return n.GetToken()
}

// kindOf names what a node is, as an operator would.
func kindOf(n ast.Node) string {
	switch n.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.IntegerNode:
		return "a number"
	case *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "a number with a fraction"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section"
	}
	return "something else"
}

func (d *decoder) wrongType(path string, n ast.Node, want string) {
	hint := ""
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		if want == "text" {
			hint = "put it in quotes"
		}
	case *ast.StringNode:
		switch want {
		case "a list":
			hint = "write [one, two], or one line with a dash each"
		case "a whole number":
			hint = "write it without quotes and units"
		case "true or false":
			hint = "write true or false, without quotes"
		}
	}
	message := fmt.Sprintf("must be %s, not %s", want, kindOf(n))
	if path == "" {
		message = fmt.Sprintf("a configuration must be %s, not %s", want, kindOf(n))
	}
	d.problem(path, placeOf(n.GetToken()), message, hint)
}

// scalar decodes a single value.
func (d *decoder) scalar(path string, n ast.Node, v reflect.Value) {
	d.places[path] = placeOf(n.GetToken())
	if s, ok := v.Addr().Interface().(*Secret); ok {
		d.secret(path, n, s)
		return
	}
	text, want := "", ""
	switch x := n.(type) {
	case *ast.StringNode:
		text = x.Value
	case *ast.LiteralNode:
		text = x.Value.Value
	case *ast.IntegerNode:
		text = fmt.Sprint(x.Value)
	case *ast.BoolNode:
		text = fmt.Sprint(x.Value)
	}
	switch {
	case v.Kind() == reflect.Bool:
		want = wanted(n, ast.BoolType, "true or false")
	case v.Type() == reflect.TypeFor[time.Duration]():
		if text != "0" {
			want = wanted(n, ast.StringType, "a duration such as 90s, 15m or 720h")
		}
	case v.Kind() == reflect.Int:
		want = wanted(n, ast.IntegerType, "a whole number")
	case n.Type() != ast.LiteralType:
		want = wanted(n, ast.StringType, "text")
	}
	if want != "" {
		d.wrongType(path, n, want)
		return
	}
	if dsn, ok := v.Addr().Interface().(*DSN); ok {
		d.dsn(path, n, text, dsn)
		return
	}
	if err := setText(v, text); err != nil {
		d.fail(path, placeOf(n.GetToken()), err)
	}
}

// wanted returns want unless n is of the type.
func wanted(n ast.Node, is ast.NodeType, want string) string {
	if n.Type() == is {
		return ""
	}
	return want
}

// secret decodes a reference to a secret. A literal one is refused, and hidden
// where the file is shown.
func (d *decoder) secret(path string, n ast.Node, s *Secret) {
	at := placeOf(n.GetToken())
	text, ok := n.(*ast.StringNode)
	if !ok || !reference(text.Value) {
		d.hide(n)
		d.problem(path, at, "is a secret and must not stand in this file",
			"write env:NAME for an environment variable or file:PATH for a file that holds it")
		return
	}
	value, err := d.resolve(text.Value)
	if err != nil {
		d.fail(path, at, err)
		return
	}
	*s = NewSecret(value)
}

func (d *decoder) dsn(path string, n ast.Node, text string, dsn *DSN) {
	if reference(text) {
		value, err := d.resolve(text)
		if err != nil {
			d.fail(path, placeOf(n.GetToken()), err)
			return
		}
		*dsn = NewDSN(value)
		return
	}
	d.hide(n)
	*dsn = DSN{value: &text, literal: true}
}

// settings decodes the settings of a system: scalars, and references to secrets.
func (d *decoder) settings(path string, n ast.Node, v reflect.Value) {
	pairs, ok := d.pairs(path, n)
	if !ok {
		return
	}
	settings := make(map[string]any, len(pairs))
	for _, p := range pairs {
		full := join(path, p.name)
		d.places[full] = p.at
		value, ok := d.follow(full, p.value)
		if !ok {
			continue
		}
		if setting, ok := d.setting(full, value); ok {
			settings[p.name] = setting
		}
	}
	v.Set(reflect.ValueOf(settings))
}

func (d *decoder) setting(path string, n ast.Node) (any, bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		if reference(x.Value) {
			var s Secret
			d.secret(path, n, &s)
			return s, !s.IsZero()
		}
		d.hide(n)
		return x.Value, true
	case *ast.LiteralNode:
		d.hide(n)
		return x.Value.Value, true
	case *ast.BoolNode:
		return x.Value, true
	case *ast.FloatNode:
		return x.Value, true
	case *ast.IntegerNode:
		return d.integer(path, x)
	}
	d.hide(n)
	d.problem(path, placeOf(n.GetToken()), "must be text, a number, true or false, not "+kindOf(n), "")
	return nil, false
}

// integer returns an int64, whatever type the parser chose.
func (d *decoder) integer(path string, n *ast.IntegerNode) (any, bool) {
	i, err := strconv.ParseInt(fmt.Sprint(n.Value), 10, 64)
	if err != nil {
		d.problem(path, placeOf(n.GetToken()), "is too large a number", "put it in quotes if it is a name")
		return nil, false
	}
	return i, true
}
