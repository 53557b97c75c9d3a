package identity

import (
	_ "embed"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The length of a password that somebody chooses, in characters.
const (
	MinPassword = 8
	MaxChosen   = 128
)

// PasswordProblem is what is wrong with a password that somebody chose. It is
// a closed set.
type PasswordProblem string

// The problems.
const (
	PasswordTooShort  PasswordProblem = "too_short"
	PasswordTooLong   PasswordProblem = "too_long"
	PasswordMalformed PasswordProblem = "malformed" // no UTF-8, with NUL, or nothing but blanks
	PasswordCommon    PasswordProblem = "common"
	PasswordOwnName   PasswordProblem = "own_name" // a login name or the e-mail address
	PasswordSame      PasswordProblem = "same"     // as it is now
)

// Error implements error.
func (p PasswordProblem) Error() string { return "the new password is refused: " + string(p) }

// JudgePassword returns the [PasswordProblem] of a new password of u, or nil.
// Beside the length nothing is asked of which characters there are.
func JudgePassword(password string, u *User) error {
	length := utf8.RuneCountInString(password)
	switch {
	case !utf8.ValidString(password) || strings.IndexByte(password, 0) >= 0 || strings.TrimSpace(password) == "":
		return PasswordMalformed
	case length < MinPassword:
		return PasswordTooShort
	case length > MaxChosen:
		return PasswordTooLong
	}
	own := map[string]bool{}
	for _, n := range append(u.LoginNames, LoginName{Name: u.Email}) {
		name := strings.ToLower(n.Name)
		own[name] = true
		if local, _, ok := strings.Cut(name, "@"); ok {
			own[local] = true
		}
	}
	delete(own, "")
	switch s := strings.ToLower(password); {
	case own[s] || own[trimmed(s)]:
		return PasswordOwnName
	case isCommon(s):
		return PasswordCommon
	}
	return nil
}

// Whoever guesses passwords tries the common ones, and the words that they are made
// of, each with digits and signs around it, with some letters written as digits,
// twice, and with what lies side by side on a keyboard. isCommon undoes the same.
// That covers far more than lists of the same size.
var (
	// commonPasswords are the 10,000 that leaks have most often of those that are
	// long enough (OWASP ASVS 5.0, 6.2.4 asks for 3,000).
	//
	//go:embed common_passwords.txt
	commonPasswords string
	//go:embed common_words.txt
	commonWords string
)

// walks are what fingers do on keyboards, and counting.
func walks() []string {
	return []string{
		"01234567890", "abcdefghijklmnopqrstuvwxyz",
		"qwertyuiop[]", "asdfghjkl;'", "zxcvbnm,./", "qwertzuiop", "yxcvbnm,.-", "azertyuiop", "qsdfghjklm", "wxcvbn",
		"1qaz2wsx3edc4rfv5tgb6yhn7ujm", "qazwsxedcrfvtgbyhnujm", "1q2w3e4r5t6y7u8i9o0p", "q1w2e3r4t5y6u7i8o9p0",
		"!@#$%^&*()", "147258369", "159357",
	}
}

// isCommon judges a password in lower case.
func isCommon(s string) bool {
	for {
		if s == "" || isDate(s) || isWord(s) {
			return true
		}
		unit := period(s)
		if utf8.RuneCountInString(unit) < 5 && unit != s || isWord(unit) || isWord(plain(unit)) {
			return true
		}
		shorter := trimmed(unit)
		if isWord(shorter) || isWord(plain(shorter)) {
			return true
		}
		if shorter == unit {
			shorter = withoutWalk(unit)
		}
		if shorter == s {
			return false
		}
		s = shorter
	}
}

// isWord searches the lists.
func isWord(s string) bool {
	return len(s) > 2 && (isLine(commonWords, s) || len(s) >= MinPassword && isLine(commonPasswords, s))
}

// isLine reports whether s is a line of the text, whose lines are sorted.
func isLine(text, s string) bool {
	_, found := sort.Find(len(text), func(i int) int {
		line, _, _ := strings.Cut(text[strings.LastIndexByte(text[:i], '\n')+1:], "\n")
		return strings.Compare(s, line)
	})
	return found
}

// trimmed cuts off digits and signs at both ends; what has no letters is left
// as it is.
func trimmed(s string) string {
	if t := strings.TrimFunc(s, func(r rune) bool { return !unicode.IsLetter(r) }); t != "" {
		return t
	}
	return s
}

// plain writes letters that stand as digits or signs as letters.
func plain(s string) string {
	return strings.NewReplacer("@", "a", "4", "a", "3", "e", "1", "i", "!", "i", "0", "o", "$", "s", "5", "s", "7", "t").Replace(s)
}

// period returns the shortest text that s consists of, again and again.
func period(s string) string {
	for n := 1; n <= len(s)/2; n++ {
		if len(s)%n == 0 && strings.Repeat(s[:n], len(s)/n) == s {
			return s[:n]
		}
	}
	return s
}

// withoutWalk cuts the longest walk of three keys and more off the begin or
// the end, or a key that was held down.
func withoutWalk(s string) string {
	for n := len(s); n >= 3; n-- {
		if isWalk(s[:n]) {
			return s[n:]
		}
		if isWalk(s[len(s)-n:]) {
			return s[:len(s)-n]
		}
	}
	return s
}

func isWalk(s string) bool {
	if period(s) == s[:1] {
		return true
	}
	back := []byte(s)
	for i, j := 0, len(back)-1; i < j; i, j = i+1, j-1 {
		back[i], back[j] = back[j], back[i]
	}
	for _, w := range walks() {
		if strings.Contains(w, s) || strings.Contains(w, string(back)) {
			return true
		}
	}
	return false
}

// isDate reports whether s is eight digits with a year of the last century or
// this one at either end.
func isDate(s string) bool {
	if len(s) != 8 || strings.Trim(s, "0123456789") != "" {
		return false
	}
	century := func(year string) bool { return year == "19" || year == "20" }
	return century(s[:2]) || century(s[4:6])
}
