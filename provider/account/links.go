package account

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

const (
	noticeLinked   = "linked"
	noticeUnlinked = "unlinked"
)

// freshForLinks is how old a sign-in may be for a new link, by which somebody comes
// in ever after.
const freshForLinks = 5 * time.Minute

// Links links people's accounts to upstreams; it is [*federation.Federation].
type Links interface {
	// Fill adds to s where u is linked, and where they could be.
	Fill(ctx context.Context, u *identity.User, s *pages.LinkSection) error
	// BeginLink returns where the browser goes to prove the other side;
	// [identity.ErrNotFound] where nobody can link themselves there.
	BeginLink(ctx context.Context, t federation.Trip) (string, error)
	// Unlink removes a link of e.Subject, with what came of it, and returns its
	// connector. It is [identity.ErrLastWay] where nothing else lets them in.
	Unlink(ctx context.Context, id string, e *identity.Event) (string, error)
}

func (p *Page) fillLinks(ctx context.Context, v *viewed) error {
	if p.options.Links == nil {
		return nil
	}
	v.page.Links.Fresh, v.page.Links.Schemes = p.isFresh(v.session, freshForLinks), federation.Schemes(p.options.Issuer)
	return wire.Outage(p.options.Links.Fill(ctx, v.user, &v.page.Links))
}

// addLink takes the person to the upstream, where they prove the other side. They
// have just proved this one.
func (p *Page) addLink(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	if !p.isFresh(s, freshForLinks) {
		return refusedLink("stale"), nil
	}
	to, err := p.options.Links.BeginLink(c.Request.Context(), federation.Trip{
		Connector: values.Get("connector"), Browser: storage.HashOf(p.options.Visits.Browser(c)), Subject: s.Subject, Session: s.Hash,
	})
	if errors.Is(err, identity.ErrNotFound) {
		return done{}, wire.BadRequest("Nobody can link themselves there.")
	}
	if _, theirs := federation.OutcomeOf(err); theirs {
		return refusedLink("unavailable"), nil
	}
	return done{away: to}, wire.Outage(err)
}

// removeLink signs the browser out where it came by what is gone now.
func (p *Page) removeLink(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error) {
	defer p.options.Forget()
	e := p.options.Visits.Event(c, "user_unlinked", s.Subject)
	connector, err := p.options.Links.Unlink(c.Request.Context(), values.Get("id"), &e)
	switch {
	case errors.Is(err, identity.ErrLastWay):
		return refusedLink("last"), nil
	case err != nil && !errors.Is(err, identity.ErrNotFound): // twice is as good as once
		return done{}, wire.Outage(err)
	case err == nil && s.Connector == connector:
		p.options.Visits.SetCookie(c, visit.SessionCookie, "")
		return done{signedOut: true}, nil
	}
	return done{notice: noticeUnlinked}, nil
}

func refusedLink(why string) done {
	return done{refused: why, page: &pages.AccountPage{Links: pages.LinkSection{Refused: why}}}
}

// Linked answers somebody who came back from the upstream that they are linked to now.
func (p *Page) Linked(c *gin.Context) {
	c.Redirect(http.StatusSeeOther, p.options.Issuer+Path+"?notice="+noticeLinked)
}
