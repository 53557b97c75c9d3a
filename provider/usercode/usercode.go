package usercode

import (
	"crypto/rand"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// letters have no vowels, so that no word comes about, and none that is taken
// for another (RFC 8628, section 6.1).
const letters = "BCDFGHJKLMNPQRSTVWXZ"

// length is how many letters a code has: 20^8 codes are 34.5 bits.
const length = 8

// maxTyped is the longest text that is read, in bytes.
const maxTyped = 128

// Code is a user code without its dash: eight of the letters. The zero value
// is none.
type Code string

// New returns a code by chance.
func New() Code {
	out := make([]byte, 0, length)
	var b [2 * length]byte
	for len(out) < length {
		_, _ = rand.Read(b[:]) // never fails: crypto/rand ends the program first
		for _, v := range b {
			// 20 does not divide 256: what would make some letters likelier is thrown away.
			if v < 240 && len(out) < length {
				out = append(out, letters[int(v)%len(letters)])
			}
		}
	}
	return Code(out)
}

// String is the code as it is shown: XXXX-XXXX.
func (c Code) String() string {
	if len(c) != length {
		return ""
	}
	return string(c[:length/2] + "-" + c[length/2:])
}

// Parse reads what somebody typed: in either case, with or without spaces and
// dashes, and with what looks or sounds like a letter of ours instead of it.
// It returns false for what cannot be a code.
func Parse(typed string) (Code, bool) {
	if len(typed) > maxTyped {
		return "", false
	}
	out := make([]byte, 0, length)
	for _, r := range norm.NFKC.String(typed) { // full-width letters are letters
		if ignored(r) {
			continue
		}
		letter := meant(unicode.ToUpper(r))
		if letter == 0 || len(out) == length {
			return "", false
		}
		out = append(out, letter)
	}
	if len(out) != length {
		return "", false
	}
	return Code(out), true
}

// ignored are spaces, what cannot be seen, and whatever people put between
// two groups of letters.
func ignored(r rune) bool {
	return unicode.IsSpace(r) || unicode.In(r, unicode.Pd, unicode.Cf, unicode.Zs) || strings.ContainsRune("_.·•/,−", r)
}

// meant is the letter of ours that an upper-case letter or digit stands for; 0
// for none. No two codes become one by it, for none of what is replaced is in
// any code.
func meant(r rune) byte {
	if i := strings.IndexRune(letters, r); i >= 0 {
		return letters[i]
	}
	return alike[r]
}

// alike are digits and vowels that are read as a letter of ours, and the Greek and
// Cyrillic letters that look the same as one.
var alike = map[rune]byte{
	'0': 'Q', 'O': 'Q', '1': 'L', 'I': 'L', '|': 'L', '2': 'Z', '5': 'S', '6': 'G', '8': 'B', 'U': 'V',
	'В': 'B', 'С': 'C', 'Н': 'H', 'К': 'K', 'М': 'M', 'Р': 'P', 'Т': 'T', 'Х': 'X', 'Ѕ': 'S', 'Ј': 'J',
	'Β': 'B', 'Η': 'H', 'Κ': 'K', 'Μ': 'M', 'Ν': 'N', 'Ρ': 'P', 'Τ': 'T', 'Χ': 'X', 'Ζ': 'Z',
}
