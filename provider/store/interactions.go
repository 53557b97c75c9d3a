package store

import (
	"context"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

// AddInteraction implements [storage.InteractionStorage].
func (s *Store) AddInteraction(ctx context.Context, i *provider.Interaction) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if err := makeRoom(ctx, tx, i); err != nil {
			return err
		}
		if i.Pushed != (provider.Hash{}) {
			if err := keepPushed(ctx, tx, i); err != nil {
				return err
			}
		}
		_, err := tx.exec(ctx, `INSERT INTO interaction
			(hash, browser, purpose, source, query, pushed, subject, signed_in, decision, chosen, device, created_at, expires_at, ended_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`, i.Hash[:], i.Browser[:], i.Purpose, i.Source, i.Query, orNull(i.Pushed),
			i.Subject, millis(i.SignedIn), i.Decision, i.Chosen, orNull(i.Device), millis(i.CreatedAt), millis(i.ExpiresAt), millis(i.EndedAt))
		return err
	})
}

// makeRoom deletes the oldest interactions of a browser and of a source that have
// as many as they may.
func makeRoom(ctx context.Context, tx *session, i *provider.Interaction) error {
	_, err := tx.exec(ctx, `DELETE FROM interaction WHERE hash IN
		(SELECT hash FROM interaction WHERE browser = $1 ORDER BY created_at DESC LIMIT $2 OFFSET $3)`,
		i.Browser[:], sweepBatch, provider.MaxInteractionsPerBrowser-1)
	if err != nil || i.Source == "" {
		return err
	}
	_, err = tx.exec(ctx, `DELETE FROM interaction WHERE hash IN
		(SELECT hash FROM interaction WHERE source = $1 AND source <> '' ORDER BY created_at DESC LIMIT $2 OFFSET $3)`,
		i.Source, sweepBatch, provider.MaxInteractionsPerSource-1)
	return err
}

// FindInteraction implements [storage.InteractionStorage].
func (s *Store) FindInteraction(ctx context.Context, h provider.Hash) (*provider.Interaction, error) {
	var (
		i                       = provider.Interaction{Hash: h}
		browser, pushed, device []byte
		times                   [4]int64
	)
	err := s.readRow(ctx, `SELECT browser, purpose, source, query, pushed, subject, decision, chosen, device, signed_in, created_at, expires_at, ended_at
		FROM interaction WHERE hash = $1 AND expires_at > $2`, []any{h[:], millis(s.now())},
		&browser, &i.Purpose, &i.Source, &i.Query, &pushed, &i.Subject, &i.Decision, &i.Chosen, &device, &times[0], &times[1], &times[2], &times[3])
	if err != nil {
		return nil, err
	}
	copy(i.Browser[:], browser)
	copy(i.Device[:], device)
	copy(i.Pushed[:], pushed)
	i.SignedIn, i.CreatedAt, i.ExpiresAt, i.EndedAt = instant(times[0]), instant(times[1]), instant(times[2]), instant(times[3])
	return &i, nil
}

// UpdateInteraction implements [storage.InteractionStorage].
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
	n, err := tx.exec(ctx, `UPDATE interaction SET subject = $1, signed_in = $2, decision = $3, chosen = $4, device = $5
		WHERE hash = $6 AND expires_at > $7 AND ended_at = 0`, i.Subject, millis(i.SignedIn), i.Decision, i.Chosen, orNull(i.Device), i.Hash[:], millis(now))
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}

// EndInteraction implements [storage.InteractionStorage].
func (s *Store) EndInteraction(ctx context.Context, h provider.Hash) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error { return endInteraction(ctx, tx, h, s.now()) })
}

// keepEnded is how long an interaction that has ended is kept, so that somebody
// who clicks twice can be told so.
const keepEnded = 2 * time.Minute

// endInteraction marks the row: of many at once, one changes it.
func endInteraction(ctx context.Context, tx *session, h provider.Hash, now time.Time) error {
	n, err := tx.exec(ctx, `UPDATE interaction SET ended_at = $1, expires_at = CASE WHEN expires_at > $2 THEN $2 ELSE expires_at END
		WHERE hash = $3 AND expires_at > $1 AND ended_at = 0`, millis(now), millis(now.Add(keepEnded)), h[:])
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}
