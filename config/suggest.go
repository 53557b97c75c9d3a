package config

import "strings"

// suggest returns the name that got was probably meant to be, or "".
func suggest(got string, names []string) string {
	best, bestAt := "", len(got)/3+1
	for _, name := range names {
		if at := distance(fold(got), fold(name)); at < bestAt || at == bestAt && best == "" {
			best, bestAt = name, at
		}
	}
	return best
}

// fold makes accessLifetime, access-lifetime and access_lifetime one.
func fold(s string) string {
	return strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(strings.ToLower(s))
}

// distance is the number of letters to insert, delete, replace or swap with
// their neighbour to make b of a. Names longer than any key are not compared.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return max(len(a), len(b))
	}
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		now := make([]int, len(b)+1)
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(last[j]+1, now[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], before[j-2]+1)
			}
		}
		before, last = last, now
	}
	return last[len(b)]
}
