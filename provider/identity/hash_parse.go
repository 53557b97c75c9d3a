package identity

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The largest credential that is looked at, in bytes.
const (
	maxHash = 1024
	maxSalt = 256
)

// stored is a parsed hash that passwords can be held against, in constant time
// as far as the hash itself is concerned.
type stored struct {
	match func(password []byte) bool
	cheap bool // costs much less than a new hash
	// work is about how long a match takes, in microseconds, where that may be
	// longer than a new hash takes; else 0.
	work int
	// blind reports whether other passwords than this one match too; nil where
	// none do.
	blind func(password []byte) bool
}

// parseHash parses c and refuses what would be too costly to verify.
func parseHash(c Credential) (stored, error) {
	switch {
	case c.Hash == "":
		return stored{}, errors.New("hash is empty")
	case len(c.Hash) > maxHash:
		return stored{}, fmt.Errorf("hash is longer than %d bytes", maxHash)
	case len(c.Salt) > maxSalt:
		return stored{}, fmt.Errorf("salt is longer than %d bytes", maxSalt)
	case c.Scheme == SchemeOSSN:
		return parseOSSN(c)
	}
	if digest, order, ok := digestScheme(c.Scheme); ok {
		return parseDigest(c, digest, order)
	}
	name, parse := namedForm(c.Hash)
	switch {
	case parse == nil && c.Scheme == "":
		return stored{}, errors.New("hash does not name its scheme, and none is given")
	case c.Scheme != "" && !knownScheme(c.Scheme):
		return stored{}, errors.New("unknown hash scheme")
	case parse == nil || c.Scheme != "" && c.Scheme != name:
		return stored{}, errors.New("hash does not have the form of its scheme")
	case c.Salt != "":
		return stored{}, errors.New("salt is given, but the hash holds its own")
	}
	return parse(c.Hash)
}

// namedForm tells the scheme of a hash that names itself; nil if it does not.
func namedForm(hash string) (string, func(string) (stored, error)) {
	starts := func(prefixes ...string) bool {
		for _, p := range prefixes {
			if strings.HasPrefix(hash, p) {
				return true
			}
		}
		return false
	}
	switch {
	case starts("$argon2id$", "$argon2i$", "argon2$argon2"):
		return "argon2", parseArgon2
	case starts("$2a$", "$2b$", "$2y$", "bcrypt$$2"):
		return "bcrypt", parseBcrypt
	case starts("$pbkdf2$", "$pbkdf2-sha1$", "$pbkdf2-sha256$", "$pbkdf2-sha512$"):
		return "pbkdf2", parsePBKDF2
	case starts("pbkdf2_sha1$", "pbkdf2_sha256$"):
		return "django", parseDjango
	case starts("$scrypt$"):
		return "scrypt", parseScrypt
	case starts("$1$"):
		return "md5-crypt", parseMD5Crypt
	case starts("$5$"):
		return "sha256-crypt", parseSHACrypt
	case starts("$6$"):
		return "sha512-crypt", parseSHACrypt
	case starts("$P$", "$H$"):
		return "phpass", parsePHPass
	case starts("{"):
		return "ldap", parseLDAP
	}
	return "", nil
}

func knownScheme(name string) bool {
	switch name {
	case "argon2", "bcrypt", "pbkdf2", "django", "scrypt", "md5-crypt", "sha256-crypt", "sha512-crypt", "phpass", "ldap":
		return true
	}
	return false
}

// namedNumbers reads "m=19456,t=2,p=1": each of names exactly once, in any order.
func namedNumbers(s string, names ...string) (map[string]int, error) {
	parts := strings.Split(s, ",")
	if len(parts) != len(names) {
		return nil, errors.New("wrong number of parameters")
	}
	found := make(map[string]int, len(names))
	for _, part := range parts {
		name, value, _ := strings.Cut(part, "=")
		n, err := number(value)
		if err != nil {
			return nil, err
		}
		found[name] = n
	}
	for _, name := range names {
		if _, ok := found[name]; !ok {
			return nil, fmt.Errorf("parameter %q is missing", name)
		}
	}
	return found, nil
}

// number reads a positive decimal number of at most 9 digits.
func number(s string) (int, error) {
	if len(s) == 0 || len(s) > 9 || strings.Trim(s, "0123456789") != "" {
		return 0, errors.New("parameter is not a number within its limits")
	}
	n, err := strconv.Atoi(s)
	if err != nil || n == 0 {
		return 0, errors.New("parameter is not a number within its limits")
	}
	return n, nil
}

// cString is what a C library sees of a password: it ends at the first NUL,
// and after limit bytes.
func cString(password []byte, limit int) []byte {
	if i := bytes.IndexByte(password, 0); i >= 0 {
		password = password[:i]
	}
	return password[:min(len(password), limit)]
}
