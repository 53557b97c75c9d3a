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
func addGrant(ctx context.Context, tx *session, g *provider.GrantRecord) error {
	n, err := tx.exec(ctx, `WITH who AS (SELECT status FROM users WHERE subject = $3`+tx.share+`)
		INSERT INTO oauth_grant (id, client_id, subject, origin, system, scopes, audience,
		session, auth_time, created_at, expires_at, revoked_at, revoke_reason)
		SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13
		WHERE NOT EXISTS (SELECT 1 FROM who WHERE status IN ('disabled', 'deleted'))`,
		g.ID, g.ClientID, g.Subject, g.Origin, g.System, listText(g.Scopes), listText(g.Audience), g.Session,
		millis(g.AuthTime), millis(g.CreatedAt), millis(g.ExpiresAt), millis(g.RevokedAt), g.RevokeReason)
	if err == nil && n == 0 {
		return identity.Failf(identity.ReasonDisabled, "user was disabled meanwhile")
	}
	return err
}

// Revoke implements [provider.TokenStorage].
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

// revoke marks the grants and returns how many of them were live.
func (s *Store) revoke(ctx context.Context, tx *session, q provider.RevokeQuery) (int, error) {
	where, arg, err := selection(q)
	if err != nil {
		return 0, err
	}
	at := q.At
	if at.IsZero() {
		at = s.now()
	}
	ended := 0
	err = tx.returning(ctx, `UPDATE oauth_grant SET revoked_at = $1, revoke_reason = $2
		WHERE revoked_at = 0 AND `+where+` RETURNING expires_at`, []any{millis(at), q.Reason, arg}, func(scan scanFunc) error {
		var expires int64
		if err := scan(&expires); err != nil {
			return err
		}
		if expires > millis(at) {
			ended++
		}
		return nil
	})
	return ended, err
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
