package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// source is a file as it is shown beside a mistake: lines, with the values
// hidden that might be secrets.
type source struct {
	lines  []string
	hidden map[int]int // line -> the column from which it is hidden
}

func newSource(text []byte) *source {
	return &source{lines: strings.Split(string(text), "\n"), hidden: map[int]int{}}
}

// hide hides every scalar below n.
func (s *source) hide(n ast.Node) { ast.Walk(hider{s}, n) }

type hider struct{ *source }

// Visit implements [ast.Visitor].
func (h hider) Visit(n ast.Node) ast.Visitor {
	if n == nil {
		return nil
	}
	if _, ok := n.(ast.ScalarNode); !ok {
		return h
	}
	if block, ok := n.(*ast.LiteralNode); ok {
		n = block.Value
	}
	t := n.GetToken()
	at := placeOf(t)
	if column, ok := h.hidden[at.line]; !ok || at.column < column {
		h.hidden[at.line] = at.column
	}
	for i := range strings.Count(strings.TrimSpace(t.Origin), "\n") + 1 {
		if i > 0 {
			h.hidden[at.line+i] = 1
		}
	}
	return nil
}

const (
	linesBefore = 2
	linesAfter  = 1
	widest      = 160 // characters of a line that are shown
)

// around shows the lines around a place, and a caret under it.
func (s *source) around(at place) string {
	if at.line < 1 || at.line > len(s.lines) {
		return ""
	}
	var b strings.Builder
	for n := max(1, at.line-linesBefore); n <= min(len(s.lines), at.line+linesAfter); n++ {
		text := s.shown(n)
		if n > at.line && text == "" {
			break
		}
		mark := " "
		if n == at.line {
			mark = ">"
		}
		fmt.Fprintf(&b, "%s %4d | %s\n", mark, n, text)
		if n == at.line && at.column <= widest {
			fmt.Fprintf(&b, "       | %s^\n", strings.Repeat(" ", at.column-1))
		}
	}
	return b.String()
}

// shown is a line without secrets and control characters, and not too long.
func (s *source) shown(n int) string {
	text := []rune(userPassword.ReplaceAllString(strings.TrimRight(s.lines[n-1], "\r"), "$1"+hidden+"@"))
	if column, ok := s.hidden[n]; ok && column <= len(text) {
		text = append(text[:column-1:column-1], []rune(hidden)...)
	}
	if len(text) > widest {
		text = append(text[:widest:widest], '…')
	}
	for i, r := range text {
		if !unicode.IsPrint(r) {
			text[i] = ' '
		}
	}
	return string(text)
}

// userPassword matches the password of a URL that should not have one.
var userPassword = regexp.MustCompile(`(://[^/@\s:]*:)[^@\s]*@`)

// delicate matches a line whose value may be a secret, for files that do not
// even parse.
var delicate = regexp.MustCompile(`(?i)^(\s*-?\s*["']?[\w.-]*(?:secret|password|key|token|database)[\w.-]*["']?\s*:\s*)(.*)$`)

// hideDelicate hides, in a file that does not parse, every line around a place
// but those that look like a key with a harmless value.
func (s *source) hideDelicate(at place) {
	for i := max(0, at.line-1-linesBefore); i < min(len(s.lines), at.line+linesAfter); i++ {
		line := s.lines[i]
		m := delicate.FindStringSubmatch(line)
		switch {
		case m != nil && !reference(strings.TrimLeft(m[2], `"'`)):
			s.hidden[i+1] = len([]rune(m[1])) + 1
		case m == nil && !strings.Contains(line, ":"):
			s.hidden[i+1] = 1
		}
	}
}
