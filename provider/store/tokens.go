package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

// selectToken reads a token with everything around it. Every column costs the
// SQLite driver a microsecond and more, so the numbers and the connector come as one
// text, see [storedNumbers], and so do the two lists, in whose JSON there is no line feed.
const selectToken = `SELECT t.hash, t.kind, t.scopes || '
' || t.audience, t.pair, t.claims, ` + grantTexts + `, COALESCE(u.status, ''),
	CASE WHEN t.used THEN 1 ELSE 0 END || ' ' || t.first_used_at || ' ' || t.issued_at || ' ' || t.expires_at || ' ' ||
	g.auth_time || ' ' || g.created_at || ' ' || g.expires_at || ' ' || g.revoked_at || ' ' || g.connector
	FROM oauth_token t JOIN oauth_grant g ON g.id = t.grant_id LEFT JOIN users u ON u.subject = g.subject`

// FindToken implements [storage.TokenStorage] in one indexed query.
func (s *Store) FindToken(ctx context.Context, h provider.Hash) (*provider.StoredToken, error) {
	return s.findToken(ctx, selectToken+` WHERE t.hash = $1`, h[:])
}

// FindGrant implements [storage.GrantStorage].
func (s *Store) FindGrant(ctx context.Context, id string) (*provider.StoredToken, error) {
	return s.findToken(ctx, selectToken+` WHERE t.grant_id = $1 ORDER BY t.expires_at DESC LIMIT 1`, id)
}

// FindReusable implements [storage.TokenStorage].
func (s *Store) FindReusable(ctx context.Context, clientID, subject string, at time.Time) (*provider.StoredToken, error) {
	return s.findToken(ctx, selectToken+` WHERE g.client_id = $1 AND g.subject = $2 AND g.expires_at > $3
		AND g.revoked_at = 0 AND t.kind = 'access' AND t.claims IS NOT NULL AND t.expires_at > $3
		ORDER BY t.issued_at DESC LIMIT 1`, clientID, subject, millis(at))
}

func (s *Store) findToken(ctx context.Context, query string, args ...any) (*provider.StoredToken, error) {
	var (
		x                            provider.StoredToken
		hash, pair                   []byte
		scopes, gScopes, gAud, times string
	)
	t, g := &x.Token, &x.Grant
	err := s.readRow(ctx, query, args, &hash, &t.Kind, &scopes, &pair, &t.Claims,
		&g.ID, &g.ClientID, &g.Subject, &g.Origin, &g.System, &gScopes, &gAud, &g.Session, &g.RevokeReason,
		&x.UserStatus, &times)
	if err != nil {
		return nil, err
	}
	t.GrantID = g.ID
	copy(t.Hash[:], hash)
	copy(t.Pair[:], pair)
	scopes, audience, _ := strings.Cut(scopes, "\n")
	for _, l := range []struct {
		text string
		into *[]string
	}{{scopes, &t.Scopes}, {audience, &t.Audience}, {gScopes, &g.Scopes}, {gAud, &g.Audience}} {
		if *l.into, err = list(l.text); err != nil {
			return nil, err
		}
	}
	return &x, storedNumbers(times, &x)
}

// storedNumbers reads the numbers that selectToken joins, and what is behind them.
func storedNumbers(text string, x *provider.StoredToken) error {
	t, g := &x.Token, &x.Grant
	used, rest, _ := strings.Cut(text, " ")
	t.Used = used == "1"
	for _, into := range []*time.Time{
		&t.FirstUsedAt, &t.IssuedAt, &t.ExpiresAt, &g.AuthTime, &g.CreatedAt, &g.ExpiresAt, &g.RevokedAt,
	} {
		var number string
		number, rest, _ = strings.Cut(rest, " ")
		ms, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return fmt.Errorf("stored token: %w", err)
		}
		*into = instant(ms)
	}
	g.Connector = rest
	return nil
}

func addToken(ctx context.Context, tx *session, t *provider.TokenRecord) error {
	query := `INSERT INTO oauth_token
		(hash, grant_id, kind, scopes, audience, issued_at, expires_at, used, first_used_at, pair, claims)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT (hash) DO NOTHING`
	var pair []byte
	if t.Pair != (provider.Hash{}) {
		pair = t.Pair[:]
	}
	n, err := tx.exec(ctx, query, t.Hash[:], t.GrantID, string(t.Kind), listText(t.Scopes), listText(t.Audience), millis(t.IssuedAt),
		millis(t.ExpiresAt), t.Used, millis(t.FirstUsedAt), pair, t.Claims)
	if err == nil && n == 0 && t.Kind != provider.KindRefresh {
		return identity.ErrConflict
	}
	return err
}
