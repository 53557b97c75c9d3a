package identity

import (
	"context"
	"errors"
	"log/slog"
	"time"
)

// LocalOptions configures a [Local].
type LocalOptions struct {
	Users    Users
	Hasher   *Hasher
	Verified *Verified // nil: every login is hashed
	// KeepHashes leaves imported hashes as they are, instead of replacing them
	// by argon2id at the next good login.
	KeepHashes bool
	Logger     *slog.Logger // says when a hash could not be replaced
	Now        func() time.Time
}

// Local authenticates users by the password hashes in our own storage.
//
// An unknown name and a user without a password cost what a wrong password
// does: a verification of a new hash and, where imported hashes that are dearer
// were met lately, one as dear as the dearest of these.
//
// Local does not look at a user's status; the [Gate] does.
type Local struct {
	users      Users
	hasher     *Hasher
	verified   *Verified
	keepHashes bool
	log        *slog.Logger
	now        func() time.Time
	decoys     decoys
}

var _ LoginAuthenticator = (*Local)(nil)

// NewLocal returns a Local.
func NewLocal(o LocalOptions) (*Local, error) {
	if o.Users == nil || o.Hasher == nil || o.Logger == nil || o.Now == nil {
		return nil, errors.New("local: Users, Hasher, Logger and Now are needed")
	}
	return &Local{
		users: o.Users, hasher: o.Hasher, verified: o.Verified,
		keepHashes: o.KeepHashes, log: o.Logger, now: o.Now,
	}, nil
}

// errNoCredential is the cause of a wrong password where no password is right. A
// [Chain] goes on then, as it does for unknown names.
var errNoCredential = errors.New("user has no such credential")

// Authenticate implements [Authenticator]. Failures are unknown_user,
// wrong_password and unavailable.
func (a *Local) Authenticate(ctx context.Context, c Credentials) (*Identity, error) {
	l, err := c.login(ctx, a.users)
	if err != nil {
		return nil, err
	}
	return a.AuthenticateLogin(ctx, c, l)
}

// AuthenticateLogin implements [LoginAuthenticator].
func (a *Local) AuthenticateLogin(ctx context.Context, c Credentials, l *Login) (*Identity, error) {
	if l == nil || l.Credential == nil {
		if err := a.hasher.verifyNobody(ctx, c.readings(), a.decoys.get(c.Directory, a.now())); err != nil {
			return nil, err
		}
		if l == nil {
			return nil, Fail(ReasonUnknownUser, nil)
		}
		return nil, Fail(ReasonWrongPassword, errNoCredential)
	}
	if c.Hopeless || !a.verified.knows(l, c.Password) {
		if err := a.verify(ctx, c, l); err != nil {
			return nil, err
		}
		a.verified.remember(l, c.Password)
	}
	return &Identity{User: l.User, AuthTime: a.now(), AMR: []string{"pwd"}}, nil
}

func (a *Local) verify(ctx context.Context, c Credentials, l *Login) error {
	now := a.now()
	v, err := a.hasher.verify(ctx, trial{
		credential: *l.Credential, readings: c.readings(), upgrade: !a.keepHashes, dear: a.decoys.get(c.Directory, now),
	})
	if err != nil {
		return err
	}
	if v.work > a.hasher.dearer {
		a.decoys.learn(c.Directory, *l.Credential, v.work, now)
	}
	if !v.ok {
		return Fail(ReasonWrongPassword, nil)
	}
	if v.next != nil {
		a.replaceHash(ctx, *l.Credential, *v.next)
	}
	return nil
}

// replaceHash never fails a login: the old hash goes on being good.
func (a *Local) replaceHash(ctx context.Context, old, next Credential) {
	ctx, cancel := outliving(ctx)
	defer cancel()
	err := a.users.ReplaceHash(ctx, old, next)
	if err != nil && !errors.Is(err, ErrConflict) {
		a.log.WarnContext(ctx, "password hash not replaced", slog.String("subject", old.Subject), slog.Any("error", err))
	}
}

// findLogin resolves a login name; a nil login is an unknown name. Errors are
// [*Failure].
func findLogin(ctx context.Context, users Users, c Credentials) (*Login, error) {
	if !lookupName(c.Username) || !lookupName(c.Directory) {
		return nil, nil //nolint:nilnil // an unknown name
	}
	l, err := users.FindLogin(ctx, c.Directory, FoldName(c.Username))
	if errors.Is(err, ErrNotFound) {
		return nil, nil //nolint:nilnil // an unknown name
	}
	if err != nil {
		return nil, storageFailure(err)
	}
	return l, nil
}

// storageFailure is the failure behind an error of a store.
func storageFailure(err error) *Failure {
	var f *Failure
	if errors.As(err, &f) {
		return f
	}
	return Fail(ReasonUnavailable, err)
}
