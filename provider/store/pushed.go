package store

import (
	"context"

	"keyway/provider"
	"keyway/provider/identity"
)

// AddPushed implements [storage.PushedStorage].
func (s *Store) AddPushed(ctx context.Context, r *provider.PushedRequest) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if r.Source != "" {
			if _, err := tx.exec(ctx, `DELETE FROM pushed_request WHERE hash IN
				(SELECT hash FROM pushed_request WHERE source = $1 AND source <> '' ORDER BY expires_at DESC LIMIT $2 OFFSET $3)`,
				r.Source, sweepBatch, provider.MaxPushedPerSource-1); err != nil {
				return err
			}
		}
		_, err := tx.exec(ctx, `INSERT INTO pushed_request (hash, client_id, source, query, expires_at, keep_until)
			VALUES ($1, $2, $3, $4, $5, $5)`, r.Hash[:], r.ClientID, r.Source, r.Query, millis(r.ExpiresAt))
		return err
	})
}

// FindPushed implements [storage.PushedStorage].
func (s *Store) FindPushed(ctx context.Context, h provider.Hash) (*provider.PushedRequest, error) {
	r, expires := provider.PushedRequest{Hash: h}, int64(0)
	err := s.readRow(ctx, `SELECT client_id, source, query, expires_at FROM pushed_request WHERE hash = $1 AND expires_at > $2`,
		[]any{h[:], millis(s.now())}, &r.ClientID, &r.Source, &r.Query, &expires)
	if err != nil {
		return nil, err
	}
	r.ExpiresAt = instant(expires)
	return &r, nil
}

// EndPushed implements [storage.PushedStorage].
func (s *Store) EndPushed(ctx context.Context, h provider.Hash) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error { return endPushed(ctx, tx, h) })
}

// endPushed deletes the row: of many at once, one finds it.
func endPushed(ctx context.Context, tx *session, h provider.Hash) error {
	n, err := tx.exec(ctx, `DELETE FROM pushed_request WHERE hash = $1`, h[:])
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}

// keepPushed keeps a request while somebody signs in for it, however soon it
// expires.
func keepPushed(ctx context.Context, tx *session, i *provider.Interaction) error {
	n, err := tx.exec(ctx, `UPDATE pushed_request SET keep_until = CASE WHEN keep_until < $1 THEN $1 ELSE keep_until END WHERE hash = $2`,
		millis(i.ExpiresAt), i.Pushed[:])
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}
