package store

import (
	"context"
	"crypto/sha256"
	"time"

	"keyway/provider/identity"
)

// RememberOnce implements [storage.ReplayStorage]. It stores only a hash, so
// the length of id does not matter. What has expired may be remembered anew.
func (s *Store) RememberOnce(ctx context.Context, namespace, id string, expires time.Time) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		return s.rememberOnce(ctx, tx, namespace+"\x00"+id, expires)
	})
}

func (s *Store) rememberOnce(ctx context.Context, tx *session, id string, expires time.Time) error {
	hash := sha256.Sum256([]byte(id))
	n, err := tx.exec(ctx, `INSERT INTO replay (hash, expires_at) VALUES ($1, $2)
		ON CONFLICT (hash) DO UPDATE SET expires_at = excluded.expires_at WHERE replay.expires_at <= $3`,
		hash[:], millis(expires), millis(s.now()))
	if err == nil && n == 0 {
		return identity.ErrConflict
	}
	return err
}
