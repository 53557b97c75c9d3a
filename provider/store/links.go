package store

import (
	"context"
	"errors"
	"maps"
	"slices"

	"keyway/provider/identity"
)

var _ identity.Links = (*Store)(nil)

const linkColumns = `connector, issuer, upstream_subject, subject, origin, roles, refresh, linked_at, seen_at FROM upstream_link`

func (s *Store) scanLink(scan scanFunc) (identity.Link, error) {
	var (
		l            identity.Link
		roles        string
		refresh      []byte
		linked, seen int64
	)
	err := scan(&l.Connector, &l.Issuer, &l.UpstreamSubject, &l.Subject, &l.Origin, &roles, &refresh, &linked, &seen)
	if err != nil {
		return l, err
	}
	l.LinkedAt, l.SeenAt = instant(linked), instant(seen)
	if l.Roles, err = list(roles); err != nil || refresh == nil {
		return l, err
	}
	l.RefreshToken, err = s.seal.open(refresh, linkBinding(l.Issuer, l.UpstreamSubject))
	return l, err
}

func linkBinding(issuer, upstreamSubject string) string {
	return "upstream_link|" + issuer + "|" + upstreamSubject
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
		Roles: f.Roles, RefreshToken: f.RefreshToken, LinkedAt: now, SeenAt: now,
	}); err != nil {
		return nil, err
	}
	return res, s.addEvent(ctx, tx, &identity.Event{Kind: "user_provisioned", Subject: res.Subject, Connector: f.Connector})
}

// saveLinked makes or updates the user by the way that imports take, so that
// both judge names and accounts alike.
func (s *Store) saveLinked(ctx context.Context, tx *session, f *identity.Federated, l *identity.Link) (*identity.SaveResult, error) {
	r := identity.Record{User: identity.User{
		Email: f.Email, EmailVerified: f.EmailVerified, Claims: f.Claims, LoginNames: []identity.LoginName{f.LoginName},
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

// keepOwn adds to the record what else belongs to the user: names and accounts
// that an administrator gave them.
func keepOwn(r identity.Record, old *person) identity.Record {
	// The name that the upstream gave before stays: others may know them by it.
	r.User.LoginNames = uniqueNames(append(r.User.LoginNames, old.user.LoginNames...))
	if i := slices.IndexFunc(old.user.LoginNames, func(n identity.LoginName) bool { return nameKey(n) == nameKey(r.User.LoginNames[0]) }); i >= 0 {
		r.User.LoginNames = slices.Clone(old.user.LoginNames)
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

func (s *Store) seeLink(ctx context.Context, tx *session, f *identity.Federated) error {
	sealed, err := s.sealRefresh(f.RefreshToken, f.Issuer, f.Subject)
	if err != nil {
		return err
	}
	_, err = tx.exec(ctx, `UPDATE upstream_link SET connector = $1, roles = $2, refresh = COALESCE($3, refresh), seen_at = $4
		WHERE issuer = $5 AND upstream_subject = $6`, f.Connector, listText(f.Roles), sealed, millis(s.now()), f.Issuer, f.Subject)
	return err
}

// sealRefresh returns nil for no token.
func (s *Store) sealRefresh(token []byte, issuer, upstreamSubject string) ([]byte, error) {
	if len(token) == 0 {
		return nil, nil
	}
	return s.seal.seal(token, linkBinding(issuer, upstreamSubject))
}

func (s *Store) insertLink(ctx context.Context, tx *session, l *identity.Link) error {
	sealed, err := s.sealRefresh(l.RefreshToken, l.Issuer, l.UpstreamSubject)
	if err != nil {
		return err
	}
	n, err := tx.exec(ctx, `INSERT INTO upstream_link
		(connector, issuer, upstream_subject, subject, origin, roles, refresh, linked_at, seen_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (issuer, upstream_subject) DO NOTHING`,
		l.Connector, l.Issuer, l.UpstreamSubject, l.Subject, string(l.Origin), listText(l.Roles), sealed, millis(l.LinkedAt), millis(l.SeenAt))
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
