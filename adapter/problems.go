package adapter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one mistake in what describes a legacy system.
type Problem struct {
	File   string // "" where no one file is at fault
	Line   int    // from 1; 0 where the file as a whole is meant
	Field  string // such as "routes.login.fields.username"
	Reason string
}

func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
	}
	if p.Field != "" {
		b.WriteString(p.Field + ": ")
	}
	return b.String() + p.Reason
}

// Problems are all the mistakes that one look found. It is an error when it is not
// empty.
type Problems []Problem

func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.String()
	}
	return strings.Join(lines, "\n")
}

var _ error = Problems(nil)

// sort puts the problems in the order of their places.
func (p Problems) sort() {
	slices.SortStableFunc(p, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
}

// err is p as an error, nil when there is none.
func (p Problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return p
}
