package account

import (
	"cmp"
	"context"
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

const (
	noticeSession = "session_ended"
	noticeConsent = "consent_revoked"
)

func (p *Page) fillSessions(ctx context.Context, v *viewed) error {
	sessions, err := p.options.Storage.ListSessions(ctx, v.session.Subject)
	if err != nil {
		return wire.Outage(err)
	}
	for i := range sessions {
		b := &sessions[i]
		if !p.options.Visits.Lives(b) {
			continue
		}
		v.page.Sessions = append(v.page.Sessions, pages.Session{
			ID: b.ID, Current: b.ID == v.session.ID, UserAgent: b.UserAgent, Address: b.RemoteAddr,
			SignedIn: cmp.Or(b.AuthTime, b.CreatedAt), LastSeen: b.SeenAt,
		})
	}
	return nil
}

func (p *Page) fillConsents(ctx context.Context, v *viewed) error {
	consents, err := p.options.Storage.ListConsents(ctx, v.session.Subject)
	if err != nil {
		return wire.Outage(err)
	}
	for _, given := range consents {
		name, err := p.options.ClientName(ctx, given.ClientID)
		if err != nil {
			return err
		}
		v.page.Consents = append(v.page.Consents, pages.Consent{
			ClientID: given.ClientID, ClientName: cmp.Or(name, given.ClientID), Scopes: given.Scopes, Since: given.GivenAt,
		})
	}
	return nil
}

func (p *Page) endOwnSession(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	id := values.Get("id")
	if id == "" {
		return done{}, wire.BadRequest("The session is missing.")
	}
	if id == s.ID {
		return p.signOut(c, s, values)
	}
	e := p.options.Visits.Event(c, "logout", s.Subject)
	return done{notice: noticeSession}, p.options.Visits.EndOther(c, storage.SessionQuery{Subject: s.Subject, ID: id, Event: &e})
}

func (p *Page) revokeConsent(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	e := p.options.Visits.Event(c, "consent_revoked", s.Subject)
	e.ClientID = values.Get("client")
	return done{notice: noticeConsent}, wire.Outage(p.options.Storage.RevokeConsent(c.Request.Context(), s.Subject, e.ClientID, &e))
}

func (p *Page) signOut(c *gin.Context, s *storage.BrowserSession, _ url.Values) (done, error) {
	frames, err := p.options.Visits.SignOut(c, s)
	return done{signedOut: true, frames: frames}, err
}

// signOutEverywhere ends every session and every grant, those of legacy
// systems too.
func (p *Page) signOutEverywhere(c *gin.Context, s *storage.BrowserSession, _ url.Values) (done, error) {
	e := p.options.Visits.Event(c, "logout_everywhere", s.Subject)
	frames, err := p.options.Visits.End(c, s, storage.SessionQuery{Subject: s.Subject, Grants: true, Event: &e})
	return done{signedOut: true, frames: frames}, err
}
