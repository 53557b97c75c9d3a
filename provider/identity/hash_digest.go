package identity

import (
	"crypto/md5"  //nolint:gosec // legacy hashes are made of it, and only verified
	"crypto/sha1" //nolint:gosec // as above
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strings"
)

// sumOf returns the digest function of that name, or nil.
func sumOf(name string) func([]byte) []byte {
	switch name {
	case "md5":
		return func(b []byte) []byte { s := md5.Sum(b); return s[:] } //nolint:gosec // as above
	case "sha1":
		return func(b []byte) []byte { s := sha1.Sum(b); return s[:] } //nolint:gosec // as above
	case "sha256":
		return func(b []byte) []byte { s := sha256.Sum256(b); return s[:] }
	case "sha512":
		return func(b []byte) []byte { s := sha512.Sum512(b); return s[:] }
	}
	return nil
}

// digestSize is the size of the named digest in bytes.
func digestSize(name string) int {
	switch name {
	case "md5":
		return md5.Size
	case "sha256":
		return sha256.Size
	case "sha512":
		return sha512.Size
	}
	return sha1.Size
}

// saltOrder says where the salt stands.
type saltOrder int

const (
	saltNone saltOrder = iota
	saltFirst
	saltLast
)

// digestScheme splits "sha256-salt-pass" and the like.
func digestScheme(scheme string) (digest string, order saltOrder, ok bool) {
	digest = scheme
	if d, found := strings.CutSuffix(scheme, "-salt-pass"); found {
		digest, order = d, saltFirst
	} else if d, found := strings.CutSuffix(scheme, "-pass-salt"); found {
		digest, order = d, saltLast
	}
	return digest, order, sumOf(digest) != nil
}

// parseDigest reads a digest in hexadecimal of either case.
func parseDigest(c Credential, digest string, order saltOrder) (stored, error) {
	want, err := hex.DecodeString(c.Hash)
	switch {
	case err != nil || len(want) != digestSize(digest):
		return stored{}, errors.New("hash does not have the form of its scheme")
	case order == saltNone && c.Salt != "":
		return stored{}, errors.New("salt is given, but the scheme has none")
	case order != saltNone && c.Salt == "":
		return stored{}, errors.New("salt is missing")
	}
	return digestMatcher(digest, want, []byte(c.Salt), order), nil
}

// digestMatcher holds the digest of password and salt against want.
func digestMatcher(digest string, want, salt []byte, order saltOrder) stored {
	sum := sumOf(digest)
	match := func(password []byte) bool {
		first, second := password, salt
		if order == saltFirst {
			first, second = salt, password
		}
		both := make([]byte, 0, len(first)+len(second))
		both = append(append(both, first...), second...)
		return subtle.ConstantTimeCompare(sum(both), want) == 1
	}
	return stored{match: match, cheap: true}
}

// parseLDAP reads {SSHA} and its relatives (RFC 2307, section 5.3, and what
// became of it): base64 of the digest, followed by the salt in those with two S.
func parseLDAP(hash string) (stored, error) {
	name, value, ok := strings.Cut(strings.TrimPrefix(hash, "{"), "}")
	if !ok {
		return stored{}, errors.New("hash is malformed")
	}
	name = strings.ToLower(name)
	if name == "crypt" && strings.HasPrefix(value, "$") {
		_, parse := namedForm(value)
		if parse == nil {
			return stored{}, errors.New("unknown form of {CRYPT} hash")
		}
		return parse(value)
	}
	digest, salted := ldapDigest(name)
	if digest == "" {
		return stored{}, errors.New("unknown LDAP hash scheme")
	}
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
	size := digestSize(digest)
	if err != nil || len(raw) < size || salted != (len(raw) > size) {
		return stored{}, errors.New("hash is malformed")
	}
	return digestMatcher(digest, raw[:size], raw[size:], saltLast), nil
}

func ldapDigest(name string) (digest string, salted bool) {
	switch name {
	case "sha":
		return "sha1", false
	case "ssha":
		return "sha1", true
	case "md5", "sha256", "sha512":
		return name, false
	case "smd5", "ssha256", "ssha512":
		return name[1:], true
	}
	return "", false
}
