package store

import (
	"context"

	"keyway/provider/identity"
)

// loadPeople reads, in a few statements, whom the batch is about and who owns
// what it wants.
func loadPeople(ctx context.Context, tx *session, batch []identity.Record) (*people, error) {
	p := &people{bySubject: map[string]*person{}, names: map[pair]string{}, accounts: map[pair]string{}}
	names, ids, subjects := map[string][]string{}, map[string][]string{}, map[string]bool{}
	for _, r := range batch {
		if checkRecord(&r) != nil {
			continue
		}
		for _, n := range r.User.LoginNames {
			names[n.Directory] = append(names[n.Directory], identity.FoldName(n.Name))
		}
		for _, a := range r.Accounts {
			ids[a.System] = append(ids[a.System], a.ID)
		}
		if s := r.User.Subject; s != "" {
			subjects[s] = true
		}
	}
	for _, o := range []ownership{
		{`SELECT folded, subject FROM login_name WHERE folded IN (`, `) AND directory = `, names, p.names},
		{`SELECT id, subject FROM account WHERE id IN (`, `) AND system = `, ids, p.accounts},
	} {
		if err := o.load(ctx, tx); err != nil {
			return nil, err
		}
	}
	for _, s := range p.names {
		subjects[s] = true
	}
	list := make([]string, 0, len(subjects))
	for s := range subjects {
		list = append(list, s)
	}
	return p, eachChunk(list, func(in string, args []any) error { return p.load(ctx, tx, in, args) })
}

// ownership finds whose the wanted names in each space are.
type ownership struct {
	before, after string // the statement around its IN list
	wanted        map[string][]string
	into          map[pair]string
}

func (o *ownership) load(ctx context.Context, tx *session) error {
	for space, names := range o.wanted {
		err := eachChunk(names, func(in string, args []any) error {
			query := o.before + in + o.after + placeholders(len(args)+1, 1)
			return tx.rows(ctx, query, append(args, space), func(scan scanFunc) error {
				var name, subject string
				err := scan(&name, &subject)
				o.into[pair{space, name}] = subject
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// load reads everything about some subjects.
func (p *people) load(ctx context.Context, tx *session, in string, args []any) error {
	loads := []struct {
		query string
		each  func(scanFunc) error
	}{
		{`SELECT ` + userColumns + `, u.status_source FROM users u WHERE u.subject IN (` + in + `)`, p.scanUser},
		{`SELECT subject, directory, folded, name, slot FROM login_name WHERE subject IN (` + in + `) ORDER BY subject, place`, p.scanName},
		{`SELECT subject, system, id, attributes FROM account WHERE subject IN (` + in + `)`, p.scanAccount},
		{`SELECT subject, slot, hash, scheme, salt, source FROM credential WHERE subject IN (` + in + `)`, p.scanCredential},
	}
	for _, l := range loads {
		if err := tx.rows(ctx, l.query, args, l.each); err != nil {
			return err
		}
	}
	return nil
}

func newPerson() *person {
	return &person{accounts: map[string]accountText{}, creds: map[string]identity.RecordCredential{}}
}

func (p *people) scanUser(scan scanFunc) error {
	var r userRow
	one := newPerson()
	if err := scan(append(r.dest(), &one.imported)...); err != nil {
		return err
	}
	u, err := r.user()
	one.user, one.claims = u, r.claims
	p.bySubject[u.Subject] = one
	return err
}

func (p *people) scanName(scan scanFunc) error {
	var (
		n               identity.LoginName
		subject, folded string
	)
	if err := scan(&subject, &n.Directory, &folded, &n.Name, &n.Slot); err != nil {
		return err
	}
	p.names[pair{n.Directory, folded}] = subject
	u := &p.bySubject[subject].user
	u.LoginNames = append(u.LoginNames, n)
	return nil
}

func (p *people) scanAccount(scan scanFunc) error {
	var (
		a               accountText
		subject, system string
	)
	if err := scan(&subject, &system, &a.id, &a.attributes); err != nil {
		return err
	}
	p.accounts[pair{system, a.id}] = subject
	p.bySubject[subject].accounts[system] = a
	return nil
}

func (p *people) scanCredential(scan scanFunc) error {
	var c identity.RecordCredential
	if err := scan(&c.Subject, &c.Slot, &c.Hash, &c.Scheme, &c.Salt, &c.Source); err != nil {
		return err
	}
	p.bySubject[c.Subject].creds[c.Slot] = c
	return nil
}
