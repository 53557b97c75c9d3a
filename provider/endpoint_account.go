package provider

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/wire"
)

// The account page's actions, below its path, and what it says afterwards.
const (
	actionEndSession    = "/sessions/end"
	actionRevokeConsent = "/consents/revoke"
	actionSignOut       = "/signout"
	actionSignOutAll    = "/signout-everywhere"
	actionPassword      = "/password"

	noticeSession  = "session_ended"
	noticeConsent  = "consent_revoked"
	noticePassword = "password_changed"
)

// serveAccount shows people what there is of them. Who is not signed in does
// that first, by an interaction that leads back here.
func (p *Provider) serveAccount(c *gin.Context) error {
	wire.NoStore(c)
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return wire.MethodNotAllowed("GET, HEAD")
	}
	s, err := p.session(c)
	if err != nil {
		return err
	}
	if s == nil && c.Request.Method == http.MethodHead {
		c.Redirect(http.StatusSeeOther, p.url(pathLogin)) // whoever only looks begins nothing
		return nil
	}
	if s == nil {
		id, err := p.beginInteraction(c, Interaction{})
		if err != nil {
			return err
		}
		p.send(c, pathLogin, id)
		return nil
	}
	page := &pages.AccountPage{Visit: pages.Visit{Locales: c.Query("ui_locales")}}
	if n := c.Query("notice"); n == noticeSession || n == noticeConsent || n == noticePassword || n == noticeApp {
		page.Notice = n
	}
	return p.showAccount(c, http.StatusOK, page, s)
}

func (p *Provider) showAccount(c *gin.Context, status int, page *pages.AccountPage, s *BrowserSession) error {
	page.CSRF = p.formToken(c, pathAccount, s)
	if err := p.fillAccount(c, page, s); err != nil {
		return err
	}
	return p.options.Pages.Render(c, status, page)
}

// toAccount ends an interaction that has no request.
func (p *Provider) toAccount(c *gin.Context, i *Interaction, s *BrowserSession, id string) error {
	if s == nil || i.Purpose == purposeAgain && i.SignedIn.IsZero() {
		p.send(c, pathLogin, id)
		return nil
	}
	err := p.options.Storage.EndInteraction(c.Request.Context(), i.Hash)
	if err != nil && !errors.Is(err, identity.ErrNotFound) {
		return wire.Outage(err)
	}
	c.Redirect(http.StatusSeeOther, p.url(pathAccount))
	return nil
}

func (p *Provider) fillAccount(c *gin.Context, page *pages.AccountPage, s *BrowserSession) (err error) {
	ctx := c.Request.Context()
	user, err := p.options.Users.FindUser(ctx, s.Subject)
	if err != nil {
		return wire.Outage(err)
	}
	page.User = p.shownUser(user)
	if p.options.Passwords != nil {
		if page.Changeable, err = p.options.Passwords.Changeable(ctx, user); err != nil {
			return wire.Outage(err)
		}
	}
	if err := p.fillApps(ctx, page, user, s); err != nil {
		return err
	}
	sessions, err := p.options.Storage.ListSessions(ctx, s.Subject)
	if err != nil {
		return wire.Outage(err)
	}
	now := p.options.Now()
	for i := range sessions {
		b := &sessions[i]
		if !p.lives(b, now) {
			continue
		}
		page.Sessions = append(page.Sessions, pages.Session{
			ID: b.ID, Current: b.ID == s.ID, UserAgent: b.UserAgent, Address: b.RemoteAddr, SignedIn: cmp.Or(b.AuthTime, b.CreatedAt), LastSeen: b.SeenAt,
		})
	}
	consents, err := p.options.Storage.ListConsents(ctx, s.Subject)
	if err != nil {
		return wire.Outage(err)
	}
	for _, given := range consents {
		name := given.ClientID
		client, err := p.client(ctx, given.ClientID)
		if err != nil && !errors.Is(err, identity.ErrNotFound) {
			return err
		}
		if err == nil && client.Name != "" {
			name = client.Name
		}
		page.Consents = append(page.Consents, pages.Consent{ClientID: given.ClientID, ClientName: name, Scopes: given.Scopes, Since: given.GivenAt})
	}
	return nil
}

