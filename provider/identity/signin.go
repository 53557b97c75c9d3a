package identity

import (
	"context"
	"crypto/rand"
	"errors"
	"time"
)

// SignInOptions configures a [SignIn].
type SignInOptions struct {
	Users         Users
	Gate          *Gate
	Authenticator Authenticator
	Verified      *Verified // what is forgotten when a user may not come in; may be nil
	Codes         Codes     // reads codes behind passwords; nil reads none
	Now           func() time.Time
}

// SignIn is the only way in with a password. It asks the [Gate] before and
// after the password is looked at, and counts and records what fails. The
// event of a success is written by whoever makes the grant.
type SignIn struct {
	users         Users
	gate          *Gate
	authenticator Authenticator
	verified      *Verified
	codes         Codes
	now           func() time.Time
}

var _ Authenticator = (*SignIn)(nil)

// NewSignIn returns a SignIn.
func NewSignIn(o SignInOptions) (*SignIn, error) {
	if o.Users == nil || o.Gate == nil || o.Authenticator == nil || o.Now == nil {
		return nil, errors.New("sign-in: Users, Gate, Authenticator and Now are needed")
	}
	return &SignIn{users: o.Users, gate: o.Gate, authenticator: o.Authenticator, verified: o.Verified, codes: o.Codes, now: o.Now}, nil
}

// Authenticate implements [Authenticator].
//
// While a name is locked no password is looked at. Guesses that were under way
// when the lock fell are answered as locked too, whether right or wrong, so
// that many at once find out no more than one after the other. Once a password
// was looked at, the outcome is counted even if ctx is over.
func (s *SignIn) Authenticate(ctx context.Context, c Credentials) (*Identity, error) {
	l, err := c.login(ctx, s.users)
	if err != nil {
		return nil, err
	}
	if c.Hopeless { // whoever the authenticator is
		c.Password, c.Equivalent = rand.Text(), nil
	}
	q := s.question(c, l)
	ctx, trace := traced(ctx)
	if _, err := s.gate.ask(ctx, &q); err != nil {
		return nil, s.refuse(ctx, c, q, err)
	}
	id, err := s.authenticateWithCode(ctx, c, l)
	ctx, cancel := outliving(ctx) // the password was looked at
	defer cancel()
	if err != nil {
		q.verifier = trace.answered(ReasonOf(err))
		q.concern(err)
		q.wrongCode = errors.Is(err, errWrongCode)
		return nil, s.unlessLocked(ctx, counted(c, q), s.refuse(ctx, c, q, err))
	}
	// An authenticator other than our own may know a user that the name did
	// not lead to.
	q.Moment, q.Subject, q.Status, q.verifier = MomentEnter, id.User.Subject, id.User.Status, id.Verifier
	q.Connector, q.Factor, q.person = id.Connector, factorOf(c, id), id.Person
	failed, err := s.gate.ask(ctx, &q)
	if err != nil {
		return nil, s.refuse(ctx, c, q, err)
	}
	// Guesses at somebody's own password are not forgotten because an app goes on
	// coming in by a password of its own.
	if failed && !id.AppPassword {
		if err := s.gate.Report(ctx, q, Event{}); err != nil {
			return nil, err
		}
	}
	return id, nil
}

func (s *SignIn) authenticate(ctx context.Context, c Credentials, l *Login) (*Identity, error) {
	id, err := s.judge(ctx, c, l)
	if err == nil && c.Admit != nil {
		if err = c.Admit(ctx, id); err != nil && !away(err) {
			err = &Failure{Reason: ReasonOf(err), Err: err, Subject: id.User.Subject}
		}
	}
	switch {
	case err == nil:
		return id, nil
	case c.Stranger && !away(err): // what is right elsewhere must not show
		about := new(Failure)
		if errors.As(err, &about) && about.Candid && c.Login == nil {
			return nil, err // as that system itself would tell
		}
		return nil, &Failure{Reason: ReasonUnknownUser, Err: err, Subject: about.Subject, Name: about.Name}
	}
	return nil, err
}

func (s *SignIn) judge(ctx context.Context, c Credentials, l *Login) (*Identity, error) {
	if a, ok := s.authenticator.(LoginAuthenticator); ok {
		return a.AuthenticateLogin(ctx, c, l)
	}
	if c.Stranger {
		return nil, Failf(ReasonUnknownUser, "nobody in this system has the name")
	}
	return s.authenticator.Authenticate(ctx, c)
}

// unlessLocked returns failed, which is counted already, or the lock that fell
// before it.
func (s *SignIn) unlessLocked(ctx context.Context, q Question, failed error) error {
	switch ReasonOf(failed) {
	case ReasonWrongPassword, ReasonUnknownUser, ReasonSecondFactor:
		if _, err := s.gate.askLockout(ctx, &q, 1); err != nil {
			return err
		}
	default:
	}
	return failed
}

// refuse counts and records the failure, and returns it.
func (s *SignIn) refuse(ctx context.Context, c Credentials, q Question, cause error) error {
	reason := ReasonOf(cause)
	switch reason {
	case ReasonUnavailable, ReasonInternal:
		return cause // says nothing about the user, and may come in floods
	case ReasonLocked, ReasonDisabled:
		s.verified.Forget(q.Subject)
	default:
	}
	e := Event{
		At: s.now(), Kind: "login", Reason: reason, Subject: q.Subject, Directory: c.Directory,
		System: c.System, ClientID: c.Client, RequestID: c.RequestID, Verifier: q.verifier,
	}
	if q.Subject == "" {
		e.Directory = "" // may be made of what the client sent
	}
	if c.RemoteAddr.IsValid() {
		e.RemoteAddr = c.RemoteAddr.Unmap().String()
	}
	q = counted(c, q)
	if errors.Is(cause, errSourceLocked) {
		q.Name, q.Subject = "", ""
	}
	if err := s.gate.Report(ctx, q, e); err != nil {
		return err
	}
	return cause
}

// counted is q as its failures count.
func counted(c Credentials, q Question) Question {
	if c.Hopeless {
		q.Name, q.Subject, q.person = "", "", ""
	}
	return q
}

// question is about whom the name leads to. Guesses at a stranger count as those
// at an unknown name while nobody can find out by them what is right elsewhere.
func (s *SignIn) question(c Credentials, l *Login) Question {
	q := Question{
		Moment: MomentTry, Directory: c.Directory, Name: c.Username,
		System: c.System, Client: c.Client, RemoteAddr: c.RemoteAddr,
		StatusFirst: c.StatusFirst, AllowUnverified: c.AllowUnverified,
	}
	if l != nil {
		q.Subject, q.Status = l.User.Subject, l.User.Status
	}
	if chain, ok := s.authenticator.(*Chain); ok && c.Stranger && c.Login != nil && chain.beyond(c) {
		q.Subject, q.StatusFirst = c.Login.User.Subject, false
	}
	return q
}

// concern makes q about whom a verifier found behind a name that is nobody's here.
func (q *Question) concern(err error) {
	var f *Failure
	switch {
	case !errors.As(err, &f) || q.Subject != "":
	case f.Subject != "":
		q.Subject = f.Subject
	default:
		q.person = f.Name
	}
}
