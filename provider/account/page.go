package account

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/storage"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// Path is the page's, below the issuer.
const Path = "/account"

// Options are what a [Page] needs. What may be nil is not offered.
type Options struct {
	Issuer    string
	Base      string // the path of the issuer
	Directory string // in which people sign in
	Visits    *visit.Visits
	Storage   storage.AccountStorage
	Users     identity.Users
	Pages     *pages.Pages
	Now       func() time.Time
	LoginURL  string // where people sign in within an interaction

	// ClientName is what a client is called; "" where nobody knows.
	ClientName func(ctx context.Context, id string) (string, error)
	// Leave answers who signed out of a session, with what frames have to load then.
	Leave func(c *gin.Context, s *storage.BrowserSession, frames []string) error
	// Forget is called before anything that was changed about a person may be read
	// again.
	Forget func()

	// Missing reports whether who is signed in has to prove more before they see
	// anything of the account, for which the page sends them to ProceedURL.
	Missing    func(ctx context.Context, s *storage.BrowserSession) (bool, error)
	ProceedURL string

	Passwords Passwords    // may be nil
	Factors   *factor.Desk // may be nil
	Apps      AppPasswords // may be nil
	Links     Links        // may be nil
}

// Page is the account page.
type Page struct{ options Options }

// New returns a Page.
func New(o Options) (*Page, error) {
	if o.Visits == nil || o.Storage == nil || o.Users == nil || o.Pages == nil || o.Now == nil ||
		o.ClientName == nil || o.Leave == nil || o.Forget == nil || o.Missing == nil {
		return nil, errors.New("account page: all but passwords, factors, app passwords and links must be given")
	}
	return &Page{options: o}, nil
}

// Mount adds the page and its actions, each wrapped by page.
func (p *Page) Mount(r gin.IRouter, page func(name string, f func(*gin.Context) error) gin.HandlerFunc) {
	r.Any(Path, page("account", p.serve))
	for path, do := range p.actions() {
		r.Any(Path+path, page("account", p.act(do)))
	}
}

// actions are what can be done on the page, by their paths below it.
func (p *Page) actions() map[string]action {
	all := map[string]action{
		"/sessions/end": p.endOwnSession, "/consents/revoke": p.revokeConsent,
		"/signout": p.signOut, "/signout-everywhere": p.signOutEverywhere,
		"/password": p.changePassword,
	}
	if p.options.Factors != nil {
		all["/factors/add"], all["/factors/enrol"], all["/factors/again"] = p.freshly(p.addFactor), p.freshly(p.enrolFactor), p.signInAgain
		all["/factors/remove"], all["/factors/codes"] = p.freshly(p.removeFactor), p.freshly(p.newRecoveryCodes)
	}
	if p.options.Apps != nil {
		all["/apps/add"], all["/apps/remove"], all["/apps/again"] = p.addApp, p.removeApp, p.signInAgain
	}
	if p.options.Links != nil {
		all["/links/add"], all["/links/remove"], all["/links/again"] = p.addLink, p.removeLink, p.signInAgain
	}
	return all
}

// notices are what the page may say of what was done.
func notices() []string {
	return []string{noticeSession, noticeConsent, noticePassword, noticeFactorAdded, noticeFactorRemoved, noticeApp, noticeLinked, noticeUnlinked}
}

// serve shows people what there is of them. Who is not signed in does that first,
// by an interaction that leads back here.
func (p *Page) serve(c *gin.Context) error {
	wire.NoStore(c)
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return wire.MethodNotAllowed("GET, HEAD")
	}
	s, err := p.options.Visits.Session(c)
	if err != nil {
		return err
	}
	if s == nil {
		return p.begin(c, p.options.LoginURL)
	}
	if missing, err := p.options.Missing(c.Request.Context(), s); err != nil {
		return wire.Outage(err)
	} else if missing {
		return p.begin(c, p.options.ProceedURL)
	}
	page := &pages.AccountPage{Visit: pages.Visit{Locales: c.Query("ui_locales")}}
	if n := c.Query("notice"); slices.Contains(notices(), n) {
		page.Notice = n
	}
	return p.show(c, http.StatusOK, page, s)
}

// begin has somebody sign in, or prove more, who came for the page. Whoever only looks begins
// nothing.
func (p *Page) begin(c *gin.Context, at string) error {
	if c.Request.Method == http.MethodHead {
		c.Redirect(http.StatusSeeOther, p.options.LoginURL)
		return nil
	}
	id, err := p.options.Visits.Begin(c, storage.Interaction{})
	if err == nil {
		p.proceed(c, at, id)
	}
	return err
}

func (p *Page) show(c *gin.Context, status int, page *pages.AccountPage, s *storage.BrowserSession) error {
	page.CSRF = p.options.Visits.FormToken(c, Path, s)
	if err := p.fill(c.Request.Context(), page, s); err != nil {
		return err
	}
	return p.options.Pages.Render(c, status, page)
}

// fill has every section put on the page what it has of the person.
func (p *Page) fill(ctx context.Context, page *pages.AccountPage, s *storage.BrowserSession) error {
	user, err := p.options.Users.FindUser(ctx, s.Subject)
	if err != nil {
		return wire.Outage(err)
	}
	page.User = Shown(user, p.options.Directory)
	v := &viewed{session: s, user: user, page: page}
	for _, section := range []func(context.Context, *viewed) error{p.fillPassword, p.fillFactors, p.fillLinks, p.fillApps, p.fillSessions, p.fillConsents} {
		if err := section(ctx, v); err != nil {
			return err
		}
	}
	return nil
}

// proceed sends the browser to a step of an interaction. 303 makes a GET of it,
// without what was posted.
func (p *Page) proceed(c *gin.Context, at, interaction string) {
	c.Redirect(http.StatusSeeOther, at+"?interaction="+url.QueryEscape(interaction))
}

// viewed is the page while it is filled in.
type viewed struct {
	session *storage.BrowserSession
	user    *identity.User
	page    *pages.AccountPage
}

// Shown is how pages name somebody.
func Shown(u *identity.User, directory string) pages.User {
	name, _ := u.Claims["name"].(string)
	return pages.User{Name: name, Username: u.Username(directory), Email: u.Email}
}
