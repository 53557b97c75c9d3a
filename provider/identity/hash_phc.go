package identity

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/go-crypt/crypt/algorithm"
	"github.com/go-crypt/crypt/algorithm/argon2"
	"github.com/go-crypt/crypt/algorithm/bcrypt"
	"github.com/go-crypt/crypt/algorithm/pbkdf2"
	"github.com/go-crypt/crypt/algorithm/scrypt"
)

// What an imported hash may cost at most: roughly a quarter GiB and two
// seconds of one core. A hash beyond that is refused when it is imported.
const (
	maxMemory       = 256 << 10 // KiB
	maxArgonWork    = 1 << 20   // KiB times passes
	maxArgonThreads = 16
	maxBcryptCost   = 15
	maxPBKDF2Work   = 5_000_000 // iterations times blocks
	maxScryptWork   = 1 << 22   // N times r times p; 128 bytes each
	minKey          = 16        // base64 characters of a derived key

	maxBcryptPassword = 72 // bytes that bcrypt sees
)

const bcryptAlphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// decoded makes a stored hash of what a decoder returned. The decoder's own
// error is dropped: it may repeat parts of the hash.
func decoded(d algorithm.Digest, err error) (stored, error) {
	if err != nil {
		return stored{}, errors.New("hash is malformed")
	}
	return stored{match: d.MatchBytes}, nil
}

// parseArgon2 reads $argon2id$v=19$m=..,t=..,p=..$salt$key (RFC 9106 in PHC form).
func parseArgon2(hash string) (stored, error) {
	hash = strings.TrimPrefix(hash, "argon2") // Django writes argon2$argon2id$...
	f := strings.Split(hash, "$")
	if len(f) != 6 || f[1] != "argon2id" && f[1] != "argon2i" {
		return stored{}, errors.New("hash is malformed")
	}
	if f[2] != "v=19" {
		return stored{}, errors.New("argon2 version is not 19 (1.3)")
	}
	n, err := namedNumbers(f[3], "m", "t", "p")
	if err != nil {
		return stored{}, err
	}
	m, t, p := n["m"], n["t"], n["p"]
	switch {
	case m < 8*p:
		return stored{}, errors.New("argon2 memory is below 8 KiB a thread")
	case m > maxMemory || t > maxArgonWork/m || p > maxArgonThreads:
		return stored{}, fmt.Errorf("argon2 costs too much: at most m=%d, m*t=%d, p=%d", maxMemory, maxArgonWork, maxArgonThreads)
	case len(f[4]) < 2 || len(f[5]) < minKey:
		return stored{}, errors.New("hash is malformed")
	}
	s, err := decoded(argon2.Decode(hash))
	s.cheap, s.work = m*t < 8192, m*t
	return s, err
}

// parseBcrypt reads $2a$, $2b$ and $2y$, which are the same but for bugs long
// fixed. As in the C implementations, a password ends at its first NUL and
// after 72 bytes.
func parseBcrypt(hash string) (stored, error) {
	hash = strings.TrimPrefix(hash, "bcrypt$") // Django writes bcrypt$$2b$...
	if len(hash) != 60 || !strings.Contains("aby", hash[2:3]) || hash[6] != '$' || strings.Trim(hash[7:], bcryptAlphabet) != "" {
		return stored{}, errors.New("hash is malformed")
	}
	cost, err := number(hash[4:6])
	if err != nil || cost < 4 {
		return stored{}, errors.New("bcrypt cost is below 4")
	}
	if cost > maxBcryptCost {
		return stored{}, fmt.Errorf("bcrypt costs too much: at most %d", maxBcryptCost)
	}
	s, err := decoded(bcrypt.DecodeVariant(bcrypt.VariantStandard)(hash))
	if err != nil {
		return stored{}, err
	}
	return stored{
		match: func(p []byte) bool { return s.match(cString(p, maxBcryptPassword)) },
		cheap: cost < 8, work: 78 << cost,
		blind: func(p []byte) bool { return len(p) >= maxBcryptPassword || bytes.IndexByte(p, 0) >= 0 },
	}, nil
}

// parsePBKDF2 reads passlib's $pbkdf2-sha256$iterations$salt$key and the PHC
// form with i=..,l=.. in place of the iterations.
func parsePBKDF2(hash string) (stored, error) {
	f := strings.Split(hash, "$")
	if len(f) != 5 || f[3] == "" || len(f[4]) < minKey {
		return stored{}, errors.New("hash is malformed")
	}
	if strings.HasPrefix(f[2], "i=") {
		rounds, _, _ := strings.Cut(f[2][2:], ",")
		f[2] = rounds
	}
	rounds, err := number(f[2])
	if err != nil {
		return stored{}, err
	}
	size := 20
	if _, digest, ok := strings.Cut(f[1], "-"); ok {
		size = digestSize(digest)
	}
	blocks := (len(f[4])*3/4 + size - 1) / size
	if rounds > maxPBKDF2Work/blocks {
		return stored{}, fmt.Errorf("pbkdf2 costs too much: at most %d iterations", maxPBKDF2Work)
	}
	// passlib writes "." where standard base64 has "+"; the decoder expects that.
	s, err := decoded(pbkdf2.Decode(strings.ReplaceAll(strings.Join(f, "$"), "+", ".")))
	s.cheap, s.work = rounds*blocks < 20_000, rounds*blocks/2
	return s, err
}

// parseDjango reads Django's pbkdf2_sha256$iterations$salt$base64.
func parseDjango(hash string) (stored, error) {
	f := strings.Split(hash, "$")
	if len(f) != 4 || f[2] == "" {
		return stored{}, errors.New("hash is malformed")
	}
	salt := base64.RawStdEncoding.EncodeToString([]byte(f[2]))
	name := strings.Replace(f[0], "_", "-", 1)
	return parsePBKDF2("$" + name + "$" + f[1] + "$" + salt + "$" + strings.TrimRight(f[3], "="))
}

// parseScrypt reads $scrypt$ln=..,r=..,p=..$salt$key (RFC 7914 in PHC form).
func parseScrypt(hash string) (stored, error) {
	f := strings.Split(hash, "$")
	if len(f) != 5 || f[3] == "" || len(f[4]) < minKey {
		return stored{}, errors.New("hash is malformed")
	}
	n, err := namedNumbers(f[2], "ln", "r", "p")
	if err != nil {
		return stored{}, err
	}
	ln, r, p := n["ln"], n["r"], n["p"]
	if ln > 22 || r > maxMemory*8>>ln || p > maxScryptWork/r>>ln {
		return stored{}, fmt.Errorf("scrypt costs too much: at most N*r=%d, N*r*p=%d", maxMemory*8, maxScryptWork)
	}
	s, err := decoded(scrypt.Decode(hash))
	s.cheap, s.work = r*p<<ln < 1<<15, r*p<<ln/3
	return s, err
}
