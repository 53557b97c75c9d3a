package adapter

import (
	"fmt"
	"strconv"
	"strings"
	"text/template/parse"
)

// rewriter makes every action of one parsed template end in an encoder, the
// way html/template does for HTML. In JSON it follows the quotes of the text
// around, so that a value between quotes becomes the inside of a string.
type rewriter struct {
	tree     *parse.Tree
	encoding encoding
	includes []string
	loops    []jsonState // the states at which the loops around began
}

// jsonState is where in a JSON text an action stands.
type jsonState struct {
	inString bool
	escaped  bool   // behind a backslash in a string
	margin   string // the white space at the beginning of its line
}

// same ignores the margin, which only lays out nested values.
func (s jsonState) same(o jsonState) bool { return s.inString == o.inString && s.escaped == o.escaped }

// text returns the state behind a piece of text.
func (s jsonState) text(text []byte) jsonState {
	for _, c := range text {
		switch {
		case s.escaped:
			s.escaped = false
		case s.inString && c == '\\':
			s.escaped = true
		case c == '"':
			s.inString = !s.inString
		}
	}
	if i := strings.LastIndexByte(string(text), '\n'); i >= 0 {
		line := string(text[i+1:])
		s.margin = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	}
	return s
}

func (w *rewriter) rewrite() error {
	end, err := w.list(w.tree.Root, jsonState{})
	if err == nil && w.encoding == encodeJSON && end.inString {
		return w.errorf(w.tree.Root, "a string is not closed")
	}
	return err
}

func (w *rewriter) errorf(n parse.Node, format string, args ...any) error {
	where, _ := w.tree.ErrorContext(n)
	return fmt.Errorf("template: %s: %s", where, fmt.Sprintf(format, args...))
}

func (w *rewriter) list(l *parse.ListNode, s jsonState) (jsonState, error) {
	if l == nil {
		return s, nil
	}
	for _, n := range l.Nodes {
		var err error
		if s, err = w.node(n, s); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (w *rewriter) node(n parse.Node, s jsonState) (jsonState, error) {
	switch n := n.(type) {
	case *parse.TextNode:
		if w.encoding == encodeJSON {
			return s.text(n.Text), nil
		}
		return s, nil
	case *parse.ActionNode:
		return s, w.action(n, s)
	case *parse.IfNode:
		return w.branch(&n.BranchNode, s)
	case *parse.WithNode:
		return w.branch(&n.BranchNode, s)
	case *parse.RangeNode:
		return w.loop(&n.BranchNode, s)
	case *parse.BreakNode, *parse.ContinueNode:
		if len(w.loops) > 0 && !s.same(w.loops[len(w.loops)-1]) {
			return s, w.errorf(n, "it leaves the loop inside a JSON string")
		}
		return s, nil
	case *parse.TemplateNode:
		return s, w.include(n, s)
	case *parse.CommentNode:
		return s, nil
	}
	return s, w.errorf(n, "%s is not used here", n)
}

func (w *rewriter) include(n *parse.TemplateNode, s jsonState) error {
	if s.inString {
		return w.errorf(n, "a file cannot be included inside a JSON string")
	}
	if n.Pipe == nil {
		return w.errorf(n, "write {{ template %q $ }}", n.Name)
	}
	w.includes = append(w.includes, n.Name)
	return w.pipe(n.Pipe)
}

func (w *rewriter) branch(n *parse.BranchNode, s jsonState) (jsonState, error) {
	if err := w.pipe(n.Pipe); err != nil {
		return s, err
	}
	then, err := w.list(n.List, s)
	if err != nil {
		return s, err
	}
	otherwise, err := w.list(n.ElseList, s)
	if err == nil && !then.same(otherwise) {
		err = w.errorf(n, "one branch ends inside a JSON string and the other does not")
	}
	return then, err
}

func (w *rewriter) loop(n *parse.BranchNode, s jsonState) (jsonState, error) {
	w.loops = append(w.loops, s)
	defer func() { w.loops = w.loops[:len(w.loops)-1] }()
	end, err := w.branch(n, s)
	if err == nil && !end.same(s) {
		err = w.errorf(n, "the loop ends inside a JSON string and does not begin there, or the reverse")
	}
	return end, err
}

// action appends the encoder to what an action prints.
func (w *rewriter) action(n *parse.ActionNode, s jsonState) error {
	if err := w.pipe(n.Pipe); err != nil {
		return err
	}
	if len(n.Pipe.Decl) > 0 {
		return nil // it sets a variable and prints nothing
	}
	args := []parse.Node{w.identifier("_"+string(w.encoding), n.Pos)}
	switch {
	case w.encoding == encodeJSON && s.escaped:
		return w.errorf(n, "a value cannot stand behind a backslash")
	case w.encoding == encodeJSON && s.inString:
		args[0] = w.identifier(encoderContent, n.Pos)
	case w.encoding == encodeJSON:
		args = append(args, &parse.StringNode{
			NodeType: parse.NodeString, Pos: n.Pos, Quoted: strconv.Quote(s.margin), Text: s.margin,
		})
	}
	n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: args})
	return nil
}

func (w *rewriter) identifier(name string, pos parse.Pos) *parse.IdentifierNode {
	return parse.NewIdentifier(name).SetPos(pos).SetTree(w.tree)
}

// pipe checks the functions of a pipeline and gives those that read the view
// the view.
func (w *rewriter) pipe(p *parse.PipeNode) error {
	if p == nil {
		return nil
	}
	for _, cmd := range p.Cmds {
		var args []parse.Node
		for i, arg := range cmd.Args {
			more, err := w.argument(arg, i == 0)
			if err != nil {
				return err
			}
			args = append(args, more...)
		}
		cmd.Args = args
	}
	return nil
}

// argument returns what stands for one word of a command.
func (w *rewriter) argument(n parse.Node, first bool) ([]parse.Node, error) {
	switch n := n.(type) {
	case *parse.PipeNode:
		return []parse.Node{n}, w.pipe(n)
	case *parse.ChainNode:
		_, err := w.argument(n.Node, false)
		return []parse.Node{n}, err
	case *parse.IdentifierNode:
		return w.function(n, first)
	}
	return []parse.Node{n}, nil
}

func (w *rewriter) function(n *parse.IdentifierNode, first bool) ([]parse.Node, error) {
	_, plain := plainFuncs[n.Ident]
	_, view := viewFuncs[n.Ident]
	if !plain && !view && !builtinFuncs[n.Ident] {
		return nil, w.errorf(n, "function %q not defined", n.Ident)
	}
	if !view {
		return []parse.Node{n}, nil
	}
	root := &parse.VariableNode{NodeType: parse.NodeVariable, Pos: n.Pos, Ident: []string{"$"}}
	if first {
		return []parse.Node{n, root}, nil
	}
	// A function that is itself an argument is called without any; it needs a
	// pipeline of its own to be given one.
	cmd := &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{n, root}}
	return []parse.Node{&parse.PipeNode{NodeType: parse.NodePipe, Pos: n.Pos, Cmds: []*parse.CommandNode{cmd}}}, nil
}
