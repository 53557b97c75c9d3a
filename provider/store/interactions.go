package store

import (
	"context"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

// AddInteraction implements [provider.InteractionStorage].
func (s *Store) AddInteraction(ctx context.Context, i *provider.Interaction) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `INSERT INTO interaction
			(hash, browser, purpose, query, subject, signed_in, decision, device, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, i.Hash[:], i.Browser[:], i.Purpose, i.Query, i.Subject,
			millis(i.SignedIn), i.Decision, orNull(i.Device), millis(i.CreatedAt), millis(i.ExpiresAt))
		return err
	})
}

// FindInteraction implements [provider.InteractionStorage].
func (s *Store) FindInteraction(ctx context.Context, h provider.Hash) (*provider.Interaction, error) {
	var (
		i                        = provider.Interaction{Hash: h}
		browser, device          []byte
		signedIn, begun, expires int64
	)
	err := s.readRow(ctx, `SELECT browser, purpose, query, subject, signed_in, decision, device, created_at, expires_at
		FROM interaction WHERE hash = $1 AND expires_at > $2`, []any{h[:], millis(s.now())},
		&browser, &i.Purpose, &i.Query, &i.Subject, &signedIn, &i.Decision, &device, &begun, &expires)
	if err != nil {
		return nil, err
	}
	copy(i.Browser[:], browser)
	copy(i.Device[:], device)
	i.SignedIn, i.CreatedAt, i.ExpiresAt = instant(signedIn), instant(begun), instant(expires)
	return &i, nil
}

// UpdateInteraction implements [provider.InteractionStorage].
func (s *Store) UpdateInteraction(ctx context.Context, i *provider.Interaction) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error { return updateInteraction(ctx, tx, i, s.now()) })
}

// orNull is no value for a hash that is none.
func orNull(h provider.Hash) any {
	if h == (provider.Hash{}) {
		return nil
	}
	return h[:]
}

func updateInteraction(ctx context.Context, tx *session, i *provider.Interaction, now time.Time) error {
	n, err := tx.exec(ctx, `UPDATE interaction SET subject = $1, signed_in = $2, decision = $3, device = $4
		WHERE hash = $5 AND expires_at > $6`, i.Subject, millis(i.SignedIn), i.Decision, orNull(i.Device), i.Hash[:], millis(now))
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}

// EndInteraction implements [provider.InteractionStorage].
func (s *Store) EndInteraction(ctx context.Context, h provider.Hash) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error { return endInteraction(ctx, tx, h, s.now()) })
}

// endInteraction deletes the row: of many at once, one finds it.
func endInteraction(ctx context.Context, tx *session, h provider.Hash, now time.Time) error {
	n, err := tx.exec(ctx, `DELETE FROM interaction WHERE hash = $1 AND expires_at > $2`, h[:], millis(now))
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}
