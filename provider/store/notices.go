package store

import (
	"context"
	"time"

	"keyway/provider/identity"
	"keyway/provider/logout"
)

// ClaimNotices implements [logout.Queue]. Looking costs no write while nothing is
// due. A claim is one conditional update: of many at once, one changes the row.
func (s *Store) ClaimNotices(ctx context.Context, limit int, until time.Time) ([]logout.Notice, error) {
	now, due := millis(s.now()), 0
	err := s.readRow(ctx, `SELECT COUNT(*) FROM (SELECT 1 FROM logout_notice WHERE due_at <= $1 LIMIT 1) d`, []any{now}, &due)
	if err != nil || due == 0 {
		return nil, err
	}
	var all []logout.Notice
	err = s.write(ctx, func(ctx context.Context, tx *session) error {
		all = nil
		return tx.returning(ctx, `UPDATE logout_notice SET due_at = $1, tries = tries + 1
			WHERE id IN (SELECT id FROM logout_notice WHERE due_at <= $2 ORDER BY due_at, id LIMIT $3) AND due_at <= $2
			RETURNING id, client_id, subject, sid, tries, created_at`, []any{millis(until), now, limit}, func(scan scanFunc) error {
			n, created := logout.Notice{Claimed: until}, int64(0)
			err := scan(&n.ID, &n.ClientID, &n.Subject, &n.SID, &n.Tries, &created)
			n.CreatedAt = instant(created)
			all = append(all, n)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// PostponeNotice implements [logout.Queue].
func (s *Store) PostponeNotice(ctx context.Context, n *logout.Notice, due time.Time) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `UPDATE logout_notice SET due_at = $1, tries = $2 WHERE id = $3 AND due_at = $4`,
			millis(due), n.Tries, n.ID, millis(n.Claimed))
		return err
	})
}

// EndNotice implements [logout.Queue].
func (s *Store) EndNotice(ctx context.Context, n *logout.Notice, e *identity.Event) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		ended, err := tx.exec(ctx, `DELETE FROM logout_notice WHERE id = $1 AND due_at = $2`, n.ID, millis(n.Claimed))
		if err != nil || ended == 0 || e == nil {
			return err
		}
		return s.addEvent(ctx, tx, e)
	})
}
