package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"keyway/provider/identity"
)

var _ identity.Links = (*Store)(nil)

const linkColumns = `connector, issuer, upstream_subject, subject, origin, roles, refresh, access, access_expires, linked_at, seen_at,
	asked_by, ask_at, refused_at FROM upstream_link`

func (s *Store) scanLink(scan scanFunc) (identity.Link, error) {
	var (
		l               identity.Link
		roles           string
		refresh, access []byte
		times           [5]int64
	)
	err := scan(&l.Connector, &l.Issuer, &l.UpstreamSubject, &l.Subject, &l.Origin, &roles, &refresh, &access, &times[0], &times[1], &times[2],
		&l.AskedBy, &times[3], &times[4])
	if err != nil {
		return l, err
	}
	l.AccessExpires, l.LinkedAt, l.SeenAt = instant(times[0]), instant(times[1]), instant(times[2])
	l.AskAt, l.RefusedAt = instant(times[3]), instant(times[4])
	if l.Roles, err = list(roles); err != nil {
		return l, err
	}
	if l.RefreshToken, err = s.openOptional(refresh, linkBinding(l.Issuer, l.UpstreamSubject)); err != nil {
		return l, err
	}
	l.AccessToken, err = s.openOptional(access, accessBinding(l.Issuer, l.UpstreamSubject))
	return l, err
}

func linkBinding(issuer, upstreamSubject string) string {
	return "upstream_link|" + issuer + "|" + upstreamSubject
}

func accessBinding(issuer, upstreamSubject string) string {
	return "upstream_link access|" + issuer + "|" + upstreamSubject
}

// sealOptional and openOptional keep nothing nothing.
func (s *Store) sealOptional(plain []byte, bind string) ([]byte, error) {
	if len(plain) == 0 {
		return nil, nil
	}
	return s.seal.seal(plain, bind)
}

func (s *Store) openOptional(sealed []byte, bind string) ([]byte, error) {
	if sealed == nil {
		return nil, nil
	}
	return s.seal.open(sealed, bind)
}

// FindLink implements [identity.Links].
func (s *Store) FindLink(ctx context.Context, issuer, upstreamSubject string) (*identity.Link, error) {
	if !storable(issuer) || !storable(upstreamSubject) {
		return nil, identity.ErrNotFound
	}
	return s.findLink(func(query string, args []any, each func(scanFunc) error) error {
		return s.readRows(ctx, query, args, each)
	}, issuer, upstreamSubject)
}

func (s *Store) findLink(rows func(string, []any, func(scanFunc) error) error, issuer, upstreamSubject string) (*identity.Link, error) {
	var found *identity.Link
	err := rows(`SELECT `+linkColumns+` WHERE issuer = $1 AND upstream_subject = $2`, []any{issuer, upstreamSubject},
		func(scan scanFunc) error {
			l, err := s.scanLink(scan)
			found = &l
			return err
		})
	if err == nil && found == nil {
		return nil, identity.ErrNotFound
	}
	return found, err
}

// ListLinks implements [identity.Links].
func (s *Store) ListLinks(ctx context.Context, subject string) ([]identity.Link, error) {
	var links []identity.Link
	err := s.readRows(ctx, `SELECT `+linkColumns+` WHERE subject = $1 ORDER BY connector, linked_at`, []any{subject},
		func(scan scanFunc) error {
			l, err := s.scanLink(scan)
			links = append(links, l)
			return err
		})
	return links, err
}

// SaveFederated implements [identity.Links].
func (s *Store) SaveFederated(ctx context.Context, f *identity.Federated, create bool) (*identity.SaveResult, error) {
	if f.Issuer == "" || f.Subject == "" || !keyable(f.Issuer) || !keyable(f.Subject) {
		return nil, errors.New("store: an upstream's issuer and subject are texts of 1 to 512 bytes")
	}
	var res *identity.SaveResult
	err := s.write(ctx, func(ctx context.Context, tx *session) (err error) {
		res, err = s.saveFederated(ctx, tx, f, create)
		return err
	})
	if err != nil {
		return nil, err
	}
	return res, nil
}

