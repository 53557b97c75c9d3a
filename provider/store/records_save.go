package store

import (
	"context"
	"maps"
	"slices"

	"keyway/provider/identity"
)

// recordWriter saves the records of one transaction. It collects rows and writes
// them when it has to.
type recordWriter struct {
	store   *Store
	tx      *session
	known   *people
	touched map[string]bool // subjects with rows that wait
	now     int64

	gone    [4][]string // subjects whose rows of each of tables go first
	pending [4][][]any  // rows of each of tables
}

// tables are what a record consists of, in the order of their dependence.
func tables() [4]struct{ name, insert string } {
	return [4]struct{ name, insert string }{
		{"users", `INSERT INTO users (subject, status, status_source, email, email_folded, email_verified, claims,
			credential_version, created_at, updated_at)`},
		{"login_name", `INSERT INTO login_name (directory, folded, name, slot, subject, place)`},
		{"account", `INSERT INTO account (system, id, subject, attributes)`},
		{"credential", `INSERT INTO credential (subject, slot, hash, scheme, salt, source)`},
	}
}

// Indexes into tables.
const (
	inUsers = iota
	inNames
	inAccounts
	inCredentials
)

// save does what is to be done for one record. An error is one of the database;
// what is wrong with the record is in the result.
func (w *recordWriter) save(ctx context.Context, r *identity.Record) (identity.SaveResult, error) {
	old, fresh, problem := w.plan(r)
	if problem != nil {
		return identity.SaveResult{Err: problem}, nil //nolint:nilerr // the others go on
	}
	res := identity.SaveResult{Subject: fresh.user.Subject, Change: identity.ChangeCreated}
	if old == nil {
		w.create(fresh)
		return res, nil
	}
	if w.touched[fresh.user.Subject] {
		if err := w.flush(ctx); err != nil {
			return res, err
		}
	}
	res.Change = identity.ChangeUnchanged
	changed, err := w.update(ctx, old, fresh)
	if changed {
		res.Change = identity.ChangeUpdated
	}
	return res, err
}

// plan returns how the person is, nil when there is none yet, and how they shall
// be; or what is wrong with the record.
func (w *recordWriter) plan(r *identity.Record) (old, fresh *person, problem error) {
	if err := checkRecord(r); err != nil {
		return nil, nil, err
	}
	old = w.known.find(r)
	subject := r.User.Subject
	switch {
	case old != nil:
		subject = old.user.Subject
	case subject == "":
		subject = newSubject()
	}
	if err := w.known.conflict(r, subject); err != nil {
		return nil, nil, err
	}
	fresh, problem = w.merge(old, r, subject)
	return old, fresh, problem
}

// merge returns how the person shall be.
func (w *recordWriter) merge(old *person, r *identity.Record, subject string) (*person, error) {
	p := newPerson()
	p.user = r.User
	p.user.Subject, p.user.LoginNames, p.imported = subject, uniqueNames(r.User.LoginNames), r.User.Status
	if p.user.Status == "" {
		p.user.Status = identity.StatusActive
	}
	p.user.CredentialVersion, p.user.CreatedAt = 1, instant(w.now)
	if old != nil {
		p.user.CredentialVersion, p.user.CreatedAt = old.user.CredentialVersion, old.user.CreatedAt
		if r.User.Status == "" {
			p.imported = old.imported
		}
		if p.imported == old.imported {
			p.user.Status = old.user.Status
		}
		if len(r.Credentials) == 0 {
			maps.Copy(p.creds, old.creds)
		}
	}
	var err error
	if p.claims, err = objectText(r.User.Claims); err != nil {
		return nil, err
	}
	for _, a := range r.Accounts {
		text, err := objectText(a.Attributes)
		if err != nil {
			return nil, err
		}
		p.accounts[a.System] = accountText{a.ID, text}
	}
	for _, c := range r.Credentials {
		c.Slot, c.Subject = slotName(c.Slot), subject
		if old != nil && c.Source != "" && old.creds[c.Slot].Source == c.Source {
			c = old.creds[c.Slot]
		}
		p.creds[c.Slot] = c
	}
	return p, nil
}

// uniqueNames drops names that repeat an earlier one.
func uniqueNames(names []identity.LoginName) []identity.LoginName {
	seen := make(map[pair]bool, len(names))
	out := make([]identity.LoginName, 0, len(names))
	for _, n := range names {
		if k := nameKey(n); !seen[k] {
			seen[k] = true
			out = append(out, n)
		}
	}
	return out
}

