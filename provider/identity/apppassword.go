package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"net/netip"
	"strings"
	"time"
)

// AppPassword is a generated password of one user for one legacy system, for
// the app that can send nothing else. Printed, logged or encoded as JSON it
// hides its hash.
type AppPassword struct {
	ID        string
	Subject   string
	System    string   // the legacy system's instance
	Name      string   // that the person gave it
	Hash      [32]byte `json:"-"` // see [NewAppPassword]
	CreatedAt time.Time
	UsedAt    time.Time // about the last time that it let somebody in; zero for never
	ExpiresAt time.Time // zero for never
	Networks  []string  // from which alone it is taken, in CIDR notation; empty for any
}

// String hides the hash.
func (p AppPassword) String() string { return "app password " + p.ID + " of " + p.Subject }

// GoString hides what String hides.
func (p AppPassword) GoString() string { return p.String() }

const (
	appGroups = 4
	appGroup  = 5 // characters of 5 bits: 100 bits in all
)

// NewAppPassword returns a password to be shown once, and its hash. It has 100
// random bits, so that one fast hash is enough: nobody can try them all.
func NewAppPassword() (password string, hash [32]byte) {
	text := strings.ToLower(rand.Text())
	groups := make([]string, appGroups)
	for i := range groups {
		groups[i] = text[i*appGroup : (i+1)*appGroup]
	}
	password = strings.Join(groups, "-")
	return password, sha256.Sum256([]byte(password))
}

// appPasswordHash is false for what cannot be an app password, so that other
// logins cost no look into the database. Case and blanks around are forgiven,
// for somebody had to copy it.
func appPasswordHash(presented string) (hash [32]byte, ok bool) {
	s := strings.ToLower(strings.TrimSpace(presented))
	if len(s) != appGroups*(appGroup+1)-1 {
		return hash, false
	}
	for i := range len(s) {
		dash := i%(appGroup+1) == appGroup
		letter := s[i] >= 'a' && s[i] <= 'z' || s[i] >= '2' && s[i] <= '7'
		if dash != (s[i] == '-') || dash == letter {
			return hash, false
		}
	}
	return sha256.Sum256([]byte(s)), true
}

// AppPasswordStorage stores app passwords.
type AppPasswordStorage interface {
	// AddAppPassword is recorded as app_password_added; [ErrNotFound] where there is
	// no such user, [ErrConflict] where they have too many.
	AddAppPassword(ctx context.Context, p *AppPassword) error
	// FindAppPassword returns [ErrNotFound] where the system has none with this
	// hash.
	FindAppPassword(ctx context.Context, system string, hash [32]byte) (*AppPassword, error)
	// ListAppPasswords returns those of a user, the newest first.
	ListAppPasswords(ctx context.Context, subject string) ([]AppPassword, error)
	// RemoveAppPassword also revokes the grants of the password's system and user,
	// and is recorded as app_password_removed; [ErrNotFound] where the subject has
	// no such password.
	RemoveAppPassword(ctx context.Context, subject, id string) error
	// TouchAppPassword notes that it let somebody in.
	TouchAppPassword(ctx context.Context, id string, at time.Time) error
}

// AppPasswords is an [Authenticator] for app passwords. To whoever presents
// something else it says unknown_user, so that a chain goes on.
type AppPasswords struct {
	storage AppPasswordStorage
	users   Users
	now     func() time.Time
}

var _ LoginAuthenticator = (*AppPasswords)(nil)

// NewAppPasswords returns an AppPasswords.
func NewAppPasswords(storage AppPasswordStorage, users Users, now func() time.Time) (*AppPasswords, error) {
	if storage == nil || users == nil || now == nil {
		return nil, errors.New("app passwords: storage, users and clock are needed")
	}
	return &AppPasswords{storage: storage, users: users, now: now}, nil
}

// touchAppPassword says how stale the last use may be: noting each would make
// every login one write more.
const touchAppPassword = 5 * time.Minute

// Authenticate implements [Authenticator].
func (a *AppPasswords) Authenticate(ctx context.Context, c Credentials) (*Identity, error) {
	l, err := c.login(ctx, a.users)
	if err != nil {
		return nil, err
	}
	return a.AuthenticateLogin(ctx, c, l)
}

// AuthenticateLogin implements [LoginAuthenticator]. Failures are unknown_user
// and unavailable; one that expired or comes from elsewhere is wrong_password.
func (a *AppPasswords) AuthenticateLogin(ctx context.Context, c Credentials, l *Login) (*Identity, error) {
	if l == nil || c.System == "" || c.Hopeless {
		return nil, Failf(ReasonUnknownUser, "no user, or no legacy system")
	}
	for _, reading := range c.readings() {
		hash, ok := appPasswordHash(reading)
		if !ok {
			continue
		}
		p, err := a.storage.FindAppPassword(ctx, c.System, hash)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, storageFailure(err)
		}
		return a.admit(ctx, c, l, p)
	}
	return nil, Failf(ReasonUnknownUser, "not an app password")
}

func (a *AppPasswords) admit(ctx context.Context, c Credentials, l *Login, p *AppPassword) (*Identity, error) {
	now := a.now()
	switch {
	case p.Subject != l.User.Subject:
		return nil, Failf(ReasonWrongPassword, "app password of somebody else")
	case !p.ExpiresAt.IsZero() && !now.Before(p.ExpiresAt):
		return nil, Failf(ReasonWrongPassword, "app password has expired")
	case !within(p.Networks, c.RemoteAddr):
		return nil, Failf(ReasonWrongPassword, "app password is not taken from this network")
	}
	if now.Sub(p.UsedAt) >= touchAppPassword {
		ctx, cancel := outliving(ctx)
		defer cancel()
		if err := a.storage.TouchAppPassword(ctx, p.ID, now); err != nil {
			return nil, storageFailure(err)
		}
	}
	return &Identity{User: l.User, AuthTime: now, AMR: []string{"pwd"}, AppPassword: true}, nil
}

// within takes an unreadable network for one that nobody is in.
func within(networks []string, addr netip.Addr) bool {
	for _, n := range networks {
		prefix, err := netip.ParsePrefix(n)
		if err == nil && addr.IsValid() && prefix.Contains(addr.Unmap().WithZone("")) {
			return true
		}
	}
	return len(networks) == 0
}
