package store

import (
	"context"
	"errors"

	"keyway/provider"
	"keyway/provider/identity"
)

// grantTexts are what [selectToken] reads of a grant that is no number.
const grantTexts = `g.id, g.client_id, g.subject, g.origin, g.system, g.scopes, g.audience, g.session, g.revoke_reason`

// addGrant inserts a grant unless its user may not have one. It locks the user's row
// against a change of the status: one that comes first is seen, and one that
// comes second sees the grant, and revokes it. A subject that is no user of ours lives
// elsewhere.
func addGrant(ctx context.Context, tx *session, g *provider.GrantRecord, sid string) error {
	n, err := tx.exec(ctx, `WITH who AS (SELECT status FROM users WHERE subject = $3`+tx.share+`)
		INSERT INTO oauth_grant (id, client_id, subject, origin, system, scopes, audience,
		session, auth_time, created_at, expires_at, revoked_at, revoke_reason, sid, connector)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15
		WHERE NOT EXISTS (SELECT 1 FROM who WHERE status IN ('disabled', 'deleted'))`,
		g.ID, g.ClientID, g.Subject, g.Origin, g.System, listText(g.Scopes), listText(g.Audience), g.Session,
		millis(g.AuthTime), millis(g.CreatedAt), millis(g.ExpiresAt), millis(g.RevokedAt), g.RevokeReason, sid, g.Connector)
	if err == nil && n == 0 {
		return identity.Failf(identity.ReasonDisabled, "user was disabled meanwhile")
	}
	return err
}

// Revoke implements [storage.TokenStorage].
func (s *Store) Revoke(ctx context.Context, q provider.RevokeQuery) (int, error) {
	var ended int
	err := s.write(ctx, func(ctx context.Context, tx *session) (err error) {
		if ended, err = s.revoke(ctx, tx, q); err != nil || q.Event == nil {
			return err
		}
		return s.addEvent(ctx, tx, q.Event)
	})
	return ended, err
}

// revoke marks the grants, and those that were made of them, and returns how many of
// them were live.
func (s *Store) revoke(ctx context.Context, tx *session, q provider.RevokeQuery) (int, error) {
	where, arg, err := selection(q)
	if err != nil {
		return 0, err
	}
	at := q.At
	if at.IsZero() {
		at = s.now()
	}
	r := &revocation{tx: tx, at: millis(at), reason: q.Reason}
	return r.run(ctx, where, arg)
}

// revocation marks grants as revoked.
type revocation struct {
	tx     *session
	at     int64
	reason string
	ended  int // how many were live
}

// run marks the grants that where selects by its parameters, from $3 on, and
// those that were made of them. Each generation has a statement of its own, which
// sees what the one before had to wait for: see [fromParent].
func (r *revocation) run(ctx context.Context, where string, args ...any) (int, error) {
	if _, err := r.mark(ctx, where, args...); err != nil {
		return 0, err
	}
	made, err := r.mark(ctx, `parent <> '' AND parent IN (SELECT id FROM oauth_grant WHERE `+where+`)`, args...)
	for err == nil && len(made) > 0 {
		var next []string
		for _, id := range made {
			var more []string
			if more, err = r.mark(ctx, `parent = $3 AND parent <> ''`, id); err != nil {
				break
			}
			next = append(next, more...)
		}
		made = next
	}
	return r.ended, err
}

// mark returns the ids of the grants that it marked.
func (r *revocation) mark(ctx context.Context, where string, args ...any) ([]string, error) {
	var ids []string
	err := r.tx.returning(ctx, `UPDATE oauth_grant SET revoked_at = $1, revoke_reason = $2
		WHERE revoked_at = 0 AND `+where+` RETURNING id, expires_at`, append([]any{r.at, r.reason}, args...), func(scan scanFunc) error {
		var (
			id      string
			expires int64
		)
		if err := scan(&id, &expires); err != nil {
			return err
		}
		if ids = append(ids, id); expires > r.at {
			r.ended++
		}
		return nil
	})
	return ids, err
}

// fromParent ties a new grant to the one that it was made of, which must be live:
// [identity.ErrNotFound]. It locks that one's row, after that of the user, as
// whoever disables the user does. A revocation that comes first is seen here; one
// that comes second waits, and finds the new grant when it looks for those that were
// made of what it revoked.
func fromParent(ctx context.Context, tx *session, x *provider.Issue) error {
	err := oneRow(ctx, tx, `SELECT 1 FROM oauth_grant WHERE id = $1 AND revoked_at = 0`, x.Parent)
	if errors.Is(err, identity.ErrConflict) {
		return identity.ErrNotFound
	}
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE oauth_grant SET parent = $1 WHERE id = $2`, x.Parent, x.GrantID)
	return err
}

func selection(q provider.RevokeQuery) (where, arg string, err error) {
	switch {
	case q.GrantID != "" && q.Subject == "" && q.ClientID == "":
		return `id = $3`, q.GrantID, nil
	case q.Subject != "" && q.GrantID == "" && q.ClientID == "":
		return `subject = $3 AND subject <> ''`, q.Subject, nil // the second part names the index
	case q.ClientID != "" && q.GrantID == "" && q.Subject == "":
		return `client_id = $3`, q.ClientID, nil
	default:
		return "", "", errors.New("store: a revocation selects by exactly one of grant, subject and client")
	}
}
