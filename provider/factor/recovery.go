package factor

import (
	"crypto/rand"
	"crypto/sha256"
	"strings"
)

const (
	recoveryCodes  = 10
	recoveryGroups = 4
	recoveryGroup  = 4 // characters of 5 bits: 80 bits in all
)

// newRecoveryCodes returns codes to be shown once, and their hashes. Each has 80
// random bits, so that one fast hash is enough.
func newRecoveryCodes() (codes []string, hashes [][32]byte) {
	for range recoveryCodes {
		text := strings.ToLower(rand.Text())
		groups := make([]string, recoveryGroups)
		for i := range groups {
			groups[i] = text[i*recoveryGroup : (i+1)*recoveryGroup]
		}
		code := strings.Join(groups, "-")
		hash, _ := recoveryHash(code)
		codes, hashes = append(codes, code), append(hashes, hash)
	}
	return codes, hashes
}

// recoveryHash is false for what cannot be a recovery code. Case, blanks and dashes are
// forgiven, for somebody had to copy it.
func recoveryHash(typed string) (hash [32]byte, ok bool) {
	if len(typed) > maxCode {
		return hash, false
	}
	s := strings.NewReplacer("-", "", " ", "").Replace(strings.ToLower(strings.TrimSpace(typed)))
	if len(s) != recoveryGroups*recoveryGroup || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz234567") != "" {
		return hash, false
	}
	return sha256.Sum256([]byte(s)), true
}