func (w *recordWriter) create(p *person) {
	w.addUser(p)
	w.addNames(p)
	w.addAccounts(p)
	w.addCredentials(p)
	w.learn(nil, p)
}

// update writes what differs, and reports whether anything did.
func (w *recordWriter) update(ctx context.Context, old, p *person) (bool, error) {
	subject := p.user.Subject
	names := !slices.Equal(old.user.LoginNames, p.user.LoginNames)
	accounts := !maps.Equal(old.accounts, p.accounts)
	creds := !maps.Equal(old.creds, p.creds)
	row := old.user.Status != p.user.Status || old.imported != p.imported || old.user.Email != p.user.Email ||
		old.user.EmailVerified != p.user.EmailVerified || old.claims != p.claims
	if !names && !accounts && !creds && !row {
		return false, nil
	}
	if names {
		w.gone[inNames] = append(w.gone[inNames], subject)
		w.addNames(p)
	}
	if accounts {
		w.gone[inAccounts] = append(w.gone[inAccounts], subject)
		w.addAccounts(p)
	}
	if creds {
		p.user.CredentialVersion++
		w.gone[inCredentials] = append(w.gone[inCredentials], subject)
		w.addCredentials(p)
	}
	w.learn(old, p)
	_, err := w.tx.exec(ctx, `UPDATE users SET status = $1, email = $2, email_folded = $3, email_verified = $4, claims = $5,
		credential_version = $6, updated_at = $7, status_source = $8 WHERE subject = $9`, string(p.user.Status), p.user.Email,
		identity.FoldName(p.user.Email), p.user.EmailVerified, p.claims, p.user.CredentialVersion, w.now, string(p.imported), subject)
	if err != nil || old.user.Status == p.user.Status {
		return true, err
	}
	return true, w.store.statusChanged(ctx, w.tx, subject, p.user.Status)
}

// learn makes later records of the batch see p.
func (w *recordWriter) learn(old, p *person) {
	if old != nil {
		for _, n := range old.user.LoginNames {
			delete(w.known.names, nameKey(n))
		}
		for system, a := range old.accounts {
			delete(w.known.accounts, pair{system, a.id})
		}
	}
	for _, n := range p.user.LoginNames {
		w.known.names[nameKey(n)] = p.user.Subject
	}
	for system, a := range p.accounts {
		w.known.accounts[pair{system, a.id}] = p.user.Subject
	}
	w.known.bySubject[p.user.Subject] = p
	w.touched[p.user.Subject] = true
}

func (w *recordWriter) add(table int, row ...any) { w.pending[table] = append(w.pending[table], row) }

func (w *recordWriter) addUser(p *person) {
	u := &p.user
	w.add(inUsers, u.Subject, string(u.Status), string(p.imported), u.Email, identity.FoldName(u.Email), u.EmailVerified, p.claims,
		u.CredentialVersion, w.now, w.now)
}

func (w *recordWriter) addNames(p *person) {
	for i, n := range p.user.LoginNames {
		w.add(inNames, n.Directory, nameKey(n).name, n.Name, n.Slot, p.user.Subject, int64(i))
	}
}

func (w *recordWriter) addAccounts(p *person) {
	for _, system := range slices.Sorted(maps.Keys(p.accounts)) {
		a := p.accounts[system]
		w.add(inAccounts, system, a.id, p.user.Subject, a.attributes)
	}
}

func (w *recordWriter) addCredentials(p *person) {
	for _, slot := range slices.Sorted(maps.Keys(p.creds)) {
		c := p.creds[slot]
		w.add(inCredentials, p.user.Subject, slot, c.Hash, c.Scheme, c.Salt, c.Source)
	}
}

// flush writes what was collected: first what goes, then what comes.
func (w *recordWriter) flush(ctx context.Context) error {
	all := tables()
	for i, subjects := range w.gone {
		err := eachChunk(subjects, func(in string, args []any) error {
			_, err := w.tx.exec(ctx, `DELETE FROM `+all[i].name+` WHERE subject IN (`+in+`)`, args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	for i, rows := range w.pending {
		if err := insertRows(ctx, w.tx, all[i].insert, rows); err != nil {
			return err
		}
	}
	w.gone, w.pending = [4][]string{}, [4][][]any{}
	clear(w.touched)
	return nil
}
