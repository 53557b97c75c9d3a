package store

import (
	"context"
	"time"

	"keyway/provider"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/upstream"
)

var _ federation.Follows = (*Store)(nil)

// ClaimLink implements [federation.Follows].
func (s *Store) ClaimLink(ctx context.Context, c *federation.Claim) (*identity.Link, error) {
	var l *identity.Link
	err := s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `UPDATE upstream_link SET asked_by = $1, ask_at = $2
			WHERE issuer = $3 AND upstream_subject = $4 AND ask_at <= $5 AND seen_at <= $6 AND refused_at = 0`,
			c.ID, millis(c.Until), c.Issuer, c.Subject, millis(s.now()), millis(c.Seen))
		if err != nil {
			return err
		}
		l, err = s.findLink(func(query string, args []any, each func(scanFunc) error) error {
			return tx.rows(ctx, query, args, each)
		}, c.Issuer, c.Subject)
		if err == nil && n == 0 {
			return identity.ErrConflict
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// endClaim ends a claim that is held, else it is [identity.ErrNotFound].
func endClaim(ctx context.Context, tx *session, c *federation.Claim, next time.Time) error {
	n, err := tx.exec(ctx, `UPDATE upstream_link SET asked_by = '', ask_at = $1 WHERE issuer = $2 AND upstream_subject = $3 AND asked_by = $4`,
		millis(next), c.Issuer, c.Subject, c.ID)
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}

// KeepFollowed implements [federation.Follows].
func (s *Store) KeepFollowed(ctx context.Context, f *federation.Followed) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if err := s.takeTurns(ctx, tx); err != nil { // before the link, as every sign-in does
			return err
		}
		if err := endClaim(ctx, tx, f.Claim, time.Time{}); err != nil {
			return err
		}
		if f.Silent {
			return s.seeLink(ctx, tx, f.Person)
		}
		_, err := s.saveFederated(ctx, tx, f.Person, false)
		return err
	})
}

// ReleaseLink implements [federation.Follows].
func (s *Store) ReleaseLink(ctx context.Context, c *federation.Claim, refresh []byte, next time.Time) error {
	sealed, err := s.sealOptional(refresh, linkBinding(c.Issuer, c.Subject))
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if err := endClaim(ctx, tx, c, next); err != nil || sealed == nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE upstream_link SET refresh = $1 WHERE issuer = $2 AND upstream_subject = $3`, sealed, c.Issuer, c.Subject)
		return err
	})
}

// EndFollowed implements [federation.Follows].
func (s *Store) EndFollowed(ctx context.Context, r *federation.Refusal) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if err := endClaim(ctx, tx, r.Claim, time.Time{}); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE upstream_link SET refresh = NULL, access = NULL, access_expires = 0, refused_at = $1
			WHERE issuer = $2 AND upstream_subject = $3`, millis(s.now()), r.Claim.Issuer, r.Claim.Subject)
		if err != nil {
			return err
		}
		d := departure{subject: r.Subject, connector: r.Connector, also: r.Connector, reason: "refused by the upstream"}
		if r.Made {
			own, err := hasPassword(ctx, tx, r.Subject)
			if err != nil {
				return err
			}
			if !own {
				d.also = ""
			}
		}
		if err := s.endConnector(ctx, tx, d); err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &r.Event)
	})
}

// hasPassword reports whether somebody has a password here, and so does not depend on
// an upstream alone.
func hasPassword(ctx context.Context, tx *session, subject string) (bool, error) {
	n := 0
	err := tx.row(ctx, `SELECT count(*) FROM credential WHERE subject = $1 AND slot = $2`, []any{subject, identity.SlotPassword}, &n)
	return n > 0, err
}

// departure is what ends with a subject's tie to an upstream.
type departure struct {
	subject   string
	connector string
	also      string // a second connector, which may be the same; "" for what came by none
	reason    string // of the grants' end
}

// endConnector ends the sessions and grants of a subject that came by a connector,
// also those that outlive their sessions, in the order of [Store.signOut].
func (s *Store) endConnector(ctx context.Context, tx *session, d departure) error {
	left, err := s.endSessions(ctx, tx, `subject = $1 AND connector IN ($2, $3)`, []any{d.subject, d.connector, d.also})
	if err != nil {
		return err
	}
	now := millis(s.now())
	err = tx.rows(ctx, `SELECT DISTINCT client_id, sid FROM oauth_grant WHERE subject = $1 AND subject <> ''
		AND connector IN ($2, $3) AND revoked_at = 0 AND expires_at > $4`, []any{d.subject, d.connector, d.also, now}, func(scan scanFunc) error {
		c := provider.SessionClient{Subject: d.subject}
		err := scan(&c.ClientID, &c.SID)
		left = append(left, c)
		return err
	})
	if err != nil {
		return err
	}
	r := &revocation{tx: tx, at: now, reason: d.reason}
	if _, err := r.run(ctx, `subject = $3 AND subject <> '' AND connector IN ($4, $5)`, d.subject, d.connector, d.also); err != nil {
		return err
	}
	return s.addNotices(ctx, tx, left, false)
}

// EndUpstream implements [federation.Storage]. What is remembered of the id and
// what ends are one transaction: an upstream that was told of an outage may try again.
func (s *Store) EndUpstream(ctx context.Context, l *upstream.Logout, e identity.Event) (int, error) {
	where, args := `upstream_issuer = $1 AND upstream_issuer <> '' AND upstream_subject = $2`, []any{l.Issuer, l.Subject}
	switch {
	case l.SID != "" && l.Subject != "":
		where, args = where+` AND upstream_sid = $3`, append(args, l.SID)
	case l.SID != "":
		where, args = `upstream_issuer = $1 AND upstream_sid = $2 AND upstream_sid <> ''`, []any{l.Issuer, l.SID}
	}
	ended := 0
	err := s.write(ctx, func(ctx context.Context, tx *session) error {
		ended = 0
		err := s.rememberOnce(ctx, tx, "upstream logout\x00"+l.Issuer+"\x00"+l.ID, l.Expires)
		if err != nil {
			return err
		}
		var subjects []string
		err = tx.rows(ctx, `SELECT subject FROM browser_session WHERE `+where+` ORDER BY subject`, args, func(scan scanFunc) error {
			var subject string
			err := scan(&subject)
			subjects = append(subjects, subject)
			return err
		})
		if err != nil || len(subjects) == 0 {
			return err
		}
		left, err := s.endSessions(ctx, tx, where, args)
		if err != nil {
			return err
		}
		ended = len(subjects)
		return s.tellEnded(ctx, tx, ending{subjects: subjects, left: left, event: e})
	})
	return ended, err
}

// ending is what ended by an upstream's word.
type ending struct {
	subjects []string // sorted
	left     []provider.SessionClient
	event    identity.Event
}

func (s *Store) tellEnded(ctx context.Context, tx *session, x ending) error {
	for i, subject := range x.subjects {
		if i > 0 && x.subjects[i-1] == subject {
			continue
		}
		e := x.event
		e.Subject = subject
		if err := s.addEvent(ctx, tx, &e); err != nil {
			return err
		}
	}
	return s.addNotices(ctx, tx, x.left, false)
}
