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
			(hash, browser, query, subject, signed_in, decision, created_at, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`, i.Hash[:], i.Browser[:], i.Query, i.Subject,
			millis(i.SignedIn), i.Decision, millis(i.CreatedAt), millis(i.ExpiresAt))
		return err
	})
}

// FindInteraction implements [provider.InteractionStorage].
func (s *Store) FindInteraction(ctx context.Context, h provider.Hash) (*provider.Interaction, error) {
	var (
		i                        = provider.Interaction{Hash: h}
		browser                  []byte
		signedIn, begun, expires int64
	)
	err := s.readRow(ctx, `SELECT browser, query, subject, signed_in, decision, created_at, expires_at
		FROM interaction WHERE hash = $1 AND expires_at > $2`, []any{h[:], millis(s.now())},
		&browser, &i.Query, &i.Subject, &signedIn, &i.Decision, &begun, &expires)
	if err != nil {
		return nil, err
	}
	copy(i.Browser[:], browser)
	i.SignedIn, i.CreatedAt, i.ExpiresAt = instant(signedIn), instant(begun), instant(expires)
	return &i, nil
}

// UpdateInteraction implements [provider.InteractionStorage].
func (s *Store) UpdateInteraction(ctx context.Context, i *provider.Interaction) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error { return updateInteraction(ctx, tx, i, s.now()) })
}

func updateInteraction(ctx context.Context, tx *session, i *provider.Interaction, now time.Time) error {
	n, err := tx.exec(ctx, `UPDATE interaction SET subject = $1, signed_in = $2, decision = $3
		WHERE hash = $4 AND expires_at > $5`, i.Subject, millis(i.SignedIn), i.Decision, i.Hash[:], millis(now))
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
