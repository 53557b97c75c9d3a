package account

import (
	"cmp"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// action does what a form of the page asks for.
type action func(c *gin.Context, s *storage.BrowserSession, values url.Values) (done, error)

// done is what became of a form of the page.
type done struct {
	notice      string             // what the page says then
	refused     string             // why nothing was done
	page        *pages.AccountPage // which says so
	made        pages.Page         // what is shown once, and never again
	status      int                // of HTTP with which made is shown; 0 is 200
	interaction string             // of the sign-in that is needed first
	away        string             // the upstream's URL at which they go on
	signedOut   bool               // nobody is signed in here any more
	frames      []string           // what frames have to load then
}

// act reads a form of the page, and answers with what became of it.
func (p *Page) act(do action) func(*gin.Context) error {
	return func(c *gin.Context) error {
		wire.NoStore(c)
		values, err := wire.Form(c)
		if err != nil {
			return err
		}
		s, err := p.options.Visits.Session(c)
		if err != nil {
			return err
		}
		if s == nil {
			c.Redirect(http.StatusSeeOther, p.options.Issuer+Path)
			return nil
		}
		if missing, err := p.options.Missing(c.Request.Context(), s); err != nil {
			return wire.Outage(err)
		} else if missing { // the page itself sees to it
			c.Redirect(http.StatusSeeOther, p.options.Issuer+Path)
			return nil
		}
		if err := p.options.Visits.CheckForm(c, Path, values.Get("csrf"), s); err != nil {
			return err
		}
		d, err := do(c, s, values)
		if err != nil {
			return err
		}
		return p.answer(c, s, d)
	}
}

func (p *Page) answer(c *gin.Context, s *storage.BrowserSession, d done) error {
	switch {
	case d.refused != "":
		c.Set(wire.LogRefusal, d.refused)
		return p.show(c, http.StatusBadRequest, d.page, s)
	case d.made != nil:
		return p.options.Pages.Render(c, cmp.Or(d.status, http.StatusOK), d.made)
	case d.interaction != "":
		p.proceed(c, p.options.LoginURL, d.interaction)
	case d.away != "":
		c.Header("Referrer-Policy", "no-referrer")
		wire.SeeOther(c, d.away)
	case d.signedOut:
		return p.options.Leave(c, s, d.frames)
	default:
		c.Redirect(http.StatusSeeOther, p.options.Issuer+Path+"?notice="+d.notice)
	}
	return nil
}

// isFresh reports whether the person signed in, not longer ago than limit: a browser
// that was left open must not give away what opens more than it does itself.
func (p *Page) isFresh(s *storage.BrowserSession, limit time.Duration) bool {
	return p.options.Now().Sub(s.AuthTime) < limit
}

// signInAgain lets the person prove themselves, and leads back to the page.
func (p *Page) signInAgain(c *gin.Context, _ *storage.BrowserSession, _ url.Values) (done, error) {
	id, err := p.options.Visits.Begin(c, storage.Interaction{Purpose: visit.Again})
	return done{interaction: id}, err
}
