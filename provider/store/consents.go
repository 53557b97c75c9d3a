package store

import (
	"context"
	"slices"
	"strings"

	"keyway/provider"
	"keyway/provider/identity"
)

func orNotFound(found bool, err error) error {
	if err == nil && !found {
		return identity.ErrNotFound
	}
	return err
}

// saveConsent adds to what was allowed before: who allows less this time takes
// nothing back. The first statement holds the row until the second.
func saveConsent(ctx context.Context, tx *session, c *provider.Consent) error {
	var before string
	err := tx.returning(ctx, `INSERT INTO consent (subject, client_id, scopes, given_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (subject, client_id) DO UPDATE SET given_at = excluded.given_at RETURNING scopes`,
		[]any{c.Subject, c.ClientID, listText(c.Scopes), millis(c.GivenAt)}, func(scan scanFunc) error { return scan(&before) })
	if err != nil {
		return err
	}
	all, err := list(before)
	if err != nil {
		return err
	}
	for _, scope := range c.Scopes {
		if !slices.Contains(all, scope) {
			all = append(all, scope)
		}
	}
	if listText(all) == before {
		return nil
	}
	_, err = tx.exec(ctx, `UPDATE consent SET scopes = $1 WHERE subject = $2 AND client_id = $3`, listText(all), c.Subject, c.ClientID)
	return err
}

func scanConsent(scan scanFunc) (c provider.Consent, err error) {
	var (
		scopes string
		given  int64
	)
	if err = scan(&c.Subject, &c.ClientID, &scopes, &given); err != nil {
		return c, err
	}
	c.GivenAt = instant(given)
	c.Scopes, err = list(scopes)
	return c, err
}

// FindConsent implements [storage.AccountStorage].
func (s *Store) FindConsent(ctx context.Context, subject, client string) (*provider.Consent, error) {
	var c provider.Consent
	found := false
	err := s.readRows(ctx, `SELECT subject, client_id, scopes, given_at FROM consent WHERE subject = $1 AND client_id = $2`,
		[]any{subject, client}, func(scan scanFunc) (err error) {
			found = true
			c, err = scanConsent(scan)
			return err
		})
	return &c, orNotFound(found, err)
}

// ListConsents implements [storage.AccountStorage].
func (s *Store) ListConsents(ctx context.Context, subject string) ([]provider.Consent, error) {
	var all []provider.Consent
	err := s.readRows(ctx, `SELECT subject, client_id, scopes, given_at FROM consent WHERE subject = $1`, []any{subject}, func(scan scanFunc) error {
		c, err := scanConsent(scan)
		all = append(all, c)
		return err
	})
	// Sorted here: databases differ in how they compare texts.
	slices.SortFunc(all, func(a, b provider.Consent) int { return strings.Compare(a.ClientID, b.ClientID) })
	return all, err
}

// RevokeConsent implements [storage.AccountStorage].
func (s *Store) RevokeConsent(ctx context.Context, subject, client string, e *identity.Event) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		if _, err := tx.exec(ctx, `DELETE FROM consent WHERE subject = $1 AND client_id = $2`, subject, client); err != nil {
			return err
		}
		r := &revocation{tx: tx, at: millis(s.now()), reason: "consent revoked"}
		_, err := r.run(ctx, `client_id = $3 AND subject = $4 AND subject <> ''`, client, subject)
		if err != nil || e == nil {
			return err
		}
		return s.addEvent(ctx, tx, e)
	})
}
