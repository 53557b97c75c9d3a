package store

import (
	"context"
	"encoding/hex"
	"errors"

	"keyway/provider/factor"
	"keyway/provider/identity"
)

var (
	_ factor.Storage          = (*Store)(nil)
	_ factor.RecoveryStorage  = (*Store)(nil)
	_ factor.ChallengeStorage = (*Store)(nil)
	_ factor.Holders          = (*Store)(nil)
)

// What one person may have at a time; of challenges the oldest goes.
const (
	maxEnrolments = 10
	maxChallenges = 20
)

// maxCredential is the longest id of a passkey, in bytes (Web Authentication Level 3,
// section 4).
const maxCredential = 1023

func factorBinding(e *factor.Enrolment) string {
	return "factor|" + e.Subject + "|" + string(e.Kind) + "|" + e.ID
}

// AddEnrolment implements [factor.Storage].
func (s *Store) AddEnrolment(ctx context.Context, e *factor.Enrolment, codes [][32]byte) (first bool, err error) {
	if e.ID == "" || e.Kind == "" || len(e.Name) > maxKey || !storable(e.Name) || len(e.Credential) > maxCredential {
		return false, errors.New("store: an enrolment needs an id and a kind; its name has 512 bytes at most, its credential 1023")
	}
	sealed, err := s.seal.seal(e.Secret, factorBinding(e))
	if err != nil {
		return false, err
	}
	err = s.write(ctx, func(ctx context.Context, tx *session) error {
		has, err := s.lockEnrolments(ctx, tx, e.Subject)
		if err != nil {
			return err
		}
		if has >= maxEnrolments {
			return identity.ErrConflict
		}
		n, err := tx.exec(ctx, `INSERT INTO factor (id, subject, kind, name, sealed, credential, counter, created_at, used_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (credential) DO NOTHING`,
			e.ID, e.Subject, string(e.Kind), e.Name, sealed, orNone(e.Credential), e.Counter, millis(e.CreatedAt), millis(e.UsedAt))
		if err != nil {
			return err
		}
		if n == 0 {
			return identity.ErrConflict
		}
		if first = has == 0; first {
			if err := putRecoveryCodes(ctx, tx, e.Subject, codes); err != nil {
				return err
			}
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: string(e.Kind) + "_added", Subject: e.Subject})
	})
	return first && err == nil, err
}

// lockEnrolments counts a user's, so that of two changes at once the second sees the first's.
func (s *Store) lockEnrolments(ctx context.Context, tx *session, subject string) (has int, err error) {
	there := false
	err = tx.returning(ctx, `UPDATE users SET updated_at = updated_at WHERE subject = $1 RETURNING subject`, []any{subject},
		func(scan scanFunc) error { there = true; return scan(&subject) })
	if err != nil {
		return 0, err
	}
	if !there {
		return 0, identity.ErrNotFound
	}
	return has, tx.row(ctx, `SELECT count(*) FROM factor WHERE subject = $1`, []any{subject}, &has)
}

// orNone is no value for bytes that are none.
func orNone(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

// ListEnrolments implements [factor.Storage].
func (s *Store) ListEnrolments(ctx context.Context, subject string) ([]factor.Enrolment, error) {
	var all []factor.Enrolment
	err := s.readRows(ctx, `SELECT id, subject, kind, name, sealed, credential, counter, created_at, used_at FROM factor
		WHERE subject = $1 ORDER BY created_at, id`, []any{subject}, func(scan scanFunc) error {
		var (
			e             factor.Enrolment
			sealed        []byte
			created, used int64
		)
		err := scan(&e.ID, &e.Subject, &e.Kind, &e.Name, &sealed, &e.Credential, &e.Counter, &created, &used)
		if err != nil {
			return err
		}
		e.CreatedAt, e.UsedAt = instant(created), instant(used)
		e.Secret, err = s.seal.open(sealed, factorBinding(&e))
		all = append(all, e)
		return err
	})
	return all, err
}

// HasEnrolment implements [factor.Holders].
func (s *Store) HasEnrolment(ctx context.Context, subject string, k factor.Kind) (bool, error) {
	n := 0
	err := s.readRow(ctx, `SELECT count(*) FROM factor WHERE subject = $1 AND (kind = $2 OR $2 = '')`, []any{subject, string(k)}, &n)
	return n > 0, err
}

// UseEnrolment implements [factor.Storage].
func (s *Store) UseEnrolment(ctx context.Context, e *factor.Enrolment, u identity.Event) error {
	sealed, err := s.seal.seal(e.Secret, factorBinding(e))
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `UPDATE factor SET sealed = $1, counter = $2, used_at = $3
			WHERE id = $4 AND subject = $5 AND kind = $6 AND (counter < $2 OR counter = 0 AND $2 = 0)`,
			sealed, e.Counter, millis(e.UsedAt), e.ID, e.Subject, string(e.Kind))
		if err != nil {
			return err
		}
		if n == 0 {
			return identity.ErrConflict
		}
		u.Kind, u.Subject = string(e.Kind)+"_used", e.Subject
		return s.addEvent(ctx, tx, &u)
	})
}

// RemoveEnrolment implements [factor.Storage].
func (s *Store) RemoveEnrolment(ctx context.Context, subject, id string) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		has, err := s.lockEnrolments(ctx, tx, subject)
		if err != nil {
			return err
		}
		kind := ""
		err = tx.returning(ctx, `DELETE FROM factor WHERE id = $1 AND subject = $2 RETURNING kind`, []any{id, subject},
			func(scan scanFunc) error { return scan(&kind) })
		if err != nil {
			return err
		}
		if kind == "" {
			return identity.ErrNotFound
		}
		if has == 1 {
			if err := putRecoveryCodes(ctx, tx, subject, nil); err != nil {
				return err
			}
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: kind + "_removed", Subject: subject})
	})
}

