package contract

import (
	"fmt"
	"strings"
)

// stops end the run that a mask stands for.
const stops = "\"' \t\r\n;,<}]"

// match compares got with want byte for byte, but for the masks in want:
// "<<*>>" stands for any run of at least one character, "<<name>>" for a run
// that is the same wherever the name stands. It returns the offsets at which
// they first differ.
func match(want, got string, captured map[string]string) (atWant, atGot int, ok bool) {
	w, g := 0, 0
	for w < len(want) {
		name, size := mask(want[w:])
		if size == 0 {
			if g >= len(got) || got[g] != want[w] {
				return w, g, false
			}
			w, g = w+1, g+1
			continue
		}
		run := len(got) - g
		if i := strings.IndexAny(got[g:], stops); i >= 0 {
			run = i
		}
		if known, again := captured[name]; again && name != "*" {
			if !strings.HasPrefix(got[g:], known) {
				return w, g, false
			}
			run = len(known)
		}
		if run == 0 {
			return w, g, false
		}
		if name != "*" {
			captured[name] = got[g : g+run]
		}
		w, g = w+size, g+run
	}
	return w, g, g == len(got)
}

// mask returns the name of the mask that s begins with, and its length; 0 for
// none.
func mask(s string) (name string, size int) {
	if !strings.HasPrefix(s, "<<") {
		return "", 0
	}
	end := strings.Index(s, ">>")
	if end < 3 || strings.ContainsFunc(s[2:end], notInName) && s[2:end] != "*" {
		return "", 0
	}
	return s[2:end], end + 2
}

func notInName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// difference shows where two texts part, with what stands around.
func difference(want, got string, atWant, atGot int) string {
	line := 1 + strings.Count(want[:atWant], "\n")
	return fmt.Sprintf("differs at byte %d (line %d)\n\twant %s\n\tgot  %s",
		atGot, line, around(want, atWant), around(got, atGot))
}

// around is a piece of s with a mark at the offset.
func around(s string, at int) string {
	const context = 40
	from, to := max(0, at-context), min(len(s), at+context)
	head, tail := "", ""
	if from > 0 {
		head = "…"
	}
	if to < len(s) {
		tail = "…"
	}
	return fmt.Sprintf("%s%q ⟶ %q%s", head, s[from:at], s[at:to], tail)
}
