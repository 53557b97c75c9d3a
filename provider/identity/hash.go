package identity

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/go-crypt/crypt/algorithm/argon2"
)

// Passwords that Keyway hashes itself become argon2id in PHC form. Hashes that
// were imported are verified as they are, and replaced by argon2id at the next
// good login, except where other passwords verify too (bcrypt sees 72 bytes):
// the new hash would refuse those. An ossn hash stays one, of another form.
//
//	hash_scheme       form of the hash                        where it comes from
//	-----------       ----------------                        -------------------
//	bcrypt            $2a$ $2b$ $2y$ cost $ salt and key      Laravel (Faveo), PHP, Node
//	argon2            $argon2id$ $argon2i$ v=19 (PHC)         PHP, passlib, Django "argon2$..."
//	pbkdf2            $pbkdf2$ $pbkdf2-sha1|sha256|sha512$    passlib, PHC "i=..,l=.."
//	django            pbkdf2_sha256|sha1$iterations$salt$b64  Django
//	scrypt            $scrypt$ln=,r=,p=$salt$key              PHC, passlib
//	md5-crypt         $1$salt$key                             Unix
//	sha256-crypt      $5$[rounds=n$]salt$key                  Unix, glibc
//	sha512-crypt      $6$[rounds=n$]salt$key                  Unix, glibc
//	phpass            $P$ $H$                                 WordPress, phpBB, Drupal 6
//	ldap              {SSHA} {SHA} {SMD5} {MD5} {SSHA256}     OpenLDAP and others
//	                  {SHA256} {SSHA512} {SHA512} {CRYPT}
//	md5 sha1          hexadecimal                             home-made systems
//	sha256 sha512
//	<digest>-salt-pass  hexadecimal, hash_salt kept apart     home-made systems
//	<digest>-pass-salt  hexadecimal, hash_salt kept apart     home-made systems
//	ossn              bcrypt, argon2i/id or md5 hexadecimal,  OSSN: over OSSNInput(password)
//	                  hash_salt kept apart                    followed by the salt
//
// The scheme may be left out where the hash names itself, which is every form
// but plain hexadecimal and ossn.

// MaxPassword is the longest password, in bytes, that is ever hashed. A longer
// one never verifies.
const MaxPassword = 4096

// HasherOptions configures a [Hasher]. Zero values mean the defaults.
type HasherOptions struct {
	Memory  uint32        // of one new hash, in KiB; default 19456 (19 MiB)
	Time    uint32        // passes over the memory; default 2
	Threads uint8         // lanes; default 1
	Workers int           // hashes that run at once; default the number of cores
	Queue   int           // callers that may wait for a worker; default 100 a worker, negative none
	Wait    time.Duration // how long a caller may wait for a worker; default 5 s
}

// Hasher hashes and verifies passwords in a bounded pool, so that a burst of
// logins can neither exhaust the memory nor starve cheap requests. Where a
// caller finds no place in the queue, or waits too long in it, the error is a
// [*Failure] with [ReasonUnavailable].
type Hasher struct {
	pool   *pool
	argon  *argon2.Hasher
	prefix string // of a hash with the present parameters
	dummy  stored // a new hash that is nobody's
	dearer int    // work that is dearer than a new hash
}

// NewHasher returns a hasher. It fails on parameters that no imported hash
// would be accepted with.
func NewHasher(o HasherOptions) (*Hasher, error) {
	o = o.withDefaults()
	if o.Workers < 1 || o.Wait < 0 {
		return nil, errors.New("hasher: workers and wait must be positive")
	}
	argon, err := argon2.New(argon2.WithVariantID(), argon2.WithM(o.Memory), argon2.WithT(int(o.Time)), argon2.WithP(int(o.Threads)))
	if err != nil {
		return nil, fmt.Errorf("hasher: %w", err)
	}
	h := &Hasher{
		pool:   newPool(o.Workers, max(o.Queue, 0), o.Wait),
		argon:  argon,
		dearer: int(o.Memory) * int(o.Time) * 3 / 2,
		prefix: fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$", o.Memory, o.Time, o.Threads),
	}
	// A random key that is nobody's hash: it costs what a real one costs.
	random := make([]byte, 48)
	if _, err := rand.Read(random); err != nil {
		return nil, fmt.Errorf("hasher: %w", err)
	}
	b64 := base64.RawStdEncoding
	h.dummy, err = parseArgon2(h.prefix + b64.EncodeToString(random[:16]) + "$" + b64.EncodeToString(random[16:]))
	if err != nil {
		return nil, fmt.Errorf("hasher: %w", err)
	}
	return h, nil
}

func (o HasherOptions) withDefaults() HasherOptions {
	if o.Memory == 0 {
		o.Memory = 19456
	}
	if o.Time == 0 {
		o.Time = 2
	}
	if o.Threads == 0 {
		o.Threads = 1
	}
	if o.Workers == 0 {
		o.Workers = runtime.NumCPU()
	}
	if o.Queue == 0 {
		o.Queue = 100 * o.Workers
	}
	if o.Wait == 0 {
		o.Wait = 5 * time.Second
	}
	return o
}

// Workers is how many hashes run at once.
func (h *Hasher) Workers() int { return cap(h.pool.slots) }

// CheckHash reports why c cannot be verified against: an unknown form, or
// parameters beyond what this server is willing to compute. The error does not
// repeat the hash.
func CheckHash(c Credential) error {
	_, err := parseHash(c)
	return err
}

// Hash returns the argon2id hash (PHC form) of password. Errors are
// [*Failure]: invalid_request when it is longer than [MaxPassword].
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if len(password) > MaxPassword {
		return "", Failf(ReasonInvalidRequest, "password longer than %d bytes", MaxPassword)
	}
	var hash string
	var err error
	if full := h.pool.run(ctx, func() { hash, err = h.hash(password) }); full != nil {
		return "", full
	}
	if err != nil {
		return "", Fail(ReasonInternal, err)
	}
	return hash, nil
}

func (h *Hasher) hash(password string) (string, error) {
	digest, err := h.argon.Clone().Hash(password)
	if err != nil {
		return "", err
	}
	return digest.Encode(), nil
}
