package store

import (
	"context"

	"keyway/provider/identity"
)

const userColumns = `u.subject, u.status, u.email, u.email_verified, u.claims, u.credential_version, u.created_at, u.updated_at`

// userRow is a row of users as the database has it.
type userRow struct {
	identity.User
	claims           string
	created, updated int64
}

func (r *userRow) dest() []any {
	return []any{&r.Subject, &r.Status, &r.Email, &r.EmailVerified, &r.claims, &r.CredentialVersion, &r.created, &r.updated}
}

func (r *userRow) user() (identity.User, error) {
	var err error
	if r.Claims, err = object(r.claims); err != nil {
		return identity.User{}, err
	}
	r.CreatedAt, r.UpdatedAt = instant(r.created), instant(r.updated)
	return r.User, nil
}

// FindLogin implements [identity.Users] in one query, which returns a row for each
// of the user's login names.
func (s *Store) FindLogin(ctx context.Context, directory, name string) (*identity.Login, error) {
	if !storable(name) || !storable(directory) {
		return nil, identity.ErrNotFound // no stored name has such bytes
	}
	var (
		u                        userRow
		given                    identity.LoginName
		slot, hash, scheme, salt *string
		names                    []identity.LoginName
	)
	err := s.readRows(ctx, `SELECT `+userColumns+`, k.directory, k.name, k.slot,
		c.slot, c.hash, c.scheme, c.salt, n.directory, n.name, n.slot
		FROM login_name k JOIN users u ON u.subject = k.subject JOIN login_name n ON n.subject = k.subject
		LEFT JOIN credential c ON c.subject = k.subject
			AND c.slot = CASE WHEN k.slot = '' THEN 'password' ELSE k.slot END
		WHERE k.directory = $1 AND k.folded = $2 ORDER BY n.place`,
		[]any{directory, identity.FoldName(name)}, func(scan scanFunc) error {
			var n identity.LoginName
			err := scan(append(u.dest(), &given.Directory, &given.Name, &given.Slot,
				&slot, &hash, &scheme, &salt, &n.Directory, &n.Name, &n.Slot)...)
			names = append(names, n)
			return err
		})
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, identity.ErrNotFound
	}
	u.LoginNames = names
	user, err := u.user()
	if err != nil {
		return nil, err
	}
	login := &identity.Login{User: user, Name: given}
	if slot != nil {
		login.Credential = &identity.Credential{Subject: user.Subject, Slot: *slot, Hash: *hash, Scheme: *scheme, Salt: *salt}
	}
	return login, nil
}

// FindUser implements [identity.Users] in one query.
func (s *Store) FindUser(ctx context.Context, subject string) (*identity.User, error) {
	var (
		u     userRow
		found bool
		names []identity.LoginName
	)
	err := s.readRows(ctx, `SELECT `+userColumns+`, n.directory, n.name, n.slot
		FROM users u LEFT JOIN login_name n ON n.subject = u.subject WHERE u.subject = $1 ORDER BY n.place`,
		[]any{subject}, func(scan scanFunc) error {
			var directory, name, slot *string
			err := scan(append(u.dest(), &directory, &name, &slot)...)
			found = true
			if directory != nil {
				names = append(names, identity.LoginName{Directory: *directory, Name: *name, Slot: *slot})
			}
			return err
		})
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, identity.ErrNotFound
	}
	u.LoginNames = names
	user, err := u.user()
	return &user, err
}

// FindAccount implements [identity.Users].
func (s *Store) FindAccount(ctx context.Context, system, subject string) (*identity.Account, error) {
	a := identity.Account{System: system, Subject: subject}
	var attributes string
	err := s.readRow(ctx, `SELECT id, attributes FROM account WHERE system = $1 AND subject = $2`,
		[]any{system, subject}, &a.ID, &attributes)
	if err != nil {
		return nil, err
	}
	a.Attributes, err = object(attributes)
	return &a, err
}

// FindAccountByID returns the account that has the legacy id in system, or
// [identity.ErrNotFound].
func (s *Store) FindAccountByID(ctx context.Context, system, id string) (*identity.Account, error) {
	if !storable(id) {
		return nil, identity.ErrNotFound
	}
	a := identity.Account{System: system, ID: id}
	var attributes string
	err := s.readRow(ctx, `SELECT subject, attributes FROM account WHERE system = $1 AND id = $2`,
		[]any{system, id}, &a.Subject, &attributes)
	if err != nil {
		return nil, err
	}
	a.Attributes, err = object(attributes)
	return &a, err
}

// ReplaceHash implements [identity.Users].
func (s *Store) ReplaceHash(ctx context.Context, old, fresh identity.Credential) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error { return replaceHash(ctx, tx, old, fresh) })
}

func replaceHash(ctx context.Context, tx *session, old, fresh identity.Credential) error {
	n, err := tx.exec(ctx, `UPDATE credential SET hash = $1, scheme = $2, salt = $3
		WHERE subject = $4 AND slot = $5 AND hash = $6 AND scheme = $7 AND salt = $8`,
		fresh.Hash, fresh.Scheme, fresh.Salt, old.Subject, slotName(old.Slot), old.Hash, old.Scheme, old.Salt)
	if err == nil && n == 0 {
		return identity.ErrConflict
	}
	return err
}

func slotName(slot string) string {
	if slot == "" {
		return identity.SlotPassword
	}
	return slot
}
