package store

import (
	"context"
	"slices"
	"strings"

	"keyway/provider/identity"
)

// ListUsers implements [identity.Directory]. Match is compared folded, as login
// names are.
func (s *Store) ListUsers(ctx context.Context, match, after string, limit int) ([]identity.User, error) {
	if limit <= 0 {
		return nil, nil
	}
	like := "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(identity.FoldName(match)) + "%"
	var users []identity.User
	err := s.readRows(ctx, `SELECT `+userColumns+` FROM users u WHERE u.subject > $1 AND
		(lower(u.subject) LIKE $2 ESCAPE '!' OR u.email_folded LIKE $2 ESCAPE '!' OR EXISTS
		(SELECT 1 FROM login_name n WHERE n.subject = u.subject AND n.folded LIKE $2 ESCAPE '!'))
		ORDER BY u.subject LIMIT $3`, []any{after, like, limit}, func(scan scanFunc) error {
		var r userRow
		if err := scan(r.dest()...); err != nil {
			return err
		}
		u, err := r.user()
		users = append(users, u)
		return err
	})
	if err != nil || len(users) == 0 {
		return users, err
	}
	return users, s.fillLoginNames(ctx, users)
}

func (s *Store) fillLoginNames(ctx context.Context, users []identity.User) error {
	at := make(map[string]int, len(users))
	subjects := make([]string, len(users))
	for i := range users {
		at[users[i].Subject], subjects[i] = i, users[i].Subject
	}
	rctx, cancel, run := s.backend.read(ctx)
	defer cancel()
	return eachChunk(subjects, func(in string, args []any) error {
		return (&session{run: run}).rows(rctx, `SELECT subject, directory, name, slot FROM login_name
			WHERE subject IN (`+in+`) ORDER BY subject, place`, args, func(scan scanFunc) error {
			var (
				subject string
				n       identity.LoginName
			)
			err := scan(&subject, &n.Directory, &n.Name, &n.Slot)
			if err == nil {
				u := &users[at[subject]]
				u.LoginNames = append(u.LoginNames, n)
			}
			return err
		})
	})
}

// ListAccounts implements [identity.Directory].
func (s *Store) ListAccounts(ctx context.Context, subject string) ([]identity.Account, error) {
	var accounts []identity.Account
	err := s.readRows(ctx, `SELECT system, id, attributes FROM account WHERE subject = $1`, []any{subject}, func(scan scanFunc) error {
		a := identity.Account{Subject: subject}
		var attributes string
		err := scan(&a.System, &a.ID, &attributes)
		if err != nil {
			return err
		}
		a.Attributes, err = object(attributes)
		accounts = append(accounts, a)
		return err
	})
	slices.SortFunc(accounts, func(a, b identity.Account) int { return strings.Compare(a.System, b.System) })
	return accounts, err
}

// SetStatus implements [identity.Directory].
func (s *Store) SetStatus(ctx context.Context, subject string, to identity.Status) error {
	return s.write(ctx, func(ctx context.Context, tx *session) error {
		n, err := tx.exec(ctx, `UPDATE users SET status = $1, updated_at = $2 WHERE subject = $3 AND status <> $1`,
			string(to), millis(s.now()), subject)
		if err != nil {
			return err
		}
		if n == 0 {
			return tx.row(ctx, `SELECT status FROM users WHERE subject = $1`, []any{subject}, &to)
		}
		return s.statusChanged(ctx, tx, subject, to)
	})
}

// statusChanged records a user's new status, and revokes the grants and ends the
// browser sessions of one who was disabled or deleted.
func (s *Store) statusChanged(ctx context.Context, tx *session, subject string, to identity.Status) error {
	kind := "user_" + string(to)
	if to == identity.StatusActive {
		kind = "user_enabled"
	}
	if err := s.addEvent(ctx, tx, &identity.Event{Kind: kind, Subject: subject}); err != nil || !barred(to) {
		return err
	}
	_, err := s.signOut(ctx, tx, signOut{subject: subject, grants: true, reason: "user " + string(to)})
	return err
}

func barred(s identity.Status) bool {
	return s == identity.StatusDisabled || s == identity.StatusDeleted
}
