package identity

import (
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// SchemeOSSN is the hash scheme of Open Source Social Network: bcrypt,
// argon2 or hexadecimal md5 over [OSSNInput] of the password, followed by the
// salt that is stored beside it.
const SchemeOSSN = "ossn"

func parseOSSN(c Credential) (stored, error) {
	if c.Salt == "" {
		return stored{}, errors.New("salt is missing")
	}
	s, err := parseOSSNHash(c.Hash)
	if err != nil {
		return stored{}, err
	}
	inner := s.match
	match := func(password []byte) bool {
		input := OSSNInput(string(password))
		right := inner([]byte(input + c.Salt))
		return right && input != "" // a salt alone is nobody's password
	}
	s.match = match
	if blind := s.blind; blind != nil {
		s.blind = func(password []byte) bool { return blind([]byte(OSSNInput(string(password)) + c.Salt)) }
	}
	return s, nil
}

func parseOSSNHash(hash string) (stored, error) {
	switch name, parse := namedForm(hash); name {
	case "bcrypt", "argon2":
		return parse(hash)
	}
	want, err := hex.DecodeString(hash)
	if err != nil || len(want) != digestSize("md5") {
		return stored{}, errors.New("hash does not have the form of its scheme")
	}
	return digestMatcher("md5", want, nil, saltNone), nil
}

// OSSNInput is what Open Source Social Network makes of every value it is
// sent, passwords too, before it looks at it. In this order:
//
//  1. runs of spaces become one space;
//  2. & " ' < > become &amp; &quot; &#039; &lt; &gt;, and invalid UTF-8 makes
//     the whole value empty;
//  3. characters of four bytes in UTF-8, up to U+FFFFF, become hexadecimal
//     entities (&#x1f600;);
//  4. NUL, LF, CR, backslash and 0x1A become \x00, \n, \r, \\ and \x1a, written
//     with a backslash;
//  5. blanks at both ends are cut off.
func OSSNInput(value string) string {
	if !utf8.ValidString(value) {
		return ""
	}
	var b strings.Builder
	b.Grow(len(value) + 8)
	var last rune
	for _, r := range value {
		if r != ' ' || last != ' ' {
			ossnRune(&b, r)
		}
		last = r
	}
	return strings.Trim(b.String(), " \t\n\r\x00\x0b")
}

func ossnRune(b *strings.Builder, r rune) {
	switch r {
	case '&':
		b.WriteString("&amp;")
	case '"':
		b.WriteString("&quot;")
	case '\'':
		b.WriteString("&#039;")
	case '<':
		b.WriteString("&lt;")
	case '>':
		b.WriteString("&gt;")
	case 0:
		b.WriteString(`\x00`)
	case '\n':
		b.WriteString(`\n`)
	case '\r':
		b.WriteString(`\r`)
	case '\\':
		b.WriteString(`\\`)
	case 0x1a:
		b.WriteString(`\x1a`)
	default:
		if r >= 0x10000 && r <= 0xFFFFF {
			fmt.Fprintf(b, "&#x%x;", r)
			return
		}
		b.WriteRune(r)
	}
}
