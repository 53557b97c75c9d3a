package provider

import (
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

	noticeSession = "session_ended"
	noticeConsent = "consent_revoked"
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
	if s == nil {
		id, err := p.beginInteraction(c, "", "")
		if err != nil {
			return err
		}
		p.send(c, pathLogin, id)
		return nil
	}
	page := &pages.AccountPage{Visit: pages.Visit{Locales: c.Query("ui_locales")}, CSRF: p.formToken(c, pathAccount, s)}
	if n := c.Query("notice"); n == noticeSession || n == noticeConsent {
		page.Notice = n
	}
	if err := p.fillAccount(c, page, s); err != nil {
		return err
	}
	return p.options.Pages.Render(c, http.StatusOK, page)
}

// toAccount ends an interaction that has no request.
func (p *Provider) toAccount(c *gin.Context, i *Interaction, s *BrowserSession, id string) error {
	if s == nil {
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
	if page.User, err = p.pageUser(ctx, s); err != nil {
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
			ID: b.ID, Current: b.ID == s.ID, UserAgent: b.UserAgent, Address: b.RemoteAddr, SignedIn: b.AuthTime, LastSeen: b.SeenAt,
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

// accountAction is a form of the account page.
func (p *Provider) accountAction(do func(*gin.Context, *BrowserSession, url.Values) (notice string, err error)) func(*gin.Context) error {
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
		notice, err := do(c, s, values)
		switch {
		case err != nil:
			return err
		case notice == "": // nobody is signed in any more
			p.setCookie(c, sessionCookie, "")
			c.Redirect(http.StatusSeeOther, p.url(pathLogout))
		default:
			c.Redirect(http.StatusSeeOther, p.url(pathAccount)+"?notice="+notice)
		}
		return nil
	}
}

func (p *Provider) endOwnSession(c *gin.Context, s *BrowserSession, values url.Values) (string, error) {
	id := values.Get("id")
	if id == "" {
		return "", wire.BadRequest("The session is missing.")
	}
	e := p.event(c, "logout", s.Subject)
	err := p.options.Storage.EndSessions(c.Request.Context(), SessionQuery{Subject: s.Subject, ID: id, Event: &e})
	if id == s.ID {
		return "", wire.Outage(err)
	}
	return noticeSession, wire.Outage(err)
}

func (p *Provider) revokeConsent(c *gin.Context, s *BrowserSession, values url.Values) (string, error) {
	e := p.event(c, "consent_revoked", s.Subject)
	e.ClientID = values.Get("client")
	return noticeConsent, wire.Outage(p.options.Storage.RevokeConsent(c.Request.Context(), s.Subject, e.ClientID, &e))
}

func (p *Provider) signOut(c *gin.Context, s *BrowserSession, _ url.Values) (string, error) {
	return "", p.endSession(c, s)
}

// signOutEverywhere ends every session and every grant, those of legacy
// systems too.
func (p *Provider) signOutEverywhere(c *gin.Context, s *BrowserSession, _ url.Values) (string, error) {
	e := p.event(c, "logout_everywhere", s.Subject)
	err := p.options.Storage.EndSessions(c.Request.Context(), SessionQuery{Subject: s.Subject, Grants: true, Event: &e})
	return "", wire.Outage(err)
}
