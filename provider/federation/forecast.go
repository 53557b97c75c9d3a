package federation

import (
	"context"
	"errors"

	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// People is what a [Forecast] reads of users. It writes nothing.
type People interface {
	FindLogin(ctx context.Context, directory, foldedName string) (*identity.Login, error)
	FindAccountByID(ctx context.Context, system, id string) (*identity.Account, error)
	FindLink(ctx context.Context, issuer, upstreamSubject string) (*identity.Link, error)
}

// Fate is what a sign-in would make of somebody.
type Fate string

// The fates.
const (
	FateLinked    Fate = "linked"    // they are a user already
	FateCreated   Fate = "created"   // a user would be made
	FateCollision Fate = "collision" // their name or an account is somebody else's
	FateUnknown   Fate = "unknown"   // nobody is linked, and the connector makes no users
	FateRefused   Fate = "refused"   // the mapping says no
	FateUntrusted Fate = "untrusted" // the mapping fails
)

// Foreseen is what is known of somebody who has not signed in yet.
type Foreseen struct {
	Fate      Fate
	LoginName identity.LoginName // that they would have; empty where nobody knows
	Subject   string             // ours: whom they are linked to, or collide with
	Earlier   string             // the upstream's subject of whom they collide with among those judged before
	On        string             // what they collide on: "login_name", or the system of an account
	Why       string             // of the mapping
}

// Forecast judges people of an upstream as [Federation.Return] would, one after the
// other, and changes nothing.
type Forecast struct {
	mapper Mapper
	people People
	create bool
	taken  map[[2]string]string // by directory and name, or account, the subject of who would have it
}

// NewForecast returns one for a connector that makes users or does not.
func NewForecast(m Mapper, p People, create bool) *Forecast {
	return &Forecast{mapper: m, people: p, create: create, taken: map[[2]string]string{}}
}

// Judge says what would become of p. Errors are those of storage.
func (f *Forecast) Judge(ctx context.Context, p *upstream.Person) (*Foreseen, error) {
	who, err := f.mapper.Map(p)
	if err != nil {
		return &Foreseen{Fate: Fate(upstream.KindOf(err)), Why: errors.Unwrap(err).Error()}, nil
	}
	seen := &Foreseen{Fate: FateCreated, LoginName: who.LoginName}
	l, err := f.people.FindLink(ctx, who.Issuer, who.Subject)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		l = &identity.Link{}
		if !f.create {
			seen.Fate = FateUnknown
			return seen, nil
		}
	case err != nil:
		return nil, err
	default:
		seen.Fate, seen.Subject = FateLinked, l.Subject
		if l.Origin != identity.LinkCreated {
			return seen, nil // nothing of theirs follows the upstream
		}
	}
	return seen, f.collide(ctx, who, l.Subject, seen)
}

// collide looks who else has what they would have; own is the user that they are
// already, "" for nobody.
func (f *Forecast) collide(ctx context.Context, who *identity.Federated, own string, seen *Foreseen) error {
	var claims []claim
	for _, n := range append([]identity.LoginName{who.LoginName}, who.Names...) {
		holder, folded := "", identity.FoldName(n.Name)
		login, err := f.people.FindLogin(ctx, n.Directory, folded)
		if err == nil {
			holder = login.User.Subject
		}
		claims = append(claims, claim{[2]string{n.Directory, folded}, "login_name", holder, err})
	}
	for _, a := range who.Accounts {
		holder := ""
		account, err := f.people.FindAccountByID(ctx, a.System, a.ID)
		if err == nil {
			holder = account.Subject
		}
		claims = append(claims, claim{[2]string{"account " + a.System, a.ID}, a.System, holder, err})
	}
	for _, c := range claims {
		earlier, taken := f.taken[c.key]
		switch {
		case c.err != nil && !errors.Is(c.err, identity.ErrNotFound):
			return c.err
		case c.holder != "" && c.holder != own:
			seen.Fate, seen.On, seen.Subject = FateCollision, c.on, c.holder
			return nil
		case taken && earlier != who.Subject:
			seen.Fate, seen.On, seen.Subject, seen.Earlier = FateCollision, c.on, "", earlier
			return nil
		}
	}
	for _, c := range claims {
		f.taken[c.key] = who.Subject
	}
	return nil
}

// claim is something that one user alone can have.
type claim struct {
	key    [2]string
	on     string
	holder string // who has it
	err    error
}
