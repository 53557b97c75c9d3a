package store

import (
	"context"
	"errors"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

// Issue implements [storage.TokenStorage].
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
			if err := s.rotate(ctx, tx, x); err != nil {
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
	if err := endRequest(ctx, tx, x, now); errors.Is(err, identity.ErrNotFound) {
		return identity.ErrConflict
	} else if err != nil {
		return err
	}
	if err := stillThere(ctx, tx, x, now); err != nil {
		return err
	}
	if x.Redeem != nil {
		if err := redeem(ctx, tx, x, now); err != nil {
			return err
		}
	}
	if err := spendDevice(ctx, tx, x, now); err != nil {
		return err
	}
	if x.Code != nil {
		if err := addCode(ctx, tx, x.Code); err != nil {
			return err
		}
	}
	if err := addSessionClient(ctx, tx, x); err != nil {
		return err
	}
	if x.Consent != nil {
		return saveConsent(ctx, tx, x.Consent)
	}
	return nil
}

// endRequest ends the interaction and the pushed request that are answered.
func endRequest(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	if x.Interaction != nil {
		if err := endInteraction(ctx, tx, *x.Interaction, now); err != nil {
			return err
		}
	}
	if x.Pushed != nil {
		return endPushed(ctx, tx, *x.Pushed)
	}
	return nil
}

// stillThere judges in the transaction what the request was judged by before
// it: a sign-out or a withdrawn consent may have come in between. Both delete
// first and revoke grants then, so that whoever comes second sees the other.
func stillThere(ctx context.Context, tx *session, x *provider.Issue, now time.Time) error {
	if x.Browser != nil {
		err := oneRow(ctx, tx, `SELECT 1 FROM browser_session WHERE hash = $1 AND expires_at > $2`, x.Browser[:], millis(now))
		if err != nil {
			return err
		}
	}
	if x.Remembered && x.NewGrant != nil {
		return oneRow(ctx, tx, `SELECT 1 FROM consent WHERE subject = $1 AND client_id = $2`, x.NewGrant.Subject, x.NewGrant.ClientID)
	}
	return nil
}

// oneRow locks the row that the query selects, or returns [identity.ErrConflict].
func oneRow(ctx context.Context, tx *session, query string, args ...any) error {
	found := false
	err := tx.rows(ctx, query+tx.share, args, func(scan scanFunc) error {
		found = true
		var one int
		return scan(&one)
	})
	if err == nil && !found {
		return identity.ErrConflict
	}
	return err
}

// holdGrant inserts the new grant, or touches the one that is there. The touch is
// what orders a rotation and a revocation on PostgreSQL: whichever comes second
// waits for the row and then sees what the first has done.
func (s *Store) holdGrant(ctx context.Context, tx *session, x *provider.Issue) error {
	if x.NewGrant != nil {
		if err := addGrant(ctx, tx, x.NewGrant, x.SID); err != nil || x.Parent == "" {
			return err
		}
		return fromParent(ctx, tx, x)
	}
	n, err := tx.exec(ctx, `UPDATE oauth_grant SET session = COALESCE($1, session),
		expires_at = CASE WHEN expires_at < $2 THEN $2 ELSE expires_at END
		WHERE id = $3 AND revoked_at = 0`, x.Session, millis(x.Extend), x.GrantID)
	if err == nil && n == 0 {
		return identity.ErrNotFound
	}
	return err
}

// maxRepeats is how often a used refresh token may be presented again within
// the grace. Clients that lose an answer, or ask from several windows, need few.
const maxRepeats = 2

// rotate uses the refresh token up and ends its access token, or accepts it once
// more within the grace.
func (s *Store) rotate(ctx context.Context, tx *session, x *provider.Issue) error {
	now := millis(s.now())
	var pair []byte
	rotated := false
	err := tx.returning(ctx, `UPDATE oauth_token SET used = TRUE, first_used_at = $1
		WHERE hash = $2 AND grant_id = $3 AND kind = 'refresh' AND used = FALSE AND expires_at > $1
		RETURNING pair`, []any{now, x.Rotate[:], x.GrantID}, func(scan scanFunc) error {
		rotated = true
		return scan(&pair)
	})
	if err != nil {
		return err
	}
	if !rotated {
		return s.again(ctx, tx, x, now)
	}
	return endAccess(ctx, tx, x.GrantID, pair)
}

// endAccess deletes an access token; pair may be nil.
func endAccess(ctx context.Context, tx *session, grant string, pair []byte) error {
	if pair == nil {
		return nil
	}
	_, err := tx.exec(ctx, `DELETE FROM oauth_token WHERE hash = $1 AND grant_id = $2 AND kind = 'access'`, pair, grant)
	return err
}

// again accepts a refresh token that cannot be rotated for the first time: only
// within the grace, only so often, and only while its successor, whose value is
// derived from it and therefore the same, was not used. The access token that came
// with the successor ends, and the new one takes its place, so that a chain never has
// more than one.
func (s *Store) again(ctx context.Context, tx *session, x *provider.Issue, now int64) error {
	next := successor(x)
	if next == nil {
		return notRotated(ctx, tx, x)
	}
	n, err := tx.exec(ctx, `UPDATE oauth_token SET use_count = use_count + 1
		WHERE hash = $1 AND grant_id = $2 AND kind = 'refresh' AND used = TRUE AND expires_at > $3
		AND first_used_at + $4 > $3 AND use_count < $5 AND EXISTS
		(SELECT 1 FROM oauth_token n WHERE n.hash = $6 AND n.grant_id = $2 AND n.kind = 'refresh' AND n.used = FALSE)`,
		x.Rotate[:], x.GrantID, now, x.Grace.Milliseconds(), maxRepeats, next.Hash[:])
	if err != nil {
		return err
	}
	if n == 0 {
		return notRotated(ctx, tx, x)
	}
	var pair []byte
	err = tx.row(ctx, `SELECT pair FROM oauth_token WHERE hash = $1`, []any{next.Hash[:]}, &pair)
	if err != nil {
		return err
	}
	if err := endAccess(ctx, tx, x.GrantID, pair); err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE oauth_token SET pair = $1 WHERE hash = $2`, next.Pair[:], next.Hash[:])
	if err != nil || x.Repeated == nil {
		return err
	}
	return s.addEvent(ctx, tx, x.Repeated)
}

// notRotated says why there was no rotation: [identity.ErrNotFound] where the grant
// has no such refresh token, else [identity.ErrConflict].
func notRotated(ctx context.Context, tx *session, x *provider.Issue) error {
	var one int
	err := tx.row(ctx, `SELECT 1 FROM oauth_token WHERE hash = $1 AND grant_id = $2 AND kind = 'refresh'`,
		[]any{x.Rotate[:], x.GrantID}, &one)
	if err == nil {
		return identity.ErrConflict
	}
	return err
}

func successor(x *provider.Issue) *provider.TokenRecord {
	for i := range x.Tokens {
		if x.Tokens[i].Kind == provider.KindRefresh {
			return &x.Tokens[i]
		}
	}
	return nil
}
