package store

import (
	"context"
	"encoding/hex"
	"errors"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

const sessionColumns = `b.hash, b.id, b.subject, b.amr, b.user_agent, b.remote_addr, b.auth_time, b.created_at, b.seen_at,
	b.expires_at, b.connector, b.acr, b.upstream_issuer, b.upstream_subject, b.upstream_sid, b.upstream_hint, b.factor_at, u.status FROM browser_session b JOIN users u ON u.subject = b.subject`

func (s *Store) scanSession(scan scanFunc) (provider.BrowserSession, error) {
	var (
		b          provider.BrowserSession
		hash, hint []byte
		amr        string
		times      [5]int64
	)
	err := scan(&hash, &b.ID, &b.Subject, &amr, &b.UserAgent, &b.RemoteAddr, &times[0], &times[1], &times[2], &times[3],
		&b.Connector, &b.ACR, &b.Upstream.Issuer, &b.Upstream.Subject, &b.Upstream.SID, &hint, &times[4], &b.UserStatus)
	if err != nil {
		return b, err
	}
	copy(b.Hash[:], hash)
	b.AuthTime, b.CreatedAt, b.SeenAt, b.ExpiresAt = instant(times[0]), instant(times[1]), instant(times[2]), instant(times[3])
	b.FactorAt = instant(times[4])
	if b.AMR, err = list(amr); err != nil {
		return b, err
	}
	b.Upstream.IDToken, err = s.openOptional(hint, sessionBinding(b.Hash))
	return b, err
}

func sessionBinding(h provider.Hash) string { return "browser_session|" + hex.EncodeToString(h[:]) }

// StartSession implements [storage.SessionStorage].
func (s *Store) StartSession(ctx context.Context, x *provider.SessionStart) error {
	hint, err := s.sealOptional(x.Session.Upstream.IDToken, sessionBinding(x.Session.Hash))
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if x.Interaction != nil {
			if err := updateInteraction(ctx, tx, x.Interaction, s.now()); err != nil {
				return err
			}
		}
		b := &x.Session
		if err := s.replaceSession(ctx, tx, x); err != nil {
			return err
		}
		n, err := tx.exec(ctx, `WITH who AS (SELECT status FROM users WHERE subject = $3`+tx.share+`) INSERT INTO browser_session
			(hash, id, subject, amr, user_agent, remote_addr, auth_time, created_at, seen_at, expires_at, connector, acr,
			upstream_issuer, upstream_subject, upstream_sid, upstream_hint, factor_at)
			SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17
			WHERE EXISTS (SELECT 1 FROM who WHERE status NOT IN ('disabled', 'deleted'))`, b.Hash[:], b.ID, b.Subject, listText(b.AMR), b.UserAgent,
			b.RemoteAddr, millis(b.AuthTime), millis(b.CreatedAt), millis(b.SeenAt), millis(b.ExpiresAt), b.Connector, b.ACR,
			b.Upstream.Issuer, b.Upstream.Subject, b.Upstream.SID, hint, millis(b.FactorAt))
		if err != nil {
			return err
		}
		if n == 0 {
			return identity.Failf(identity.ReasonDisabled, "user was disabled meanwhile")
		}
		return s.addEvent(ctx, tx, &x.Event)
	})
}

// replaceSession makes room for a browser's new session. One that goes on under its
// public id keeps its grants; one of somebody else ends.
func (s *Store) replaceSession(ctx context.Context, tx *session, x *provider.SessionStart) error {
	b := &x.Session
	n, err := tx.exec(ctx, `DELETE FROM browser_session WHERE id = $1 AND subject = $2`, b.ID, b.Subject)
	if err != nil {
		return err
	}
	if n > 0 {
		if err := extendSession(ctx, tx, b.ID, b.ExpiresAt); err != nil {
			return err
		}
	}
	if x.Replaces == (provider.Hash{}) {
		return nil
	}
	left, err := s.endSessions(ctx, tx, `hash = $1`, []any{x.Replaces[:]})
	if err != nil {
		return err
	}
	return s.addNotices(ctx, tx, left, false)
}

// FindSession implements [storage.SessionStorage] in one indexed query.
func (s *Store) FindSession(ctx context.Context, h provider.Hash) (*provider.BrowserSession, error) {
	var b provider.BrowserSession
	rctx, cancel, run := s.backend.read(ctx)
	defer cancel()
	found := false
	err := (&session{run: run}).rows(rctx, `SELECT `+sessionColumns+` WHERE b.hash = $1`, []any{h[:]}, func(scan scanFunc) (err error) {
		found = true
		b, err = s.scanSession(scan)
		return err
	})
	return &b, orNotFound(found, err)
}

// TouchSession implements [storage.SessionStorage].
func (s *Store) TouchSession(ctx context.Context, h provider.Hash, at time.Time) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `UPDATE browser_session SET seen_at = $1 WHERE hash = $2 AND seen_at < $1`, millis(at), h[:])
		return err
	})
}

// EndSessions implements [storage.SessionStorage].
func (s *Store) EndSessions(ctx context.Context, q provider.SessionQuery) ([]provider.SessionClient, error) {
	if q.Subject == "" {
		return nil, errors.New("store: browser sessions are ended by their subject")
	}
	var left []provider.SessionClient
	err := s.write(ctx, func(ctx context.Context, tx *session) (err error) {
		left, err = s.signOut(ctx, tx, signOut{subject: q.Subject, id: q.ID, grants: q.Grants, reason: "signed out everywhere"})
		if err != nil || q.Event == nil {
			return err
		}
		return s.addEvent(ctx, tx, q.Event)
	})
	return left, err
}

// ListSessions implements [storage.AccountStorage].
func (s *Store) ListSessions(ctx context.Context, subject string) ([]provider.BrowserSession, error) {
	var all []provider.BrowserSession
	err := s.readRows(ctx, `SELECT `+sessionColumns+` WHERE b.subject = $1 AND b.expires_at > $2 ORDER BY b.seen_at DESC, b.id`,
		[]any{subject, millis(s.now())}, func(scan scanFunc) error {
			b, err := s.scanSession(scan)
			all = append(all, b)
			return err
		})
	return all, err
}
