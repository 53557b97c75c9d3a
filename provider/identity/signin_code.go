package identity

import (
	"context"
	"errors"
)

// Codes reads second factors that come behind a password, for legacy systems whose
// calls have no field for them. Errors are [*Failure].
type Codes interface {
	// Split takes the code from behind the password of c. It returns nil where
	// none belongs there: in this system, or for whom the name leads to. What it costs
	// and whether the password is right have nothing to do with each other.
	Split(ctx context.Context, c Credentials, l *Login) (*CodedLogin, error)
}

// CodedLogin is a login with a code behind its password.
type CodedLogin struct {
	Credentials Credentials // without it
	Right       bool        // the code was there, and is right
	// Use uses the code up; [ErrConflict] where it was used before.
	Use func(ctx context.Context) error
}

// errWrongCode is the cause of a wrong password that was right, but for the code
// behind it. Nobody but the log learns so.
var errWrongCode = errors.New("the password is right, the code behind it is missing, wrong, or was used")

// authenticateWithCode is authenticate for logins that may have a code behind
// their password. One that was made of two wrong parts is one failure.
func (s *SignIn) authenticateWithCode(ctx context.Context, c Credentials, l *Login) (*Identity, error) {
	if s.codes == nil || c.System == "" || c.Hopeless || c.Stranger {
		return s.authenticate(ctx, c, l)
	}
	coded, err := s.codes.Split(ctx, c, l)
	if err != nil {
		return nil, storageFailure(err)
	}
	if coded == nil {
		return s.authenticate(ctx, c, l)
	}
	id, err := s.authenticate(ctx, coded.Credentials, l)
	switch {
	case err != nil || id.AppPassword:
		return id, err
	case !coded.Right:
		return nil, Fail(ReasonWrongPassword, errWrongCode)
	}
	ctx, cancel := outliving(ctx)
	defer cancel()
	err = coded.Use(ctx)
	if errors.Is(err, ErrConflict) {
		return nil, Fail(ReasonWrongPassword, errWrongCode)
	}
	if err != nil {
		return nil, storageFailure(err)
	}
	id.SecondFactor = true
	return id, nil
}

// factorOf is what a login brought of a second factor. A browser is asked for it
// afterwards. An app password opens one system, and was made by somebody who
// proved themselves.
func factorOf(c Credentials, id *Identity) FactorState {
	switch {
	case c.System == "":
		return FactorLater
	case id.AppPassword || id.SecondFactor:
		return FactorProved
	}
	return FactorMissing
}
