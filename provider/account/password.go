package account

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

const noticePassword = "password_changed"

// Passwords changes passwords; it is [*identity.Passwords].
type Passwords interface {
	// Changeable reports whether u has a password here. Errors are
	// [*identity.Failure].
	Changeable(ctx context.Context, u *identity.User) (bool, error)
	// Change returns an [identity.PasswordProblem], [identity.ErrNoPassword], or a
	// [*identity.Failure].
	Change(ctx context.Context, n identity.NewPassword) error
}

func (p *Page) fillPassword(ctx context.Context, v *viewed) (err error) {
	if p.options.Passwords != nil {
		v.page.Changeable, err = p.options.Passwords.Changeable(ctx, v.user)
	}
	return wire.Outage(err)
}

// changePassword asks for the current one by the same way that every sign-in
// goes, with its lockout.
func (p *Page) changePassword(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	if p.options.Passwords == nil {
		return done{}, wire.BadRequest("Passwords are not changed here.")
	}
	defer p.options.Forget()
	err := p.options.Passwords.Change(c.Request.Context(), identity.NewPassword{
		Subject: s.Subject, Current: values.Get("current"), New: values.Get("new"), EndOthers: values.Get("end_others") != "", Keep: s.ID,
		RemoteAddr: p.options.Visits.PeerAddr(c), RequestID: c.GetString(wire.RequestID),
	})
	var problem identity.PasswordProblem
	switch {
	case err == nil:
		return done{notice: noticePassword}, nil
	case errors.As(err, &problem):
		return done{refused: string(problem), page: &pages.AccountPage{Refused: string(problem)}}, nil
	case errors.Is(err, identity.ErrNoPassword):
		return done{}, wire.BadRequest("There is no password to change.")
	}
	status, code := wire.SignInError(identity.ReasonOf(err))
	if status == http.StatusInternalServerError {
		return done{}, err
	}
	return done{refused: code, page: &pages.AccountPage{Refused: code}}, nil
}
