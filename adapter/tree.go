package adapter

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

const (
	maxTreeDepth = 32     // how deeply a system's file may nest
	maxTreeNodes = 50_000 // how many values it may have, aliases counted as what they stand for
)

// node is one value of a YAML file that remembers where it stood, so that a
// mistake found after `extends` was resolved still names its line.
type node struct {
	file string
	line int

	scalar any // string, bool, int64, uint64, float64 or nil, unless it is a map or a list
	keys   []string
	fields map[string]*node // of a map
	list   []*node          // of a list
	isList bool
	size   int // how many values, itself included
}

func (n *node) isMap() bool  { return n.fields != nil }
func (n *node) isNull() bool { return n.fields == nil && !n.isList && n.scalar == nil }

func (n *node) kind() string {
	switch n.scalar.(type) {
	case string:
		return "text"
	case bool:
		return "a boolean"
	case int64, uint64, float64:
		return "a number"
	}
	switch {
	case n.isMap():
		return "a map"
	case n.isList:
		return "a list"
	}
	return "null"
}

// set adds or replaces a field of a map.
func (n *node) set(key string, value *node) {
	if _, ok := n.fields[key]; !ok {
		n.keys = append(n.keys, key)
	}
	n.fields[key] = value
}

// remove takes a field out of a map.
func (n *node) remove(key string) {
	delete(n.fields, key)
	for i, k := range n.keys {
		if k == key {
			n.keys = append(n.keys[:i:i], n.keys[i+1:]...)
			return
		}
	}
}

// at walks to a field; it returns the last node on the way that exists.
func (n *node) at(path ...string) *node {
	for _, key := range path {
		next := n.fields[key]
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// parseTree reads one YAML document whose top is a map.
func parseTree(file string, src []byte) (*node, Problems) {
	parsed, err := parser.ParseBytes(src, 0)
	if err != nil {
		return nil, Problems{syntaxProblem(file, err)}
	}
	t := treeReader{file: file, anchors: map[string]*node{}}
	var top *node
	for _, doc := range parsed.Docs {
		if doc.Body == nil {
			continue
		}
		if top != nil {
			t.problem(doc.Body, "one document a file")
			break
		}
		top = t.read(doc.Body, 0)
	}
	if top == nil || !top.isMap() {
		t.problems = append(t.problems, Problem{File: file, Reason: "this is no map of keys and values"})
	}
	return top, t.problems
}

func syntaxProblem(file string, err error) Problem {
	p := Problem{File: file, Reason: "this is not YAML: " + err.Error()}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		p.Reason = "this is not YAML: " + syntax.GetMessage()
		if tok := syntax.GetToken(); tok != nil && tok.Position != nil {
			p.Line = tok.Position.Line
		}
	}
	return p
}

type treeReader struct {
	file     string
	anchors  map[string]*node
	problems Problems
}

// grow counts a child; it reports whether there is room for it.
func (t *treeReader) grow(n, child *node, at ast.Node) bool {
	if n.size += child.size; n.size > maxTreeNodes {
		t.problem(at, "the file has more than %d values", maxTreeNodes)
		return false
	}
	return true
}

func (t *treeReader) problem(at ast.Node, format string, args ...any) *node {
	n := &node{file: t.file, line: lineOf(at)}
	t.problems = append(t.problems, Problem{File: n.file, Line: n.line, Reason: fmt.Sprintf(format, args...)})
	return n
}

func lineOf(n ast.Node) int {
	if tok := n.GetToken(); tok != nil && tok.Position != nil {
		return tok.Position.Line
	}
	return 0
}

func (t *treeReader) read(a ast.Node, depth int) *node {
	if depth > maxTreeDepth {
		return t.problem(a, "nested too deeply")
	}
	n := &node{file: t.file, line: lineOf(a), size: 1}
	switch a := a.(type) {
	case *ast.MappingNode:
		return t.readMap(n, a.Values, depth)
	case *ast.MappingValueNode:
		return t.readMap(n, []*ast.MappingValueNode{a}, depth)
	case *ast.SequenceNode:
		n.isList = true
		for _, v := range a.Values {
			child := t.read(v, depth+1)
			if !t.grow(n, child, v) {
				break
			}
			n.list = append(n.list, child)
		}
	case *ast.AnchorNode:
		n = t.read(a.Value, depth+1)
		t.anchors[a.Name.GetToken().Value] = n
	case *ast.AliasNode:
		known := t.anchors[a.Value.GetToken().Value]
		if known == nil {
			return t.problem(a, "no anchor of this name stands above")
		}
		return known
	case *ast.LiteralNode:
		n.scalar = a.Value.Value
	case *ast.NullNode:
	case ast.ScalarNode:
		n.scalar = a.GetValue()
	case nil:
	default:
		return t.problem(a, "this kind of YAML (%s) is not used here", a.Type())
	}
	return n
}

func (t *treeReader) readMap(n *node, values []*ast.MappingValueNode, depth int) *node {
	n.fields = map[string]*node{}
	for _, v := range values {
		key, ok := keyText(v.Key)
		if !ok {
			t.problem(v.Key, "this key is no plain text")
			continue
		}
		child := t.read(v.Value, depth+1)
		if line := lineOf(v.Key); line > 0 {
			moved := *child
			moved.line = line
			child = &moved
		}
		if !t.grow(n, child, v) {
			break
		}
		n.set(key, child)
	}
	if len(n.keys) > 0 {
		n.line = n.fields[n.keys[0]].line
	}
	return n
}

func keyText(k ast.MapKeyNode) (string, bool) {
	if k.IsMergeKey() {
		return "", false
	}
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value, true
	}
	return strings.TrimSpace(k.String()), k.Type() != ast.MappingKeyType
}

// mergeTrees lays top over base: maps merge, lists and scalars replace, null
// deletes.
func mergeTrees(base, top *node) *node {
	if !base.isMap() || !top.isMap() {
		return top
	}
	out := &node{file: top.file, line: top.line, fields: map[string]*node{}}
	for _, key := range base.keys {
		out.set(key, base.fields[key])
	}
	for _, key := range top.keys {
		value := top.fields[key]
		switch below := out.fields[key]; {
		case value.isNull():
			out.remove(key)
		case below != nil:
			out.set(key, mergeTrees(below, value))
		default:
			out.set(key, value)
		}
	}
	nearestBody(out, top)
	return out
}

// bodyKinds are the keys of a reply of which it has one.
var bodyKinds = []string{"body", "json", "xml", "html", "text"}

// nearestBody drops inherited bodies of other kinds from a reply whose own
// file gives it one.
func nearestBody(merged, top *node) {
	own := false
	for _, kind := range bodyKinds {
		own = own || top.fields[kind] != nil && !top.fields[kind].isNull()
	}
	for _, kind := range bodyKinds {
		if own && top.fields[kind] == nil && merged.fields[kind] != nil && merged.fields[kind].scalar != nil {
			merged.remove(kind)
		}
	}
}
