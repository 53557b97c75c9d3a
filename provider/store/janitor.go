package store

import (
	"context"
	"log/slog"
	"time"
)

const (
	janitorLease = "janitor"
	sweepBatch   = 250
	// A sweep that did not come back gives the lease up after this.
	leaseTime = 2 * time.Minute
	// A used refresh token stays at least so long, so that its reuse is seen.
	keepUsed = 30 * time.Minute
)

// Janitor sweeps every so often until ctx ends. Failures are logged, and the next
// sweep tries again.
func (s *Store) Janitor(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		n, err := s.Sweep(ctx)
		if err != nil && ctx.Err() == nil {
			s.log.LogAttrs(ctx, slog.LevelWarn, "sweeping the database failed", slog.Any("error", err))
		} else if n > 0 {
			s.log.LogAttrs(ctx, slog.LevelDebug, "swept the database", slog.Int("deleted", n))
		}
	}
}

// Sweep deletes what has expired: grants with their tokens and codes, tokens, remembered
// identifiers, interactions, pushed requests, device codes, browser sessions, invitations, failed sign-ins and old events. It deletes a few rows at a time, so that
// logins pass in between, and does nothing while another replica sweeps.
func (s *Store) Sweep(ctx context.Context) (deleted int, err error) {
	mine, err := s.lease(ctx)
	if err != nil || !mine {
		return 0, err
	}
	defer func() {
		if e := s.release(context.WithoutCancel(ctx)); err == nil {
			err = e
		}
	}()
	for _, d := range s.dead() {
		n, err := s.sweepAll(ctx, d)
		deleted += n
		if err != nil {
			return deleted, err
		}
	}
	return deleted, nil
}

type deletion struct {
	query string
	args  []any
}

// dead returns the deletions of one sweep. Each takes one more argument, the
// size of a batch.
func (s *Store) dead() []deletion {
	now := s.now()
	expired := millis(now.Add(-s.keep.expired))
	used := millis(now.Add(-keepUsed))
	d := []deletion{
		{`DELETE FROM oauth_grant WHERE id IN
			(SELECT id FROM oauth_grant WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, []any{min(expired, used)}},
		{`DELETE FROM oauth_token WHERE hash IN
			(SELECT hash FROM oauth_token WHERE expires_at < $1 AND (used = FALSE OR first_used_at < $2)
			ORDER BY expires_at LIMIT $3)`, []any{expired, used}},
		{`DELETE FROM replay WHERE hash IN
			(SELECT hash FROM replay WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, []any{millis(now)}},
		{`DELETE FROM interaction WHERE hash IN
			(SELECT hash FROM interaction WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, []any{millis(now)}},
		{`DELETE FROM device_code WHERE hash IN
			(SELECT hash FROM device_code WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, []any{expired}},
		{`DELETE FROM upstream_trip WHERE hash IN
			(SELECT hash FROM upstream_trip WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, []any{millis(now)}},
		{`DELETE FROM factor_challenge WHERE hash IN
			(SELECT hash FROM factor_challenge WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, []any{millis(now)}},
		{`DELETE FROM invitation WHERE hash IN
			(SELECT hash FROM invitation WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, []any{millis(now)}},
		{`DELETE FROM pushed_request WHERE hash IN
			(SELECT hash FROM pushed_request WHERE keep_until <= $1 ORDER BY keep_until LIMIT $2)`, []any{millis(now)}},
		{`DELETE FROM browser_session WHERE hash IN
			(SELECT hash FROM browser_session WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, []any{millis(now)}},
		{`DELETE FROM session_client WHERE (sid, client_id) IN
			(SELECT sid, client_id FROM session_client WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)`, []any{millis(now)}},
		{
			`DELETE FROM attempt WHERE id IN (SELECT id FROM attempt WHERE id < $1 ORDER BY id LIMIT $2)`,
			[]any{timePrefix(now.Add(-s.keep.attempts))},
		},
	}
	if s.keep.events > 0 {
		d = append(d, deletion{
			`DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id < $1 ORDER BY id LIMIT $2)`,
			[]any{timePrefix(now.Add(-s.keep.events))},
		})
	}
	return d
}

// sweepAll repeats d until it finds no more, and extends the lease with each
// batch.
func (s *Store) sweepAll(ctx context.Context, d deletion) (deleted int, err error) {
	args := append(d.args, sweepBatch)
	for {
		n, mine := 0, true
		err := s.write(ctx, func(ctx context.Context, tx *session) (err error) {
			if n, err = tx.exec(ctx, d.query, args...); err != nil || n == 0 {
				return err
			}
			mine, err = s.takeLease(ctx, tx)
			return err
		})
		if err != nil {
			return deleted, err
		}
		deleted += n
		if n < sweepBatch || !mine {
			return deleted, nil
		}
	}
}

// lease reports whether this Store may sweep now.
func (s *Store) lease(ctx context.Context) (mine bool, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *session) (err error) {
		mine, err = s.takeLease(ctx, tx)
		return err
	})
	return mine, err
}

func (s *Store) takeLease(ctx context.Context, tx *session) (bool, error) {
	now := s.now()
	n, err := tx.exec(ctx, `INSERT INTO lease (name, holder, until, version) VALUES ($1, $2, $3, 0)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE lease.until <= $4 OR lease.holder = excluded.holder`,
		janitorLease, s.holder, millis(now.Add(leaseTime)), millis(now))
	return n > 0, err
}

func (s *Store) release(ctx context.Context) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `UPDATE lease SET until = 0 WHERE name = $1 AND holder = $2`, janitorLease, s.holder)
		return err
	})
}
