package config

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a file.
type Problem struct {
	File    string
	Line    int // from 1; 0 when no line is to blame
	Column  int // from 1, in characters
	Key     string
	Message string
	Hint    string // what to write instead; may be ""
	Source  string // the lines around the mistake, secrets hidden; may be ""
}

// String returns the problem in one line, without its source.
func (p Problem) String() string {
	at := p.File
	if p.Line > 0 {
		at += fmt.Sprintf(":%d:%d", p.Line, p.Column)
	}
	var parts []string
	for _, part := range []string{at, p.Key, p.Message} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	text := strings.Join(parts, ": ")
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text
}

// Problems is everything that is wrong with a file. It is never empty when it
// is returned as an error.
type Problems []Problem

// maxPrinted is how many problems are printed; beyond it, a file is not a
// configuration.
const maxPrinted = 50

// Error returns all problems, each with its source.
func (ps Problems) Error() string {
	var b strings.Builder
	for i, p := range ps {
		if i == maxPrinted {
			fmt.Fprintf(&b, "and %d more problems\n", len(ps)-i)
			break
		}
		b.WriteString(p.String() + "\n" + p.Source)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

var _ error = Problems(nil)

// Warning says what is fit for development only, and what to change.
type Warning Problem

// String returns the warning in one line.
func (w Warning) String() string { return Problem(w).String() }
