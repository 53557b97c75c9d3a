package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"keyway/provider/identity"
)

// attemptKey is how a key of [identity.Attempts] is stored: hashed, for it may be
// made of whatever somebody typed as a name.
func attemptKey(key string) []byte {
	h := sha256.Sum256([]byte(key))
	return h[:]
}

func attemptKeys(keys []string) []any {
	args := make([]any, 0, len(keys)+1)
	for _, k := range padded(keys) {
		args = append(args, attemptKey(k))
	}
	return args
}

// CountFailures implements [identity.Attempts]. Keys that never failed are in
// the result with 0.
func (s *Store) CountFailures(ctx context.Context, keys []string, since time.Time) (map[string]int, error) {
	counts := make(map[string]int, len(keys))
	if len(keys) == 0 {
		return counts, nil
	}
	byHash := make(map[string]int, len(keys))
	args := attemptKeys(keys)
	query := `SELECT key, count(*) FROM attempt WHERE key IN (` + placeholders(1, len(args)) + `) AND at >= ` +
		placeholders(len(args)+1, 1) + ` GROUP BY key`
	err := s.readRows(ctx, query, append(args, millis(since)), func(scan scanFunc) error {
		var (
			key []byte
			n   int
		)
		err := scan(&key, &n)
		byHash[string(key)] = n
		return err
	})
	for _, k := range keys {
		counts[k] = byHash[string(attemptKey(k))]
	}
	return counts, err
}

// RecordFailure implements [identity.Attempts].
func (s *Store) RecordFailure(ctx context.Context, keys []string, e identity.Event) error {
	at := e.At
	if at.IsZero() {
		at = s.now()
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		for _, k := range keys {
			_, err := tx.exec(ctx, `INSERT INTO attempt (id, key, at) VALUES ($1, $2, $3)`, s.timeID(at), attemptKey(k), millis(at))
			if err != nil {
				return err
			}
		}
		return s.addEvent(ctx, tx, &e)
	})
}

// ClearFailures implements [identity.Attempts]. Where there are none, which is what
// most good logins find, it does not write.
func (s *Store) ClearFailures(ctx context.Context, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	args := attemptKeys(keys)
	in := ` FROM attempt WHERE key IN (` + placeholders(1, len(args)) + `)`
	var one int
	err := s.readRow(ctx, `SELECT 1`+in+` LIMIT 1`, args, &one)
	if errors.Is(err, identity.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `DELETE`+in, args...)
		return err
	})
}
