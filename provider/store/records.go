package store

import (
	"context"
	"errors"
	"fmt"

	"keyway/provider/identity"
)

// maxKey bounds, in bytes, what stands in an index: login names, ids of accounts and
// clients. PostgreSQL refuses longer index entries than about 2,700 bytes.
const maxKey = 512

// saveBatch is how many records one transaction takes at most, for while it runs
// nobody else can write to an SQLite file.
const saveBatch = 2000

// recordsLease is the row that orders transactions of SaveRecords.
const recordsLease = "records"

// SaveRecords implements [identity.Directory].
//
// A record is the whole user: login names and accounts that it lacks are removed,
// and so are credentials, unless it has none at all. A credential whose Source is
// the stored one is left as it is. An empty status means active for a new user and
// no change for one that is there; so does the status that a record of the user had
// before, for it may have been changed since.
func (s *Store) SaveRecords(ctx context.Context, records []identity.Record) ([]identity.SaveResult, error) {
	results := make([]identity.SaveResult, 0, len(records))
	for len(records) > 0 {
		batch := records[:min(saveBatch, len(records))]
		records = records[len(batch):]
		var saved []identity.SaveResult
		err := s.write(ctx, func(ctx context.Context, tx *session) (err error) {
			saved, err = s.saveBatch(ctx, tx, batch)
			return err
		})
		if err != nil {
			return results, err
		}
		results = append(results, saved...)
	}
	return results, nil
}

func (s *Store) saveBatch(ctx context.Context, tx *session, batch []identity.Record) ([]identity.SaveResult, error) {
	if err := s.takeTurns(ctx, tx); err != nil {
		return nil, err
	}
	known, err := loadPeople(ctx, tx, batch)
	if err != nil {
		return nil, err
	}
	w := &recordWriter{store: s, tx: tx, known: known, touched: map[string]bool{}, now: millis(s.now())}
	results := make([]identity.SaveResult, len(batch))
	for i := range batch {
		if results[i], err = w.save(ctx, &batch[i]); err != nil {
			return nil, err
		}
	}
	return results, w.flush(ctx)
}

// takeTurns orders the transactions that save people: two replicas that apply
// the same file at their start, or two sign-ins of the same new person.
func (s *Store) takeTurns(ctx context.Context, tx *session) error {
	_, err := tx.exec(ctx, `INSERT INTO lease (name, holder, until, version) VALUES ($1, $2, 0, 0)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder`, recordsLease, s.holder)
	return err
}

// checkRecord finds what makes a record impossible to save.
func checkRecord(r *identity.Record) error {
	if len(r.User.LoginNames) == 0 {
		return errors.New("it has no login name")
	}
	for _, n := range r.User.LoginNames {
		if folded := identity.FoldName(n.Name); folded == "" || !keyable(folded) || !keyable(n.Directory) || !storable(n.Name) {
			return fmt.Errorf("login name %q: it must be valid text of 1 to %d bytes", n.Name, maxKey)
		}
	}
	if !storable(r.User.Email) {
		return errors.New("its e-mail address is not valid text")
	}
	systems := map[string]bool{}
	for _, a := range r.Accounts {
		if a.ID == "" || !keyable(a.ID) || !keyable(a.System) {
			return fmt.Errorf("account in %s: its id must be valid text of 1 to %d bytes", a.System, maxKey)
		}
		if systems[a.System] {
			return fmt.Errorf("it has two accounts in %s", a.System)
		}
		systems[a.System] = true
	}
	slots := map[string]bool{}
	for _, c := range r.Credentials {
		if c.Password != "" {
			return errors.New("a password reached the store without having been hashed")
		}
		if c.Hash == "" || slots[slotName(c.Slot)] {
			return fmt.Errorf("credential %s: it has no hash, or is there twice", slotName(c.Slot))
		}
		slots[slotName(c.Slot)] = true
	}
	return nil
}

func keyable(s string) bool { return len(s) <= maxKey && storable(s) }

// person is a user as stored, with everything that belongs to them.
type person struct {
	user     identity.User
	claims   string
	imported identity.Status        // the status that a record had last, "" for none
	accounts map[string]accountText // by system
	creds    map[string]identity.RecordCredential
}

type accountText struct{ id, attributes string }

// pair is the key of a login name (directory, folded) or an account (system,
// id).
type pair struct{ space, name string }

func nameKey(n identity.LoginName) pair { return pair{n.Directory, identity.FoldName(n.Name)} }

// people is what the database knows of the records of a batch.
type people struct {
	bySubject map[string]*person
	names     map[pair]string // -> subject
	accounts  map[pair]string // -> subject
}

// find returns who the record is about, or nil.
func (p *people) find(r *identity.Record) *person {
	if subject, ok := p.names[nameKey(r.User.LoginNames[0])]; ok {
		return p.bySubject[subject]
	}
	return p.bySubject[r.User.Subject]
}

// conflict reports what of the record belongs to somebody other than subject.
func (p *people) conflict(r *identity.Record, subject string) error {
	if r.User.Subject != "" && subject != r.User.Subject {
		return fmt.Errorf("%w: its first login name belongs to another subject", identity.ErrConflict)
	}
	for _, n := range r.User.LoginNames {
		if owner, ok := p.names[nameKey(n)]; ok && owner != subject {
			return fmt.Errorf("%w: login name %q in directory %s belongs to another user", identity.ErrConflict, n.Name, n.Directory)
		}
	}
	for _, a := range r.Accounts {
		if owner, ok := p.accounts[pair{a.System, a.ID}]; ok && owner != subject {
			return fmt.Errorf("%w: account %q in %s belongs to another user", identity.ErrConflict, a.ID, a.System)
		}
	}
	return nil
}
