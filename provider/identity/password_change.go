package identity

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// ErrNoPassword says that a user has no password here that could be changed.
var ErrNoPassword = errors.New("the user has no password here")

// PasswordStorage is where new passwords go.
type PasswordStorage interface {
	// ChangePassword does all that x says in one transaction, and raises the
	// credential version. It returns [ErrConflict] where the credential is not
	// x.Old any more.
	ChangePassword(ctx context.Context, x *PasswordChange) error
}

// PasswordChange is what a changed password writes.
type PasswordChange struct {
	Old, New Credential
	// EndOthers ends what others may have got with the old password: the user's
	// browser sessions but for Keep, and every grant that was not made in that one.
	EndOthers bool
	Keep      string // public id of a browser session
	Event     Event
}

// PasswordsOptions configures [Passwords].
type PasswordsOptions struct {
	Users     Users
	Storage   PasswordStorage
	SignIn    Authenticator // asks the gate itself
	Hasher    *Hasher
	Directory string // in which people sign in with a browser
	Now       func() time.Time
}

// Passwords lets people change their own. The one that goes with their login
// name in the directory is changed, and so it changes for every legacy system
// that takes the same.
type Passwords struct {
	options PasswordsOptions
}

// NewPasswords returns a Passwords.
func NewPasswords(o PasswordsOptions) (*Passwords, error) {
	if o.Users == nil || o.Storage == nil || o.SignIn == nil || o.Hasher == nil || o.Now == nil {
		return nil, errors.New("passwords: Users, Storage, SignIn, Hasher and Now are needed")
	}
	return &Passwords{options: o}, nil
}

// NewPassword is what a person asks for. Logged or encoded as JSON it hides
// the passwords.
type NewPassword struct {
	Subject    string
	Current    string `json:"-"`
	New        string `json:"-"`
	EndOthers  bool
	Keep       string // public id of the browser session that asks
	RemoteAddr netip.Addr
	RequestID  string
}

// String hides the passwords.
func (n NewPassword) String() string { return "new password of " + n.Subject }

// GoString hides what String hides.
func (n NewPassword) GoString() string { return n.String() }

// Changeable reports whether u has a password here: who signs in elsewhere has a
// name without one. Errors are [*Failure].
func (p *Passwords) Changeable(ctx context.Context, u *User) (bool, error) {
	name := u.Username(p.options.Directory)
	if name == "" {
		return false, nil
	}
	l, err := findLogin(ctx, p.options.Users, Credentials{Directory: p.options.Directory, Username: name})
	return err == nil && l != nil && l.Credential != nil && l.User.Subject == u.Subject, err
}

// Change judges the current password as every sign-in is judged, with its
// lockout, and then stores the new one. Errors are a [PasswordProblem],
// [ErrNoPassword], or a [*Failure].
func (p *Passwords) Change(ctx context.Context, n NewPassword) error {
	u, err := p.options.Users.FindUser(ctx, n.Subject)
	if err != nil {
		return storageFailure(err)
	}
	name := u.Username(p.options.Directory)
	if name == "" {
		return ErrNoPassword
	}
	if err := JudgePassword(n.New, u); err != nil {
		return err
	}
	who, err := p.options.SignIn.Authenticate(ctx, Credentials{
		Directory: p.options.Directory, Username: name, Password: n.Current, RemoteAddr: n.RemoteAddr, RequestID: n.RequestID,
	})
	if err != nil {
		return err
	}
	if who.User.Subject != n.Subject {
		return Failf(ReasonInternal, "the login name leads to another user")
	}
	if who.Connector != "" { // an upstream judged it: the one that is kept here was not shown
		return ErrNoPassword
	}
	if n.New == n.Current {
		return PasswordSame
	}
	return p.store(ctx, n, name)
}

// store reads the credential anew, for the sign-in may have replaced its hash.
func (p *Passwords) store(ctx context.Context, n NewPassword, name string) error {
	l, err := p.options.Users.FindLogin(ctx, p.options.Directory, FoldName(name))
	if err != nil {
		return storageFailure(err)
	}
	if l.Credential == nil || l.User.Subject != n.Subject {
		return ErrNoPassword
	}
	fresh, err := p.options.Hasher.Replace(ctx, *l.Credential, n.New)
	if err != nil {
		return err
	}
	e := Event{At: p.options.Now(), Kind: "password_changed", Subject: n.Subject, Directory: p.options.Directory, RequestID: n.RequestID}
	if n.RemoteAddr.IsValid() {
		e.RemoteAddr = n.RemoteAddr.Unmap().String()
	}
	err = p.options.Storage.ChangePassword(ctx, &PasswordChange{Old: *l.Credential, New: fresh, EndOthers: n.EndOthers, Keep: n.Keep, Event: e})
	if errors.Is(err, ErrConflict) {
		return Fail(ReasonUnavailable, err) // somebody else changed it at the same moment
	}
	if err != nil {
		return storageFailure(err)
	}
	return nil
}