// ResetFactors removes everything by which a user proves themselves beside their
// password, and ends their browser sessions, some of which were opened by it. It
// returns how much there was, and is recorded as factors_reset;
// [identity.ErrNotFound] where there is no such user.
func (s *Store) ResetFactors(ctx context.Context, subject string) (removed int, err error) {
	err = s.write(ctx, func(ctx context.Context, tx *session) error {
		if _, err := s.lockEnrolments(ctx, tx, subject); err != nil {
			return err
		}
		if removed, err = tx.exec(ctx, `DELETE FROM factor WHERE subject = $1`, subject); err != nil {
			return err
		}
		if err := putRecoveryCodes(ctx, tx, subject, nil); err != nil {
			return err
		}
		if _, err := s.signOut(ctx, tx, signOut{subject: subject}); err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "factors_reset", Subject: subject})
	})
	return removed, err
}

// putRecoveryCodes replaces those of a user.
func putRecoveryCodes(ctx context.Context, tx *session, subject string, codes [][32]byte) error {
	if _, err := tx.exec(ctx, `DELETE FROM recovery_code WHERE subject = $1`, subject); err != nil {
		return err
	}
	for i := range codes {
		if _, err := tx.exec(ctx, `INSERT INTO recovery_code (subject, hash) VALUES ($1, $2)`, subject, codes[i][:]); err != nil {
			return err
		}
	}
	return nil
}

// ReplaceRecoveryCodes implements [factor.RecoveryStorage].
func (s *Store) ReplaceRecoveryCodes(ctx context.Context, subject string, codes [][32]byte) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		has, err := s.lockEnrolments(ctx, tx, subject)
		if err != nil {
			return err
		}
		if has == 0 {
			return identity.ErrNotFound
		}
		if err := putRecoveryCodes(ctx, tx, subject, codes); err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "recovery_codes_made", Subject: subject})
	})
}

// HasRecoveryCode implements [factor.RecoveryStorage].
func (s *Store) HasRecoveryCode(ctx context.Context, subject string, code [32]byte) (bool, error) {
	n := 0
	err := s.readRow(ctx, `SELECT count(*) FROM recovery_code WHERE subject = $1 AND hash = $2`, []any{subject, code[:]}, &n)
	return n > 0, err
}

// UseRecoveryCode implements [factor.RecoveryStorage].
func (s *Store) UseRecoveryCode(ctx context.Context, subject string, code [32]byte, u identity.Event) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `DELETE FROM recovery_code WHERE subject = $1 AND hash = $2`, subject, code[:])
		if err != nil {
			return err
		}
		if n == 0 {
			return identity.ErrConflict
		}
		u.Kind, u.Subject = "recovery_code_used", subject
		return s.addEvent(ctx, tx, &u)
	})
}

// CountRecoveryCodes implements [factor.RecoveryStorage].
func (s *Store) CountRecoveryCodes(ctx context.Context, subject string) (n int, err error) {
	err = s.readRow(ctx, `SELECT count(*) FROM recovery_code WHERE subject = $1`, []any{subject}, &n)
	return n, err
}

func challengeBinding(hash [32]byte) string { return "factor_challenge|" + hex.EncodeToString(hash[:]) }

// AddChallenge implements [factor.ChallengeStorage].
func (s *Store) AddChallenge(ctx context.Context, c *factor.Challenge) error {
	sealed, err := s.seal.seal(c.Secret, challengeBinding(c.Hash))
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		_, err := tx.exec(ctx, `DELETE FROM factor_challenge WHERE subject = $1 AND hash NOT IN
			(SELECT hash FROM factor_challenge WHERE subject = $1 ORDER BY expires_at DESC, hash LIMIT $2)`, c.Subject, maxChallenges-1)
		if err != nil {
			return err
		}
		_, err = tx.exec(ctx, `INSERT INTO factor_challenge (hash, session, subject, purpose, sealed, expires_at)
			VALUES ($1, $2, $3, $4, $5, $6)`, c.Hash[:], c.Session[:], c.Subject, c.Purpose, sealed, millis(c.ExpiresAt))
		return err
	})
}

// TakeChallenge implements [factor.ChallengeStorage].
func (s *Store) TakeChallenge(ctx context.Context, hash [32]byte) (*factor.Challenge, error) {
	var (
		c      *factor.Challenge
		sealed []byte
	)
	err := s.write(ctx, func(ctx context.Context, tx *session) error {
		c = nil
		return tx.returning(ctx, `DELETE FROM factor_challenge WHERE hash = $1 AND expires_at > $2
			RETURNING session, subject, purpose, sealed, expires_at`, []any{hash[:], millis(s.now())}, func(scan scanFunc) error {
			var (
				own     []byte
				expires int64
			)
			c = &factor.Challenge{Hash: hash}
			err := scan(&own, &c.Subject, &c.Purpose, &sealed, &expires)
			copy(c.Session[:], own)
			c.ExpiresAt = instant(expires)
			return err
		})
	})
	if err == nil && c == nil {
		return nil, identity.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	c.Secret, err = s.seal.open(sealed, challengeBinding(hash))
	return c, err
}
