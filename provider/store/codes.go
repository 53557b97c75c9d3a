package store

import (
	"context"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

func addCode(ctx context.Context, tx *session, c *provider.CodeRecord) error {
	_, err := tx.exec(ctx, `INSERT INTO oauth_code (hash, grant_id, redirect_uri, challenge, issued_at, expires_at, used)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		c.Hash[:], c.GrantID, c.RedirectURI, c.Challenge, millis(c.IssuedAt), millis(c.ExpiresAt), c.Used)
	return err
}

// redeem uses the code up. Of many at once, one changes the row.
func redeem(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	n, err := tx.exec(ctx, `UPDATE oauth_code SET used = TRUE
		WHERE hash = $1 AND grant_id = $2 AND used = FALSE AND expires_at > $3`, x.Redeem[:], x.GrantID, millis(now))
	if err == nil && n == 0 {
		return identity.ErrConflict
	}
	return err
}

// FindCode implements [storage.CodeStorage] in one indexed query.
func (s *Store) FindCode(ctx context.Context, h provider.Hash) (*provider.StoredCode, error) {
	var (
		x               provider.StoredCode
		gScopes, gAud   string
		issued, expires int64
		times           [4]int64
	)
	c, g := &x.Code, &x.Grant
	err := s.readRow(ctx, `SELECT c.redirect_uri, c.challenge, c.issued_at, c.expires_at, c.used, `+grantTexts+`,
		g.auth_time, g.created_at, g.expires_at, g.revoked_at, g.connector, COALESCE(u.status, '')
		FROM oauth_code c JOIN oauth_grant g ON g.id = c.grant_id LEFT JOIN users u ON u.subject = g.subject
		WHERE c.hash = $1`, []any{h[:]}, &c.RedirectURI, &c.Challenge, &issued, &expires, &c.Used,
		&g.ID, &g.ClientID, &g.Subject, &g.Origin, &g.System, &gScopes, &gAud, &g.Session, &g.RevokeReason,
		&times[0], &times[1], &times[2], &times[3], &g.Connector, &x.UserStatus)
	if err != nil {
		return nil, err
	}
	c.Hash, c.GrantID, c.IssuedAt, c.ExpiresAt = h, g.ID, instant(issued), instant(expires)
	g.AuthTime, g.CreatedAt, g.ExpiresAt, g.RevokedAt = instant(times[0]), instant(times[1]), instant(times[2]), instant(times[3])
	if g.Scopes, err = list(gScopes); err != nil {
		return nil, err
	}
	g.Audience, err = list(gAud)
	return &x, err
}