func (s *Store) saveFederated(ctx context.Context, tx *session, f *identity.Federated, create bool) (*identity.SaveResult, error) {
	if err := s.takeTurns(ctx, tx); err != nil { // of two sign-ins of somebody new, one finds what the other made
		return nil, err
	}
	l, err := s.findLink(func(query string, args []any, each func(scanFunc) error) error {
		return tx.rows(ctx, query, args, each)
	}, f.Issuer, f.Subject)
	switch {
	case err == nil && l.Origin != identity.LinkCreated:
		return &identity.SaveResult{Subject: l.Subject, Change: identity.ChangeUnchanged}, s.seeLink(ctx, tx, f)
	case errors.Is(err, identity.ErrNotFound) && create:
		l = nil
	case err != nil:
		return nil, err
	}
	res, err := s.saveLinked(ctx, tx, f, l)
	if err != nil {
		return nil, err
	}
	if l != nil {
		return res, s.seeLink(ctx, tx, f)
	}
	now := s.now()
	if err := s.insertLink(ctx, tx, &identity.Link{
		Connector: f.Connector, Issuer: f.Issuer, UpstreamSubject: f.Subject, Subject: res.Subject, Origin: identity.LinkCreated,
		Roles: f.Roles, RefreshToken: f.RefreshToken, AccessToken: f.AccessToken, AccessExpires: f.AccessExpires, LinkedAt: now, SeenAt: now,
	}); err != nil {
		return nil, err
	}
	return res, s.addEvent(ctx, tx, &identity.Event{Kind: "user_provisioned", Subject: res.Subject, Connector: f.Connector})
}

// saveLinked makes or updates the user by the way that imports take, so that
// both judge names and accounts alike.
func (s *Store) saveLinked(ctx context.Context, tx *session, f *identity.Federated, l *identity.Link) (*identity.SaveResult, error) {
	r := identity.Record{User: identity.User{
		Email: f.Email, EmailVerified: f.EmailVerified, Claims: f.Claims, LoginNames: append([]identity.LoginName{f.LoginName}, f.Names...),
	}, Accounts: slices.Clone(f.Accounts)}
	if l == nil {
		r.User.Subject = newSubject() // and not whoever has the name
	} else {
		r.User.Subject = l.Subject
	}
	batch := []identity.Record{r}
	known, err := loadPeople(ctx, tx, batch)
	if err != nil {
		return nil, err
	}
	if old := known.bySubject[r.User.Subject]; old != nil {
		batch[0] = keepOwn(r, old)
	}
	if old := known.bySubject[r.User.Subject]; f.Password != nil && (old == nil || len(old.creds) == 0) {
		batch[0].Credentials = []identity.RecordCredential{{Credential: *f.Password}}
	}
	w := &recordWriter{store: s, tx: tx, known: known, touched: map[string]bool{}, now: millis(s.now())}
	res, err := w.save(ctx, &batch[0])
	if err == nil {
		err = res.Err
	}
	if err != nil {
		return nil, err
	}
	return &res, w.flush(ctx)
}

// maxFormer is how many names somebody keeps that they have no more. Who may change
// their name at the upstream as they like would take one after the other from others.
const maxFormer = 20

// lately are the names of before, without the oldest that are not among those of now:
// others may know somebody by the name that the upstream gave before.
func lately(before, now []identity.LoginName) []identity.LoginName {
	former := 0
	return slices.DeleteFunc(slices.Clone(before), func(b identity.LoginName) bool {
		if slices.ContainsFunc(now, func(n identity.LoginName) bool { return nameKey(n) == nameKey(b) }) {
			return false
		}
		former++
		return former > maxFormer
	})
}

