package store

import (
	"context"
	"time"

	"keyway/provider/identity"
)

// EventQuery selects events of the audit trail.
type EventQuery struct {
	Subject string    // "": anybody's
	Kind    string    // "": any
	After   time.Time // only events later than this
	Limit   int       // of the page; 0 means 100
}

// RecordEvent stores e.
func (s *Store) RecordEvent(ctx context.Context, e identity.Event) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error { return s.addEvent(ctx, tx, &e) })
}

func (s *Store) addEvents(ctx context.Context, tx *session, events []identity.Event) error {
	for i := range events {
		if err := s.addEvent(ctx, tx, &events[i]); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) addEvent(ctx context.Context, tx *session, e *identity.Event) error {
	at := e.At
	if at.IsZero() {
		at = s.now()
	}
	_, err := tx.exec(ctx, `INSERT INTO event
		(id, at, kind, reason, subject, directory, system, client_id, grant_id, remote_addr, request_id, connector, verifier)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		s.timeID(at), millis(at), e.Kind, string(e.Reason), e.Subject, e.Directory, e.System, e.ClientID,
		e.GrantID, e.RemoteAddr, e.RequestID, e.Connector, e.Verifier)
	return err
}

// ListEvents returns the events that q selects, the oldest first. For the next page, ask
// again with After set to the last one's time: a page is longer than its limit
// where several events share the last one's millisecond, so none is lost between pages.
func (s *Store) ListEvents(ctx context.Context, q EventQuery) ([]identity.Event, error) {
	where, args := `id >= $1`, []any{timePrefix(q.After.Add(time.Millisecond))}
	if q.Subject != "" {
		args = append(args, q.Subject)
		where += ` AND subject = $2 AND subject <> ''` // the second part names the index
	}
	if q.Kind != "" {
		where += ` AND kind = ` + placeholders(len(args)+1, 1)
		args = append(args, q.Kind)
	}
	if q.Limit <= 0 {
		q.Limit = 100
	}
	query := `SELECT at, kind, reason, subject, directory, system, client_id, grant_id, remote_addr, request_id, connector, verifier
		FROM event WHERE ` + where + ` AND at <=
		(SELECT max(at) FROM (SELECT at FROM event WHERE ` + where + ` ORDER BY id LIMIT ` + placeholders(len(args)+1, 1) + `) page)
		ORDER BY id`
	var events []identity.Event
	err := s.readRows(ctx, query, append(args, q.Limit), func(scan scanFunc) error {
		var (
			e  identity.Event
			at int64
		)
		err := scan(&at, &e.Kind, &e.Reason, &e.Subject, &e.Directory, &e.System, &e.ClientID, &e.GrantID, &e.RemoteAddr, &e.RequestID, &e.Connector, &e.Verifier)
		e.At = instant(at)
		events = append(events, e)
		return err
	})
	return events, err
}
