package store

import (
	"context"
	"errors"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

// Issue implements [provider.TokenStorage].
func (s *Store) Issue(ctx context.Context, x *provider.Issue) error {
	if x.GrantID == "" || x.NewGrant != nil && x.NewGrant.ID != x.GrantID {
		return errors.New("store: an issue needs the id of its grant")
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if err := s.holdGrant(ctx, tx, x); err != nil {
			return err
		}
		if err := spend(ctx, tx, x, s.now()); err != nil {
			return err
		}
		if x.Rotate != nil {
			if err := rotate(ctx, tx, x, s.now()); err != nil {
				return err
			}
		}
		for i := range x.Tokens {
			if err := addToken(ctx, tx, &x.Tokens[i]); err != nil {
				return err
			}
		}
		return s.addEvents(ctx, tx, x.Events)
	})
}

// spend uses up what a browser's sign-in may use once, and writes what it makes.
func spend(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	if x.Interaction != nil {
		if err := endInteraction(ctx, tx, *x.Interaction, now); errors.Is(err, identity.ErrNotFound) {
			return identity.ErrConflict
		} else if err != nil {
			return err
		}
	}
	if x.Redeem != nil {
		if err := redeem(ctx, tx, x, now); err != nil {
			return err
		}
	}
	if x.Code != nil {
		if err := addCode(ctx, tx, x.Code); err != nil {
			return err
		}
	}
	if x.Consent != nil {
		return saveConsent(ctx, tx, x.Consent)
	}
	return nil
}

// holdGrant inserts the new grant, or touches the one that is there. The touch is
// what orders a rotation and a revocation on PostgreSQL: whichever comes second
// waits for the row and then sees what the first has done.
func (s *Store) holdGrant(ctx context.Context, tx *session, x *provider.Issue) error {
	if x.NewGrant != nil {
		return addGrant(ctx, tx, x.NewGrant)
	}
	n, err := tx.exec(ctx, `UPDATE oauth_grant SET session = COALESCE($1, session),
		expires_at = CASE WHEN expires_at < $2 THEN $2 ELSE expires_at END
		WHERE id = $3 AND revoked_at = 0`, x.Session, millis(x.Extend), x.GrantID)
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}

// rotate uses the refresh token up and ends its access token, or accepts it once
// more within the grace.
func rotate(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	var pair []byte
	rotated := false
	err := tx.returning(ctx, `UPDATE oauth_token SET used = TRUE, first_used_at = $1
		WHERE hash = $2 AND grant_id = $3 AND kind = 'refresh' AND used = FALSE AND expires_at > $1
		RETURNING pair`, []any{millis(now), x.Rotate[:], x.GrantID}, func(scan scanFunc) error {
		rotated = true
		return scan(&pair)
	})
	if err != nil {
		return err
	}
	if !rotated {
		return again(ctx, tx, x, now)
	}
	if pair == nil {
		return nil
	}
	_, err = tx.exec(ctx, `DELETE FROM oauth_token WHERE hash = $1 AND grant_id = $2 AND kind = 'access'`, pair, x.GrantID)
	return err
}

// again decides about a refresh token that cannot be rotated for the first
// time: only within the grace, and only while its successor, whose value is
// derived from it and therefore the same, was not used.
func again(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	var (
		used           bool
		first, expires int64
	)
	err := tx.row(ctx, `SELECT used, first_used_at, expires_at FROM oauth_token
		WHERE hash = $1 AND grant_id = $2 AND kind = 'refresh'`, []any{x.Rotate[:], x.GrantID}, &used, &first, &expires)
	if err != nil {
		return err
	}
	next := successor(x)
	if !used || expires <= millis(now) || first+x.Grace.Milliseconds() <= millis(now) || next == nil {
		return identity.ErrConflict
	}
	err = tx.row(ctx, `SELECT used FROM oauth_token
		WHERE hash = $1 AND grant_id = $2 AND kind = 'refresh'`, []any{next[:], x.GrantID}, &used)
	if errors.Is(err, identity.ErrNotFound) || err == nil && used {
		return identity.ErrConflict
	}
	return err
}

func successor(x *provider.Issue) *provider.Hash {
	for i := range x.Tokens {
		if x.Tokens[i].Kind == provider.KindRefresh {
			return &x.Tokens[i].Hash
		}
	}
	return nil
}
