package database

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxQuery is the longest query, in bytes.
const maxQuery = 16 << 10

// statement is a query as its driver wants it.
type statement struct {
	text string
	args int // how often the one parameter is bound
}

// dialect is how a database writes parameters.
type dialect struct{ numbered bool } // $1 as often as it is used, else a ? for each use

// writing are words that make a query write or lock.
func writing() []string {
	return []string{"INSERT", "UPDATE", "DELETE", "MERGE", "INTO", "OUTFILE", "DUMPFILE", "LOCK", "SHARE"}
}

// parse reads a query with the parameter :name. It refuses whatever the databases
// do not read alike, such as comments and backslashes in texts: what is left is cut
// into the same words by all of them, so that a parameter is one and a text is none.
func (d dialect) parse(query, name string) (statement, error) {
	query = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(query), ";"))
	if len(query) > maxQuery {
		return statement{}, fmt.Errorf("it is longer than %d bytes", maxQuery)
	}
	p := parser{rest: query, name: name, dialect: d}
	for p.rest != "" {
		if err := p.step(); err != nil {
			return statement{}, err
		}
	}
	switch {
	case p.first != "SELECT" && p.first != "WITH":
		return statement{}, errors.New("it must be one SELECT, which may begin by WITH")
	case p.used == 0:
		return statement{}, fmt.Errorf("the parameter :%s is missing", name)
	case d.numbered:
		p.used = 1
	}
	return statement{text: p.out.String(), args: p.used}, nil
}

type parser struct {
	dialect dialect
	name    string
	rest    string
	out     strings.Builder
	first   string // word
	used    int
}

// step reads one word, text, parameter or sign.
func (p *parser) step() error {
	switch c := p.rest[0]; {
	case c == '\'' || c == '"' || c == '`' && !p.dialect.numbered: // to PostgreSQL a backtick is a sign
		return p.quoted(c)
	case isWordByte(c):
		return p.word()
	case strings.HasPrefix(p.rest, "::"):
		p.take(2)
	case c == ':':
		return p.parameter()
	case strings.HasPrefix(p.rest, "--") || strings.HasPrefix(p.rest, "/*"):
		return errors.New("it must have no comments")
	case strings.IndexByte("#?$@;\\`", c) >= 0 || c < ' ' && strings.IndexByte("\t\n\r", c) < 0 || c == 0x7f:
		return fmt.Errorf("it must have no %q outside of quotes; what needs one belongs into a view", c)
	default:
		p.take(1)
	}
	return nil
}

func (p *parser) take(n int) {
	p.out.WriteString(p.rest[:n])
	p.rest = p.rest[n:]
}

// quoted takes a text or name. A doubled quote in it reads like two of them.
func (p *parser) quoted(quote byte) error {
	end := strings.IndexByte(p.rest[1:], quote)
	switch {
	case end < 0:
		return errors.New("a quote is not closed")
	case strings.ContainsAny(p.rest[1:1+end], "\\\x00"):
		return errors.New("it must have no backslash in quotes")
	}
	p.take(end + 2)
	return nil
}

func (p *parser) word() error {
	n := wordLength(p.rest)
	word := strings.ToUpper(p.rest[:n])
	if slices.Contains(writing(), word) {
		return fmt.Errorf("it must have no %s: it may only read", word)
	}
	if p.first == "" {
		p.first = word
	}
	p.take(n)
	return nil
}

func (p *parser) parameter() error {
	n := wordLength(p.rest[1:])
	if p.rest[1:1+n] != p.name {
		return fmt.Errorf("its one parameter is :%s", p.name)
	}
	p.rest = p.rest[1+n:]
	p.used++
	if p.dialect.numbered {
		p.out.WriteString("$1")
	} else {
		p.out.WriteByte('?')
	}
	return nil
}

func wordLength(s string) int {
	n := 0
	for n < len(s) && isWordByte(s[n]) {
		n++
	}
	return n
}

// isWordByte takes every byte beyond ASCII for a letter, as the databases do.
func isWordByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
}
