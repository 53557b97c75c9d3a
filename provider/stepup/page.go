package stepup

import (
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/account"
	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// Path is the page's, below the issuer.
const Path = "/login/factor"

// Step is what the page is a step of.
type Step struct {
	ID          string // of the interaction
	Interaction *storage.Interaction
	Session     *storage.BrowserSession
	Visit       pages.Visit
	Client      string // "" for none
	Missing     factor.Verdict
}

// Options are what a [Page] needs; all must be given.
type Options struct {
	Issuer    string
	Base      string // the path of the issuer
	Directory string // in which people sign in
	Visits    *visit.Visits
	Users     identity.Users
	Pages     *pages.Pages
	Desk      *factor.Desk
	LoginPath string // where somebody else signs in within the interaction
	BackURL   string // the dispatcher

	// Open finds the interaction that a browser is at, and what it is missing. It
	// returns nil where it sent the browser elsewhere.
	Open func(c *gin.Context, id string) (*Step, error)
}

// Page is the page.
type Page struct{ options Options }

// New returns a Page.
func New(o Options) (*Page, error) {
	if o.Visits == nil || o.Users == nil || o.Pages == nil || o.Desk == nil || o.Open == nil {
		return nil, errors.New("second factor page: visits, users, pages, desk and open must be given")
	}
	return &Page{options: o}, nil
}

// Serve answers the browser.
func (p *Page) Serve(c *gin.Context) error {
	wire.NoStore(c)
	var values url.Values
	var err error
	id := c.Query("interaction")
	switch c.Request.Method {
	case http.MethodGet:
	case http.MethodPost:
		if values, err = wire.Form(c); err != nil {
			return err
		}
		id = values.Get("interaction")
	default:
		return wire.MethodNotAllowed("GET, POST")
	}
	step, err := p.options.Open(c, id)
	if step == nil || err != nil {
		return err
	}
	if values != nil {
		if err := p.options.Visits.CheckForm(c, Path, values.Get("csrf"), step.Session); err != nil {
			return err
		}
	}
	if step.Missing == factor.MustHave {
		return p.enrol(c, step, values)
	}
	return p.prove(c, step, values)
}

// back returns to the dispatcher, which decides what is missing still.
func (p *Page) back(c *gin.Context, s *Step) { c.Redirect(http.StatusSeeOther, p.backURL(s)) }

func (p *Page) backURL(s *Step) string {
	return p.options.BackURL + "?interaction=" + url.QueryEscape(s.ID)
}

func (p *Page) form(c *gin.Context, s *Step) pages.Form {
	return pages.Form{Action: p.options.Base + Path, CSRF: p.options.Visits.FormToken(c, Path, s.Session), Interaction: s.ID}
}

// person is who is at the page.
func (p *Page) person(c *gin.Context, s *Step) (*factor.Person, pages.User, error) {
	u, err := p.options.Users.FindUser(c.Request.Context(), s.Session.Subject)
	if err != nil {
		return nil, pages.User{}, wire.Outage(err)
	}
	who := account.PersonAt(c, p.options.Visits, s.Session)
	who.Client = s.Client
	return who, account.Shown(u, p.options.Directory), nil
}

// prove asks for what the person has enrolled.
func (p *Page) prove(c *gin.Context, s *Step, posted url.Values) error {
	who, user, err := p.person(c, s)
	if err != nil {
		return err
	}
	page := &pages.FactorPage{
		Visit: s.Visit, Form: p.form(c, s), User: user, Other: p.options.LoginPath + "?choose=1&interaction=" + url.QueryEscape(s.ID),
	}
	if posted == nil {
		if err := p.options.Desk.Ask(c.Request.Context(), who, page); err != nil {
			return wire.Outage(err)
		}
		return p.options.Pages.Render(c, http.StatusOK, page)
	}
	proof, err := p.options.Desk.Answer(c.Request.Context(), who, posted, page)
	switch {
	case err != nil:
		return wire.Outage(err)
	case proof == nil:
		return p.refuse(c, page, page.Error)
	}
	if err := p.options.Visits.Prove(c, s.Session, s.Interaction, proof.AMR); err != nil {
		return err
	}
	p.back(c, s)
	return nil
}

// enrol lets the person set up what they need.
func (p *Page) enrol(c *gin.Context, s *Step, posted url.Values) error {
	who, user, err := p.person(c, s)
	if err != nil {
		return err
	}
	page := &pages.EnrolPage{Visit: s.Visit, Form: p.form(c, s), User: user, Must: true}
	if posted == nil {
		if err := p.options.Desk.Offer(c.Request.Context(), who, page); err != nil {
			return wire.Outage(err)
		}
		return p.options.Pages.Render(c, http.StatusOK, page)
	}
	done, err := p.options.Desk.Enrol(c.Request.Context(), who, posted, page)
	switch {
	case err != nil:
		return wire.Outage(err)
	case done == nil:
		return p.refuse(c, page, page.Error)
	}
	if err := p.options.Visits.Prove(c, s.Session, s.Interaction, done.AMR); err != nil {
		return err
	}
	if done.Codes == nil {
		p.back(c, s)
		return nil
	}
	return p.options.Pages.Render(c, http.StatusOK, &pages.RecoveryPage{Visit: s.Visit, Codes: done.Codes, Continue: p.backURL(s)})
}

func (p *Page) refuse(c *gin.Context, page pages.Page, why string) error {
	c.Set(wire.LogRefusal, why)
	status := http.StatusBadRequest
	if why == "unavailable" {
		status = http.StatusServiceUnavailable
	}
	return p.options.Pages.Render(c, status, page)
}
