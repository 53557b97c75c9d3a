package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds on a file, all far above any real one.
const (
	maxFile    = 1 << 20 // bytes
	maxNesting = 32      // lists and sections in each other, as written
	maxKeys    = 20_000  // in all; the parser's time grows with their square
	maxVisits  = 100_000 // values looked at, aliases expanded
)

// place is where something stands in the file; both from 1.
type place struct{ line, column int }

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{}
	}
	return place{t.Position.Line, max(t.Position.Column, 1)}
}

// syntax parses a file into its one document, which is nil when the file says
// nothing. The place belongs to the error.
func syntax(text []byte) (ast.Node, place, error) {
	if len(text) > maxFile {
		return nil, place{}, fmt.Errorf("is larger than 1 MiB")
	}
	if !utf8.Valid(text) {
		return nil, place{line: 1 + bytes.Count(text[:validPrefix(text)], []byte("\n")), column: 1}, fmt.Errorf("is not UTF-8")
	}
	tokens := lexer.Tokenize(string(text))
	if at, err := tooCostly(tokens); err != nil {
		return nil, at, err
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var y yaml.Error
		if errors.As(err, &y) {
			return nil, placeOf(y.GetToken()), explain(y.GetMessage())
		}
		return nil, place{}, fmt.Errorf("is not YAML")
	}
	return document(file)
}

// explain adds what to write instead to a message of the parser.
func explain(message string) error {
	switch {
	case strings.Contains(message, "\t") || strings.Contains(message, "tab character"):
		return fmt.Errorf("is indented with a tab; write spaces")
	case strings.Contains(message, "mapping value is not allowed"):
		return fmt.Errorf("%s; put a value with a colon and a space in quotes", message)
	}
	return errors.New(message)
}

// document returns the one document of a file.
func document(file *ast.File) (ast.Node, place, error) {
	var body ast.Node
	for _, doc := range file.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.DirectiveType {
			continue
		}
		if body != nil {
			return nil, placeOf(doc.Body.GetToken()), fmt.Errorf("holds a second document; one file is one configuration")
		}
		body = doc.Body
	}
	return body, place{}, nil
}

// tooCostly finds what would make the parser slow: nesting, and masses of
// keys. Sections nested by indentation are found by their columns.
func tooCostly(tokens token.Tokens) (place, error) {
	depth, entries, keys, line := 0, 0, 0, 0
	for _, t := range tokens {
		at := placeOf(t)
		if at.line != line {
			entries, line = 0, at.line
		}
		deep := false
		switch t.Type {
		case token.SequenceStartType, token.MappingStartType:
			depth++
		case token.SequenceEndType, token.MappingEndType:
			depth = max(depth-1, 0)
		case token.SequenceEntryType, token.MappingKeyType, token.AnchorType, token.TagType:
			entries++
		case token.MappingValueType:
			keys++
			deep = t.Position.IndentNum > maxNesting*4
		default:
		}
		if deep || depth > maxNesting || entries > maxNesting {
			return at, fmt.Errorf("is nested more than %d levels deep", maxNesting)
		}
		if keys > maxKeys {
			return at, fmt.Errorf("has more than %d keys", maxKeys)
		}
	}
	return place{}, nil
}

func validPrefix(text []byte) int {
	n := 0
	for n < len(text) {
		r, size := utf8.DecodeRune(text[n:])
		if r == utf8.RuneError && size <= 1 {
			break
		}
		n += size
	}
	return n
}