// keepOwn adds to the record what else belongs to the user: names and accounts
// that an administrator gave them.
func keepOwn(r identity.Record, old *person) identity.Record {
	kept := lately(old.user.LoginNames, r.User.LoginNames)
	had := func(n identity.LoginName) bool {
		return slices.ContainsFunc(old.user.LoginNames, func(o identity.LoginName) bool { return nameKey(o) == nameKey(n) })
	}
	fresh := slices.DeleteFunc(slices.Clone(r.User.LoginNames), had)
	if had(r.User.LoginNames[0]) {
		r.User.LoginNames = uniqueNames(append(kept, fresh...))
	} else {
		r.User.LoginNames = uniqueNames(append(fresh, kept...))
	}
	for _, system := range slices.Sorted(maps.Keys(old.accounts)) {
		if slices.ContainsFunc(r.Accounts, func(a identity.Account) bool { return a.System == system }) {
			continue
		}
		attributes, err := object(old.accounts[system].attributes)
		if err == nil {
			r.Accounts = append(r.Accounts, identity.Account{System: system, ID: old.accounts[system].id, Attributes: attributes})
		}
	}
	return r
}

// seeLink notes that the upstream vouches for somebody. Whoever is asking it about
// them comes too late where there is a new refresh token: theirs counts no more. What
// another connector's client was given goes: this one's cannot use it, nor may its
// clients have it.
func (s *Store) seeLink(ctx context.Context, tx *session, f *identity.Federated) error {
	refresh, access, err := s.sealTokens(f)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE upstream_link SET connector = $1, roles = $2, seen_at = $3, refused_at = 0,
		refresh = CASE WHEN connector = $1 THEN refresh END, access = CASE WHEN connector = $1 THEN access END,
		access_expires = CASE WHEN connector = $1 THEN access_expires ELSE 0 END
		WHERE issuer = $4 AND upstream_subject = $5`, f.Connector, listText(f.Roles), millis(s.now()), f.Issuer, f.Subject)
	if err == nil && refresh != nil {
		_, err = tx.exec(ctx, `UPDATE upstream_link SET refresh = $1, asked_by = '', ask_at = 0 WHERE issuer = $2 AND upstream_subject = $3`,
			refresh, f.Issuer, f.Subject)
	}
	if err == nil && access != nil {
		_, err = tx.exec(ctx, `UPDATE upstream_link SET access = $1, access_expires = $2 WHERE issuer = $3 AND upstream_subject = $4`,
			access, millis(f.AccessExpires), f.Issuer, f.Subject)
	}
	return err
}

func (s *Store) sealTokens(f *identity.Federated) (refresh, access []byte, err error) {
	if refresh, err = s.sealOptional(f.RefreshToken, linkBinding(f.Issuer, f.Subject)); err != nil {
		return nil, nil, err
	}
	access, err = s.sealOptional(f.AccessToken, accessBinding(f.Issuer, f.Subject))
	return refresh, access, err
}

func (s *Store) insertLink(ctx context.Context, tx *session, l *identity.Link) error {
	refresh, access, err := s.sealTokens(&identity.Federated{
		Issuer: l.Issuer, Subject: l.UpstreamSubject, RefreshToken: l.RefreshToken, AccessToken: l.AccessToken,
	})
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, `INSERT INTO upstream_link
		(connector, issuer, upstream_subject, subject, origin, roles, refresh, access, access_expires, linked_at, seen_at,
		asked_by, ask_at, refused_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (issuer, upstream_subject) DO NOTHING`,
		l.Connector, l.Issuer, l.UpstreamSubject, l.Subject, string(l.Origin), listText(l.Roles), refresh, access, millis(l.AccessExpires),
		millis(l.LinkedAt), millis(l.SeenAt), l.AskedBy, millis(l.AskAt), millis(l.RefusedAt))
	if err == nil && n == 0 {
		return identity.ErrConflict
	}
	return err
}

// AddLink implements [identity.Links].
func (s *Store) AddLink(ctx context.Context, l *identity.Link) error {
	if l.Issuer == "" || l.UpstreamSubject == "" || !keyable(l.Issuer) || !keyable(l.UpstreamSubject) {
		return errors.New("store: an upstream's issuer and subject are texts of 1 to 512 bytes")
	}
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		var status string
		if err := tx.row(ctx, `SELECT status FROM users WHERE subject = $1`+tx.share, []any{l.Subject}, &status); err != nil {
			return err
		}
		if err := s.insertLink(ctx, tx, l); err != nil {
			return err
		}
		return s.addEvent(ctx, tx, &identity.Event{Kind: "user_linked", Subject: l.Subject, Connector: l.Connector})
	})
}
