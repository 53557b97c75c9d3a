package store

import (
	"context"
	"slices"

	"keyway/provider"
	"keyway/provider/identity"
)

// RemoveLink implements [identity.Links].
func (s *Store) RemoveLink(ctx context.Context, u *identity.Unlinking) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if err := s.takeTurns(ctx, tx); err != nil { // of two links, one may be the last
			return err
		}
		var connector string
		err := tx.row(ctx, `SELECT connector FROM upstream_link WHERE issuer = $1 AND upstream_subject = $2 AND subject = $3`,
			[]any{u.Issuer, u.UpstreamSubject, u.Subject}, &connector)
		if err != nil {
			return err
		}
		if err := s.spareLastWay(ctx, tx, u); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `DELETE FROM upstream_link WHERE issuer = $1 AND upstream_subject = $2`, u.Issuer, u.UpstreamSubject); err != nil {
			return err
		}
		if err := s.endConnected(ctx, tx, u.Subject, connector); err != nil {
			return err
		}
		e := identity.Event{Subject: u.Subject}
		if u.Event != nil {
			e = *u.Event
		}
		e.Kind, e.Connector = "user_unlinked", connector
		return s.addEvent(ctx, tx, &e)
	})
}

// spareLastWay refuses to shut somebody out.
func (s *Store) spareLastWay(ctx context.Context, tx *session, u *identity.Unlinking) error {
	if u.Anyway {
		return nil
	}
	passwords, others := 0, 0
	err := tx.row(ctx, `SELECT count(*) FROM credential WHERE subject = $1 AND slot = $2`, []any{u.Subject, identity.SlotPassword}, &passwords)
	if err != nil || passwords > 0 {
		return err
	}
	err = tx.rows(ctx, `SELECT connector FROM upstream_link WHERE subject = $1 AND NOT (issuer = $2 AND upstream_subject = $3)`,
		[]any{u.Subject, u.Issuer, u.UpstreamSubject}, func(scan scanFunc) error {
			var connector string
			err := scan(&connector)
			if slices.Contains(u.Others, connector) {
				others++
			}
			return err
		})
	if err == nil && others == 0 {
		return identity.ErrLastWay
	}
	return err
}

// endConnected ends the sessions and grants that somebody has by the word of a
// connector's upstream: also grants that outlive their sessions.
func (s *Store) endConnected(ctx context.Context, tx *session, subject, connector string) error {
	left, err := s.endSessions(ctx, tx, `subject = $1 AND connector = $2`, []any{subject, connector})
	if err != nil {
		return err
	}
	var ids []string
	err = tx.rows(ctx, `SELECT id, session FROM oauth_grant WHERE subject = $1 AND subject <> '' AND revoked_at = 0 AND expires_at > $2`,
		[]any{subject, millis(s.now())}, func(scan scanFunc) error {
			var (
				id     string
				stored []byte
			)
			if err := scan(&id, &stored); err != nil {
				return err
			}
			if of, err := provider.ParseSession(stored); err == nil && of.Connector == connector { // what cannot be read, nobody can use
				ids = append(ids, id)
			}
			return nil
		})
	if err != nil {
		return err
	}
	r := &revocation{tx: tx, at: millis(s.now()), reason: "unlinked"}
	for _, id := range ids {
		if _, err := r.run(ctx, `id = $3`, id); err != nil {
			return err
		}
	}
	return s.addNotices(ctx, tx, left, false)
}
