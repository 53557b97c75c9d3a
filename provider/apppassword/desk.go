package apppassword

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"keyway/provider/identity"
	"keyway/provider/secret"
)

// System is a legacy system for which there may be app passwords.
type System struct {
	Name        string // the instance's
	Title       string // what people know it by
	Accounts    string // the namespace of its accounts
	NeedAccount bool   // who has none is nobody there
	// Directories are where it looks login names up. What follows a "{{" is not
	// known before a call is made.
	Directories []string
}

// Options configures a [Desk].
type Options struct {
	Storage identity.AppPasswordStorage
	Users   identity.Users
	Systems []System
	Now     func() time.Time
}

// Desk makes, lists and removes app passwords.
type Desk struct{ options Options }

// New returns a Desk.
func New(o Options) (*Desk, error) {
	if o.Storage == nil || o.Users == nil || o.Now == nil {
		return nil, errors.New("app passwords: Storage, Users and Now are needed")
	}
	return &Desk{options: o}, nil
}

// Offer is a system for which a person may have an app password.
type Offer struct {
	System    string // the instance's name
	Title     string
	Usernames []string // under which they sign in there; may be empty where names are not typed
}

// Offered returns the systems in which u has an account, or which ask for none,
// and that find a login name of theirs. Errors are [*identity.Failure].
func (d *Desk) Offered(ctx context.Context, u *identity.User) ([]Offer, error) {
	var offers []Offer
	accounts := map[string]bool{}
	for i := range d.options.Systems {
		s := &d.options.Systems[i]
		found, usernames := s.namesOf(u)
		if !found {
			continue
		}
		if s.NeedAccount {
			has, err := d.account(ctx, accounts, s.Accounts, u.Subject)
			if err != nil {
				return nil, err
			}
			if !has {
				continue
			}
		}
		offers = append(offers, Offer{System: s.Name, Title: s.Title, Usernames: usernames})
	}
	return offers, nil
}

// account reports whether there is one, and remembers it in known.
func (d *Desk) account(ctx context.Context, known map[string]bool, namespace, subject string) (bool, error) {
	if has, ok := known[namespace]; ok {
		return has, nil
	}
	_, err := d.options.Users.FindAccount(ctx, namespace, subject)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return false, failure(err)
	}
	known[namespace] = err == nil
	return err == nil, nil
}

// namesOf returns the names that go with the user's password. Found says
// whether any name, such as a device's identifier, leads to the user.
func (s *System) namesOf(u *identity.User) (found bool, usernames []string) {
	for _, n := range u.LoginNames {
		if !slices.ContainsFunc(s.Directories, func(d string) bool { return fits(d, n.Directory) }) {
			continue
		}
		found = true
		if (n.Slot == "" || n.Slot == identity.SlotPassword) && !slices.Contains(usernames, n.Name) {
			usernames = append(usernames, n.Name)
		}
	}
	return found, usernames
}

// fits reports whether a system that looks in directory may find names of d.
func fits(directory, d string) bool {
	known, _, open := strings.Cut(directory, "{{")
	return d == directory || open && strings.HasPrefix(d, known)
}

// Title is what people know a system by: its name where it is gone.
func (d *Desk) Title(system string) string {
	for i := range d.options.Systems {
		if d.options.Systems[i].Name == system {
			return d.options.Systems[i].Title
		}
	}
	return system
}

// List returns a user's app passwords, the newest first. Errors are
// [*identity.Failure].
func (d *Desk) List(ctx context.Context, subject string) ([]identity.AppPassword, error) {
	all, err := d.options.Storage.ListAppPasswords(ctx, subject)
	return all, failure(err)
}

// Remove ends an app password, and what was granted to its user in its system.
// One that is gone already is no error. Errors are [*identity.Failure].
func (d *Desk) Remove(ctx context.Context, subject, id string) error {
	err := d.options.Storage.RemoveAppPassword(ctx, subject, id)
	if errors.Is(err, identity.ErrNotFound) {
		return nil
	}
	return failure(err)
}

// Made is a new app password. Only here is the password itself.
type Made struct {
	identity.AppPassword
	Password  string `json:"-"`
	Usernames []string
	Title     string // of the system
}

// Make makes one. Errors are a [Problem] or a [*identity.Failure].
func (d *Desk) Make(ctx context.Context, w Wish) (*Made, error) {
	networks, err := w.judge()
	if err != nil {
		return nil, err
	}
	u, err := d.options.Users.FindUser(ctx, w.Subject)
	if err != nil {
		return nil, failure(err)
	}
	offers, err := d.Offered(ctx, u)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(offers, func(o Offer) bool { return o.System == w.System })
	if i < 0 {
		return nil, ProblemSystem
	}
	password, hash := identity.NewAppPassword()
	now := d.options.Now()
	m := &Made{Password: password, Usernames: offers[i].Usernames, Title: offers[i].Title, AppPassword: identity.AppPassword{
		ID: secret.ID(), Subject: w.Subject, System: w.System, Name: strings.TrimSpace(w.Name), Hash: hash, CreatedAt: now, Networks: networks,
	}}
	if w.Days > 0 {
		m.ExpiresAt = now.AddDate(0, 0, w.Days)
	}
	err = d.options.Storage.AddAppPassword(ctx, &m.AppPassword)
	if errors.Is(err, identity.ErrConflict) {
		return nil, ProblemTooMany
	}
	if err != nil {
		return nil, failure(err)
	}
	return m, nil
}

func failure(err error) error {
	var f *identity.Failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return identity.Fail(identity.ReasonUnavailable, err)
}
