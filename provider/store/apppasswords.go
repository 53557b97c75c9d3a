package store

import (
	"context"
	"errors"
	"time"

	"keyway/provider/identity"
)

var _ identity.AppPasswordStorage = (*Store)(nil)

// maxAppPasswords bounds what one person can fill.
const maxAppPasswords = 50

const appColumns = `id, subject, system, name, hash, created_at, used_at, expires_at, networks FROM app_password`

func scanAppPassword(scan scanFunc) (identity.AppPassword, error) {
	var (
		p                      identity.AppPassword
		hash                   []byte
		created, used, expires int64
		networks               string
	)
	err := scan(&p.ID, &p.Subject, &p.System, &p.Name, &hash, &created, &used, &expires, &networks)
	if err != nil {
		return p, err
	}
	copy(p.Hash[:], hash)
	p.CreatedAt, p.UsedAt, p.ExpiresAt = instant(created), instant(used), instant(expires)
	p.Networks, err = list(networks)
	return p, err
}

// AddAppPassword implements [identity.AppPasswordStorage].
func (s *Store) AddAppPassword(ctx context.Context, p *identity.AppPassword) error {
	if p.ID == "" || p.System == "" || len(p.Name) > maxKey || !storable(p.Name) {
		return errors.New("store: an app password needs an id, a system and a name of at most 512 bytes")
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		var version int64
		// The row is changed, not read: of two at once the second counts the first's.
		err := tx.returning(ctx, `UPDATE users SET updated_at = updated_at WHERE subject = $1 RETURNING credential_version`,
			[]any{p.Subject}, func(scan scanFunc) error { return scan(&version) })
		if err != nil {
			return err
		}
		if version == 0 {
			return identity.ErrNotFound
		}
		n, err := tx.exec(ctx, `INSERT INTO app_password (id, subject, system, name, hash, created_at, used_at, expires_at, networks)
			SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9 WHERE (SELECT count(*) FROM app_password WHERE subject = $2) < $10`,
			p.ID, p.Subject, p.System, p.Name, p.Hash[:], millis(p.CreatedAt), millis(p.UsedAt), millis(p.ExpiresAt), listText(p.Networks), maxAppPasswords)
		if err != nil {
			return err
		}
		if n == 0 {
			return identity.ErrConflict
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "app_password_added", Subject: p.Subject, System: p.System})
	})
}

// FindAppPassword implements [identity.AppPasswordStorage] in one indexed read.
func (s *Store) FindAppPassword(ctx context.Context, system string, hash [32]byte) (*identity.AppPassword, error) {
	var found *identity.AppPassword
	err := s.readRows(ctx, `SELECT `+appColumns+` WHERE system = $1 AND hash = $2`, []any{system, hash[:]}, func(scan scanFunc) error {
		p, err := scanAppPassword(scan)
		found = &p
		return err
	})
	if err == nil && found == nil {
		return nil, identity.ErrNotFound
	}
	return found, err
}

// ListAppPasswords implements [identity.AppPasswordStorage].
func (s *Store) ListAppPasswords(ctx context.Context, subject string) ([]identity.AppPassword, error) {
	var all []identity.AppPassword
	err := s.readRows(ctx, `SELECT `+appColumns+` WHERE subject = $1 ORDER BY created_at DESC, id`, []any{subject}, func(scan scanFunc) error {
		p, err := scanAppPassword(scan)
		all = append(all, p)
		return err
	})
	return all, err
}

// AllAppPasswords returns everybody's, the newest first, limit at most.
func (s *Store) AllAppPasswords(ctx context.Context, limit int) ([]identity.AppPassword, error) {
	var all []identity.AppPassword
	err := s.readRows(ctx, `SELECT `+appColumns+` ORDER BY created_at DESC, id LIMIT $1`, []any{max(limit, 0)}, func(scan scanFunc) error {
		p, err := scanAppPassword(scan)
		all = append(all, p)
		return err
	})
	return all, err
}

// RemoveAppPassword implements [identity.AppPasswordStorage].
func (s *Store) RemoveAppPassword(ctx context.Context, subject, id string) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		system := ""
		err := tx.returning(ctx, `DELETE FROM app_password WHERE id = $1 AND subject = $2 RETURNING system`, []any{id, subject},
			func(scan scanFunc) error { return scan(&system) })
		if err != nil {
			return err
		}
		if system == "" {
			return identity.ErrNotFound
		}
		r := &revocation{tx: tx, at: millis(s.now()), reason: "app password removed"}
		if _, err := r.run(ctx, `subject = $3 AND system = $4`, subject, system); err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "app_password_removed", Subject: subject, System: system})
	})
}

// TouchAppPassword implements [identity.AppPasswordStorage].
func (s *Store) TouchAppPassword(ctx context.Context, id string, at time.Time) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `UPDATE app_password SET used_at = $1 WHERE id = $2 AND used_at < $1`, millis(at), id)
		return err
	})
}
