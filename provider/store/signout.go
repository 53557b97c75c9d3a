package store

import (
	"context"
	"errors"
	"strings"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

// signOut is what ends for a subject. Sessions are deleted first, and what was made in
// them is looked for then: whoever makes more of a session holds its row, so that
// whichever comes second sees the other.
type signOut struct {
	subject string
	id      string // of the one session that ends; "" for all
	keep    string // of the one session that stays; "" for none
	grants  bool   // every grant ends, but for those of keep
	reason  string // of the grants' end
}

// signOut ends sessions and grants, and leaves a notice for each client that wants
// one. It returns what people left.
func (s *Store) signOut(ctx context.Context, tx *session, q signOut) ([]provider.SessionClient, error) {
	where, args := `subject = $1`, []any{q.subject}
	if q.id != "" {
		where, args = `subject = $1 AND id = $2`, []any{q.subject, q.id}
	} else if q.keep != "" {
		where, args = `subject = $1 AND id <> $2`, []any{q.subject, q.keep}
	}
	left, err := s.endSessions(ctx, tx, where, args)
	if err != nil {
		return nil, err
	}
	if !q.grants {
		return left, s.addNotices(ctx, tx, left, false)
	}
	others, err := s.endGrants(ctx, tx, q)
	if err != nil {
		return nil, err
	}
	return left, s.addNotices(ctx, tx, append(others, left...), q.keep == "")
}

// endSessions deletes browser sessions, and revokes the grants that were made in
// them but for those with offline_access (OpenID Connect Back-Channel Logout 1.0,
// section 2.7).
func (s *Store) endSessions(ctx context.Context, tx *session, where string, args []any) ([]provider.SessionClient, error) {
	var sids []string
	err := tx.returning(ctx, `DELETE FROM browser_session WHERE `+where+` RETURNING id`, args, func(scan scanFunc) error {
		var sid string
		err := scan(&sid)
		sids = append(sids, sid)
		return err
	})
	if err != nil {
		return nil, err
	}
	var left []provider.SessionClient
	r := &revocation{tx: tx, at: millis(s.now()), reason: "session ended"}
	for _, sid := range sids {
		more, err := leave(ctx, tx, `sid = $1`, sid)
		if err != nil {
			return nil, err
		}
		left = append(left, more...)
		if _, err := r.run(ctx, `sid = $3 AND sid <> '' AND scopes NOT LIKE '%"offline_access"%'`, sid); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// leave forgets which clients belong to sessions, and returns them.
func leave(ctx context.Context, tx *session, where string, args ...any) ([]provider.SessionClient, error) {
	var left []provider.SessionClient
	err := tx.returning(ctx, `DELETE FROM session_client WHERE `+where+` RETURNING sid, client_id, subject`, args, func(scan scanFunc) error {
		var c provider.SessionClient
		err := scan(&c.SID, &c.ClientID, &c.Subject)
		left = append(left, c)
		return err
	})
	return left, err
}

// endGrants revokes what a subject granted, and returns the clients that had live
// grants, or that were left by sessions which are gone already.
func (s *Store) endGrants(ctx context.Context, tx *session, q signOut) ([]provider.SessionClient, error) {
	left, err := leave(ctx, tx, `subject = $1 AND sid <> $2`, q.subject, q.keep)
	if err != nil {
		return nil, err
	}
	now := millis(s.now())
	err = tx.rows(ctx, `SELECT DISTINCT client_id, sid FROM oauth_grant WHERE subject = $1 AND subject <> ''
		AND (sid <> $2 OR $2 = '') AND revoked_at = 0 AND expires_at > $3`, []any{q.subject, q.keep, now}, func(scan scanFunc) error {
		c := provider.SessionClient{Subject: q.subject}
		err := scan(&c.ClientID, &c.SID)
		left = append(left, c)
		return err
	})
	if err != nil {
		return nil, err
	}
	r := &revocation{tx: tx, at: now, reason: q.reason}
	_, err = r.run(ctx, `subject = $3 AND subject <> '' AND (sid <> $4 OR $4 = '')`, q.subject, q.keep)
	return left, err
}

// addSessionClient remembers that a person came to a client in a browser session,
// which is nothing where the session has ended.
func addSessionClient(ctx context.Context, tx *session, x *provider.Issue) error {
	if x.NewGrant == nil || x.SID == "" {
		return nil
	}
	_, err := tx.exec(ctx, `INSERT INTO session_client (sid, client_id, subject, expires_at)
		SELECT id, $1, subject, expires_at FROM browser_session WHERE id = $2`+tx.share+`
		ON CONFLICT (sid, client_id) DO UPDATE SET expires_at = excluded.expires_at
		WHERE session_client.expires_at < excluded.expires_at`, x.NewGrant.ClientID, x.SID)
	return err
}

// addNotices queues what clients are to be told. Everywhere means every session
// that a client has with the subject, which one notice without a session says, unless
// the client needs to know each. An internal client has nowhere to be told.
func (s *Store) addNotices(ctx context.Context, tx *session, left []provider.SessionClient, everywhere bool) error {
	clients, queued := map[string]*provider.Client{}, map[provider.SessionClient]bool{}
	for _, l := range left {
		c, known := clients[l.ClientID]
		if !known {
			var err error
			if c, err = notifiable(ctx, tx, l.ClientID); err != nil {
				return err
			}
			clients[l.ClientID] = c
		}
		if c == nil {
			continue
		}
		if everywhere && !c.BackchannelLogoutSession {
			l.SID = ""
		} else if l.SID == "" {
			continue
		}
		if queued[l] {
			continue
		}
		queued[l] = true
		now := s.now()
		_, err := tx.exec(ctx, `INSERT INTO logout_notice (id, client_id, subject, sid, tries, created_at, due_at)
			VALUES ($1, $2, $3, $4, 0, $5, $5)`, s.timeID(now), l.ClientID, l.Subject, l.SID, millis(now))
		if err != nil {
			return err
		}
	}
	return nil
}

// notifiable returns the client if it wants to be told of sign-outs, nil if not.
func notifiable(ctx context.Context, tx *session, id string) (*provider.Client, error) {
	var body string
	err := tx.row(ctx, `SELECT body FROM oauth_client WHERE id = $1`, []any{id}, &body)
	if errors.Is(err, identity.ErrNotFound) || err == nil && !strings.Contains(body, `"backchannel_logout_uri"`) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := parseClient(body)
	if err != nil || c.BackchannelLogoutURI == "" || c.Disabled {
		return nil, err
	}
	return c, nil
}

// ChangePassword implements [identity.PasswordStorage].
func (s *Store) ChangePassword(ctx context.Context, x *identity.PasswordChange) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if err := replaceHash(ctx, tx, x.Old, x.New); err != nil {
			return err
		}
		_, err := tx.exec(ctx, `UPDATE users SET credential_version = credential_version + 1, updated_at = $1 WHERE subject = $2`,
			millis(s.now()), x.Old.Subject)
		if err != nil {
			return err
		}
		if x.EndOthers {
			_, err := s.signOut(ctx, tx, signOut{subject: x.Old.Subject, keep: x.Keep, grants: true, reason: "password changed"})
			if err != nil {
				return err
			}
		}
		return s.addEvent(ctx, tx, &x.Event)
	})
}

// extendSession makes what is known of a session live as long as it does.
func extendSession(ctx context.Context, tx *session, sid string, until time.Time) error {
	_, err := tx.exec(ctx, `UPDATE session_client SET expires_at = $1 WHERE sid = $2`, millis(until), sid)
	return err
}
