package identity

import (
	"crypto/md5" //nolint:gosec // phpass is made of it, and only verified
	"crypto/subtle"
	"errors"
	"fmt"
	"strings"

	"github.com/go-crypt/crypt/algorithm/md5crypt"
	"github.com/go-crypt/crypt/algorithm/shacrypt"
)

const (
	// maxCryptPassword is where crypt(3) stops: it hashes nothing longer.
	maxCryptPassword = 511
	minSHARounds     = 1000
	maxSHARounds     = 2_000_000
	minPHPassLog     = 7
	maxPHPassLog     = 18
)

// cryptAlphabet is the order of digits in crypt(3) and phpass.
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// cryptMatch is how crypt(3) sees a password: it ends at the first NUL, and a
// longer one than it hashes cannot be right. Its cost grows with the password,
// so the over-long one is cut before it is held against the hash.
func cryptMatch(match func([]byte) bool) func([]byte) bool {
	return func(password []byte) bool {
		p := cString(password, maxCryptPassword+1)
		tooLong := len(p) > maxCryptPassword
		return match(p[:min(len(p), maxCryptPassword)]) && !tooLong
	}
}

// parseMD5Crypt reads $1$salt$key.
func parseMD5Crypt(hash string) (stored, error) {
	f := strings.Split(hash, "$")
	if len(f) != 4 || len(f[2]) > 8 || len(f[3]) != 22 || strings.Trim(f[3], cryptAlphabet) != "" {
		return stored{}, errors.New("hash is malformed")
	}
	s, err := decoded(md5crypt.DecodeVariant(md5crypt.VariantStandard)(hash))
	if err != nil {
		return stored{}, err
	}
	return stored{match: cryptMatch(s.match), cheap: true}, nil
}

// parseSHACrypt reads $5$ and $6$, with or without rounds=n$.
func parseSHACrypt(hash string) (stored, error) {
	f := strings.Split(hash, "$")
	rounds := 5000
	if len(f) == 5 {
		n, err := namedNumbers(f[2], "rounds")
		if err != nil {
			return stored{}, err
		}
		rounds = n["rounds"]
		f = append(f[:2], f[3:]...)
	}
	length := 43
	if f[1] == "6" {
		length = 86
	}
	switch {
	case len(f) != 4 || len(f[2]) > 16 || len(f[3]) != length || strings.Trim(f[3], cryptAlphabet) != "":
		return stored{}, errors.New("hash is malformed")
	case rounds < minSHARounds || rounds > maxSHARounds:
		return stored{}, fmt.Errorf("rounds are not within %d and %d", minSHARounds, maxSHARounds)
	}
	s, err := decoded(shacrypt.Decode(hash))
	if err != nil {
		return stored{}, err
	}
	return stored{match: cryptMatch(s.match), cheap: rounds < 20_000, work: rounds}, nil
}

// parsePHPass reads $P$ and $H$: one digit for the logarithm of the rounds,
// eight of salt, 22 of key.
func parsePHPass(hash string) (stored, error) {
	if len(hash) != 34 || strings.Trim(hash[3:], cryptAlphabet) != "" {
		return stored{}, errors.New("hash is malformed")
	}
	log := strings.IndexByte(cryptAlphabet, hash[3])
	if log < minPHPassLog || log > maxPHPassLog {
		return stored{}, fmt.Errorf("phpass cost is not within %d and %d", minPHPassLog, maxPHPassLog)
	}
	salt, key := hash[4:12], hash[12:]
	match := func(password []byte) bool {
		got := phpassKey(password, salt, 1<<log)
		return subtle.ConstantTimeCompare([]byte(got), []byte(key)) == 1
	}
	return stored{match: match, cheap: log < 15}, nil
}

func phpassKey(password []byte, salt string, rounds int) string {
	sum := md5.Sum(append([]byte(salt), password...)) //nolint:gosec // as above
	block := append(sum[:], password...)
	for range rounds {
		sum = md5.Sum(block) //nolint:gosec // as above
		copy(block, sum[:])
	}
	return cryptDigits(sum[:])
}

// cryptDigits writes groups of three bytes, the first lowest, six bits a digit.
func cryptDigits(b []byte) string {
	var out []byte
	for len(b) > 0 {
		n := min(3, len(b))
		v := 0
		for i := range n {
			v |= int(b[i]) << (8 * i)
		}
		for range n + 1 {
			out = append(out, cryptAlphabet[v&63])
			v >>= 6
		}
		b = b[n:]
	}
	return string(out)
}
