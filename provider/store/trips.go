package store

import (
	"context"

	"keyway/provider/federation"
	"keyway/provider/identity"
)

var _ federation.Storage = (*Store)(nil)

// maxTrips is how many trips of one browser are open at a time; with one more
// the oldest goes.
const maxTrips = 20

// AddTrip implements [federation.Storage].
func (s *Store) AddTrip(ctx context.Context, t *federation.Trip) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `DELETE FROM upstream_trip WHERE browser = $1 AND hash NOT IN
			(SELECT hash FROM upstream_trip WHERE browser = $1 ORDER BY created_at DESC, hash LIMIT $2)`, t.Browser[:], maxTrips-1)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO upstream_trip
			(hash, connector, browser, interaction, subject, session, fresh, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, t.Hash[:], t.Connector, t.Browser[:], t.Interaction, t.Subject,
			t.Session[:], t.Fresh, millis(t.CreatedAt), millis(t.ExpiresAt))
		return err
	})
}

// TakeTrip implements [federation.Storage].
func (s *Store) TakeTrip(ctx context.Context, hash [32]byte) (*federation.Trip, error) {
	var t *federation.Trip
	err := s.write(ctx, func(ctx context.Context, tx *session) error {
		t = nil
		return tx.returning(ctx, `DELETE FROM upstream_trip WHERE hash = $1 AND expires_at > $2
			RETURNING connector, browser, interaction, subject, session, fresh, created_at, expires_at`,
			[]any{hash[:], millis(s.now())}, func(scan scanFunc) error {
				var (
					browser, own   []byte
					begun, expires int64
				)
				t = &federation.Trip{Hash: hash}
				err := scan(&t.Connector, &browser, &t.Interaction, &t.Subject, &own, &t.Fresh, &begun, &expires)
				copy(t.Browser[:], browser)
				copy(t.Session[:], own)
				t.CreatedAt, t.ExpiresAt = instant(begun), instant(expires)
				return err
			})
	})
	if err == nil && t == nil {
		return nil, identity.ErrNotFound
	}
	return t, err
}
