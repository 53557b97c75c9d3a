package config

import (
	"fmt"

	"github.com/goccy/go-yaml/ast"
)

// collectAnchors finds every &name of a file.
func (d *decoder) collectAnchors(root ast.Node) {
	d.anchors = map[string]ast.Node{}
	ast.Walk(collector{d}, root)
}

type collector struct{ *decoder }

// Visit implements [ast.Visitor].
func (c collector) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil {
		name := a.Name.GetToken().Value
		if _, twice := c.anchors[name]; twice {
			c.problem("", placeOf(a.GetToken()), fmt.Sprintf("the anchor &%s is set twice", name), "")
		}
		c.anchors[name] = a.Value
	}
	return c
}

// follow returns what an anchor or alias stands for. It bounds how much of a
// file is looked at, aliases expanded.
func (d *decoder) follow(path string, n ast.Node) (ast.Node, bool) {
	at := placeOf(tokenOf(n))
	for range maxNesting {
		if d.visits++; d.exhausted() {
			if d.visits == maxVisits+1 {
				d.problem(path, at, "is too large when its aliases are expanded", "")
			}
			return nil, false
		}
		switch x := n.(type) {
		case nil:
			return nil, false
		case *ast.AnchorNode:
			n = x.Value
		case *ast.AliasNode:
			target, ok := d.anchors[x.Value.GetToken().Value]
			if !ok {
				d.problem(path, at, "is an alias without an anchor", "")
				return nil, false
			}
			n = target
		case *ast.TagNode:
			d.problem(path, at, "has a YAML tag", "remove it")
			return nil, false
		default:
			return n, true
		}
	}
	d.problem(path, at, "is an alias of itself", "")
	return nil, false
}

// startOf is where a value begins; a section's own token is its first colon.
func startOf(n ast.Node) place {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key
	}
	return placeOf(tokenOf(n))
}

// exhausted reports that the file is not looked at any further.
func (d *decoder) exhausted() bool { return d.visits > maxVisits }

// pair is one key with its value.
type pair struct {
	name  string
	at    place
	value ast.Node
}

// pairs returns the keys of a section, those merged by << behind its own.
func (d *decoder) pairs(path string, n ast.Node) ([]pair, bool) {
	c := pairCollector{decoder: d, path: path, own: map[string]place{}, seen: map[string]bool{}}
	ok := c.section(n, 0)
	return c.pairs, ok
}

type pairCollector struct {
	*decoder
	path  string
	pairs []pair
	own   map[string]place // to find a key that is given twice
	seen  map[string]bool  // own and merged: the first wins
}

func (c *pairCollector) section(n ast.Node, depth int) bool {
	var values []*ast.MappingValueNode
	switch x := n.(type) {
	case *ast.MappingNode:
		values = x.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{x}
	default:
		c.wrongType(c.path, n, "a section with keys")
		return false
	}
	var merged []ast.Node
	for _, v := range values {
		if v.Key.Type() == ast.MergeKeyType {
			merged = append(merged, v.Value)
			continue
		}
		c.add(v, depth)
	}
	for _, m := range merged {
		if !c.merge(m, depth+1) {
			return false
		}
	}
	return true
}

func (c *pairCollector) add(v *ast.MappingValueNode, depth int) {
	at := placeOf(v.Key.GetToken())
	name, ok := v.Key.(*ast.StringNode)
	if !ok {
		c.hide(v)
		c.problem(c.path, at, "has a key that is not plain text", "")
		return
	}
	if first, twice := c.own[name.Value]; twice && depth == 0 {
		c.hide(v.Value)
		c.problem(join(c.path, name.Value), at, "is given twice", fmt.Sprintf("first in line %d", first.line))
		return
	}
	if depth == 0 {
		c.own[name.Value] = at
	}
	if !c.seen[name.Value] {
		c.seen[name.Value] = true
		c.pairs = append(c.pairs, pair{name.Value, at, v.Value})
	}
}

// merge takes the keys of << in, which is a section or a list of them.
func (c *pairCollector) merge(n ast.Node, depth int) bool {
	n, ok := c.follow(c.path, n)
	if !ok {
		return false
	}
	if depth > maxNesting {
		c.problem(c.path, placeOf(n.GetToken()), "merges itself", "")
		return false
	}
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return c.section(n, depth)
	}
	for _, item := range list.Values {
		if !c.merge(item, depth+1) {
			return false
		}
	}
	return true
}