// done is what became of a form of the account page.
type done struct {
	notice      string             // what the page says then
	refused     string             // why nothing was done
	page        *pages.AccountPage // which says so
	made        *pages.AppPasswordPage
	interaction string   // of the sign-in that is needed first
	signedOut   bool     // nobody is signed in here any more
	frames      []string // what frames have to load then
}

// accountAction is a form of the account page.
func (p *Provider) accountAction(do func(*gin.Context, *BrowserSession, url.Values) (done, error)) func(*gin.Context) error {
	return func(c *gin.Context) error {
		wire.NoStore(c)
		values, err := wire.Form(c)
		if err != nil {
			return err
		}
		s, err := p.session(c)
		if err != nil {
			return err
		}
		if s == nil {
			c.Redirect(http.StatusSeeOther, p.url(pathAccount))
			return nil
		}
		if err := p.checkForm(c, pathAccount, values.Get("csrf"), s); err != nil {
			return err
		}
		d, err := do(c, s, values)
		switch {
		case err != nil:
			return err
		case d.refused != "":
			c.Set(wire.LogRefusal, d.refused)
			return p.showAccount(c, http.StatusBadRequest, d.page, s)
		case d.made != nil:
			return p.options.Pages.Render(c, http.StatusOK, d.made)
		case d.interaction != "":
			p.send(c, pathLogin, d.interaction)
		case len(d.frames) > 0:
			return p.leave(c, &farewell{}, d.frames)
		case d.signedOut:
			c.Redirect(http.StatusSeeOther, p.url(pathLogout))
		default:
			c.Redirect(http.StatusSeeOther, p.url(pathAccount)+"?notice="+d.notice)
		}
		return nil
	}
}

func (p *Provider) endOwnSession(c *gin.Context, s *BrowserSession, values url.Values) (done, error) {
	id := values.Get("id")
	if id == "" {
		return done{}, wire.BadRequest("The session is missing.")
	}
	if id == s.ID {
		return p.signOut(c, s, values)
	}
	e := p.event(c, "logout", s.Subject)
	_, err := p.options.Storage.EndSessions(c.Request.Context(), SessionQuery{Subject: s.Subject, ID: id, Event: &e})
	return done{notice: noticeSession}, wire.Outage(err)
}

func (p *Provider) revokeConsent(c *gin.Context, s *BrowserSession, values url.Values) (done, error) {
	e := p.event(c, "consent_revoked", s.Subject)
	e.ClientID = values.Get("client")
	return done{notice: noticeConsent}, wire.Outage(p.options.Storage.RevokeConsent(c.Request.Context(), s.Subject, e.ClientID, &e))
}

func (p *Provider) signOut(c *gin.Context, s *BrowserSession, _ url.Values) (done, error) {
	frames, err := p.endSession(c, s)
	return done{signedOut: true, frames: frames}, err
}

// signOutEverywhere ends every session and every grant, those of legacy
// systems too.
func (p *Provider) signOutEverywhere(c *gin.Context, s *BrowserSession, _ url.Values) (done, error) {
	e := p.event(c, "logout_everywhere", s.Subject)
	frames, err := p.endSessions(c, s, SessionQuery{Subject: s.Subject, Grants: true, Event: &e})
	return done{signedOut: true, frames: frames}, err
}

// changePassword asks for the current one by the same way that every sign-in
// goes, with its lockout.
func (p *Provider) changePassword(c *gin.Context, s *BrowserSession, values url.Values) (done, error) {
	if p.options.Passwords == nil {
		return done{}, wire.BadRequest("Passwords are not changed here.")
	}
	defer p.reads.Forget()
	err := p.options.Passwords.Change(c.Request.Context(), identity.NewPassword{
		Subject: s.Subject, Current: values.Get("current"), New: values.Get("new"), EndOthers: values.Get("end_others") != "", Keep: s.ID,
		RemoteAddr: p.options.PeerAddr(c.Request), RequestID: c.GetString(wire.RequestID),
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
