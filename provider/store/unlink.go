package store

import (
	"context"
	"slices"

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
		if err := s.endConnector(ctx, tx, departure{subject: u.Subject, connector: connector, also: connector, reason: "unlinked"}); err != nil {
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
	own, err := hasPassword(ctx, tx, u.Subject)
	if err != nil || own {
		return err
	}
	others := 0
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
