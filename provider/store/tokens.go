package store

import (
	"context"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

const tokenColumns = `t.hash, t.grant_id, t.kind, t.scopes, t.issued_at, t.expires_at,
	t.used, t.first_used_at, t.pair, t.claims`

const selectToken = `SELECT ` + tokenColumns + `, ` + grantColumns + `, COALESCE(u.status, '')
	FROM oauth_token t JOIN oauth_grant g ON g.id = t.grant_id LEFT JOIN users u ON u.subject = g.subject`

// FindToken implements [provider.TokenStorage] in one indexed query.
func (s *Store) FindToken(ctx context.Context, h provider.Hash) (*provider.StoredToken, error) {
	return s.findToken(ctx, selectToken+` WHERE t.hash = $1`, h[:])
}

// FindReusable implements [provider.TokenStorage].
func (s *Store) FindReusable(ctx context.Context, clientID, subject string, at time.Time) (*provider.StoredToken, error) {
	return s.findToken(ctx, selectToken+` WHERE g.client_id = $1 AND g.subject = $2 AND g.expires_at > $3
		AND g.revoked_at = 0 AND t.kind = 'access' AND t.claims IS NOT NULL AND t.expires_at > $3
		ORDER BY t.issued_at DESC LIMIT 1`, clientID, subject, millis(at))
}

func (s *Store) findToken(ctx context.Context, query string, args ...any) (*provider.StoredToken, error) {
	var (
		t  tokenRow
		g  grantRow
		st string
	)
	if err := s.readRow(ctx, query, args, append(append(t.dest(), g.dest()...), &st)...); err != nil {
		return nil, err
	}
	token, err := t.record()
	if err != nil {
		return nil, err
	}
	grant, err := g.record()
	if err != nil {
		return nil, err
	}
	return &provider.StoredToken{Token: token, Grant: grant, UserStatus: identity.Status(st)}, nil
}

// tokenRow is a row of oauth_token as the database has it.
type tokenRow struct {
	provider.TokenRecord
	hash, pair                 []byte
	scopes                     string
	issued, expires, firstUsed int64
}

func (r *tokenRow) dest() []any {
	return []any{
		&r.hash, &r.GrantID, &r.Kind, &r.scopes, &r.issued, &r.expires, &r.Used, &r.firstUsed, &r.pair, &r.Claims,
	}
}

func (r *tokenRow) record() (provider.TokenRecord, error) {
	var err error
	if r.Scopes, err = list(r.scopes); err != nil {
		return provider.TokenRecord{}, err
	}
	copy(r.Hash[:], r.hash)
	copy(r.Pair[:], r.pair)
	r.IssuedAt, r.ExpiresAt, r.FirstUsedAt = instant(r.issued), instant(r.expires), instant(r.firstUsed)
	return r.TokenRecord, nil
}

const insertToken = `INSERT INTO oauth_token
	(hash, grant_id, kind, scopes, issued_at, expires_at, used, first_used_at, pair, claims)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`

func addToken(ctx context.Context, tx *session, t *provider.TokenRecord) error {
	query := insertToken
	if t.Kind == provider.KindRefresh {
		query += ` ON CONFLICT (hash) DO NOTHING`
	}
	var pair []byte
	if t.Pair != (provider.Hash{}) {
		pair = t.Pair[:]
	}
	_, err := tx.exec(ctx, query, t.Hash[:], t.GrantID, string(t.Kind), listText(t.Scopes), millis(t.IssuedAt),
		millis(t.ExpiresAt), t.Used, millis(t.FirstUsedAt), pair, t.Claims)
	return err
}
