package identity

import (
	"crypto/rand"
	"strings"
	"sync"
	"time"
)

const (
	decoyTTL  = time.Hour
	maxDecoys = 1000 // directories
)

// decoys remembers, for each directory, a hash that is nobody's and as dear as
// the dearest one that was verified there lately. Until such an imported hash
// is replaced, every failure in its directory costs that much: else an answer
// that takes long would tell that the name is somebody's.
//
// It learns from logins. The first one at a dearer hash, after a start or an
// hour, still tells; and a hash between a new one and the dearest takes up to
// its own time longer.
type decoys struct {
	mu sync.Mutex
	of map[string]decoy // by directory
}

type decoy struct {
	stored
	expires time.Time
}

// get returns the directory's decoy, or nil.
func (d *decoys) get(directory string, now time.Time) *stored {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.of[directory]
	if !ok || !now.Before(e.expires) {
		return nil
	}
	return &e.stored
}

// learn notes that a hash with that work was verified for c, and is dear.
func (d *decoys) learn(directory string, c Credential, work int, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e, ok := d.of[directory]
	switch current := ok && now.Before(e.expires); {
	case current && work < e.work, !ok && len(d.of) >= maxDecoys:
		return
	case !current || work > e.work:
		s, err := decoyOf(c)
		if err != nil {
			return
		}
		e.stored = s
	}
	e.expires = now.Add(decoyTTL)
	if d.of == nil {
		d.of = map[string]decoy{}
	}
	d.of[directory] = e
}

// decoyOf is a hash as dear as c with a random key, so that it is worth nothing.
func decoyOf(c Credential) (stored, error) {
	const bcryptSalt, bcryptBoth = 22, 53 // characters, which nothing parts
	start := strings.LastIndexByte(c.Hash, '$') + 1
	if len(c.Hash)-start == bcryptBoth {
		start += bcryptSalt
	}
	// The last character may not be just any: it holds what is left of the bits.
	end := len(strings.TrimRight(c.Hash, "=")) - 1
	if n := end - start; n > 0 {
		random := rand.Text()
		for len(random) < n {
			random += rand.Text()
		}
		c.Hash = c.Hash[:start] + random[:n] + c.Hash[end:]
	}
	return parseHash(c)
}
