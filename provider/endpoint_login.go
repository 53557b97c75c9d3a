package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/account"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/request"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

const (
	decisionAllow = "allow"
	decisionDeny  = "deny"
)

// maxUsername is the longest login name that is looked up, in bytes.
const maxUsername = 512

// serveLogin is the page that asks for a password.
func (p *Provider) serveLogin(c *gin.Context) error {
	wire.NoStore(c)
	if c.Request.Method == http.MethodPost {
		return p.login(c)
	}
	id, i, a, err := p.stepOf(c)
	if i == nil || err != nil {
		return err
	}
	s, err := p.visits.Session(c)
	if err != nil {
		return err
	}
	if a != nil && !c.Request.URL.Query().Has("choose") {
		if to := p.options.Federation.Led(a.client.Client, a.Values); to != nil {
			return p.depart(c, to, id, a, "")
		}
	}
	page := &pages.LoginPage{Again: s != nil && i.Chosen != chosenOther && i.Chosen != chosenCreate}
	if a != nil {
		page.Username = a.Values.Get("login_hint")
		if page.Username == "" && page.Again {
			if page.Username, err = p.usernameOf(c.Request.Context(), a, s); err != nil {
				return err
			}
		}
	}
	return p.showLogin(c, http.StatusOK, page, id, a)
}

// stepOf reads which interaction a step is of. Without an interaction it
// sends the browser to the account page, which begins one.
func (p *Provider) stepOf(c *gin.Context) (string, *Interaction, *authorization, error) {
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return "", nil, nil, wire.MethodNotAllowed("GET, HEAD, POST")
	}
	id := c.Query("interaction")
	if id == "" && c.Request.Method == http.MethodHead {
		c.Status(http.StatusOK)
		c.Writer.WriteHeaderNow()
		return "", nil, nil, nil
	}
	if id == "" {
		c.Redirect(http.StatusSeeOther, p.url(account.Path))
		return "", nil, nil, nil
	}
	return p.open(c, id)
}

// open finds an interaction and its request. One whose request does not hold
// any more, because its client was changed, is left to the dispatcher.
func (p *Provider) open(c *gin.Context, id string) (string, *Interaction, *authorization, error) {
	i, err := p.visits.Interaction(c, id)
	if err != nil {
		return "", i, nil, err
	}
	a, err := p.request(c.Request.Context(), i)
	var r *request.Error
	if errors.As(err, &r) {
		p.send(c, pathAuthorize, id)
		return "", nil, nil, nil
	}
	return id, i, a, err
}

// usernameOf is who is expected to sign in anew.
func (p *Provider) usernameOf(ctx context.Context, a *authorization, s *BrowserSession) (string, error) {
	if s == nil || a.Subject != "" && a.Subject != s.Subject {
		return "", nil
	}
	u, err := p.options.Users.FindUser(ctx, s.Subject)
	if errors.Is(err, identity.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", wire.Outage(err)
	}
	return u.Username(p.options.Directory), nil
}

func (p *Provider) showLogin(c *gin.Context, status int, page *pages.LoginPage, id string, a *authorization) error {
	page.Visit = a.visit()
	p.offerUpstreams(page, a)
	page.Form = pages.Form{Action: p.path(pathLogin), CSRF: p.visits.FormToken(c, pathLogin, nil), Interaction: id}
	if p.options.SignUpURL != "" {
		page.SignUp = p.path(pathSignUp) + "?interaction=" + url.QueryEscape(id)
	}
	return p.options.Pages.Render(c, status, page)
}

// login judges a password, through the one way in that there is.
func (p *Provider) login(c *gin.Context) error {
	values, err := wire.Form(c)
	if err != nil {
		return err
	}
	id, i, a, err := p.open(c, values.Get("interaction"))
	if i == nil || err != nil {
		return err
	}
	if err := p.visits.CheckForm(c, pathLogin, values.Get("csrf"), nil); err != nil {
		return err
	}
	name := values.Get("username")
	if done, err := p.sendAway(c, name, id, a, values.Get("password") == ""); done || err != nil {
		return err // whatever stands in the password field is nobody's business here
	}
	credentials := identity.Credentials{
		Directory: p.options.Directory, Username: name, Password: values.Get("password"),
		RemoteAddr: p.options.PeerAddr(c.Request), RequestID: c.GetString(wire.RequestID),
	}
	if a != nil {
		credentials.Client = a.client.ID
		c.Set(wire.LogClient, a.client.ID)
	}
	if name == "" || len(name) > maxUsername || credentials.Password == "" {
		return p.showLogin(c, http.StatusBadRequest, &pages.LoginPage{Username: name[:min(len(name), maxUsername)], Error: "invalid"}, id, a)
	}
	who, err := p.options.SignIn.Authenticate(c.Request.Context(), credentials)
	if err != nil {
		status, code := wire.SignInError(identity.ReasonOf(err))
		c.Set(wire.LogRefusal, code)
		if status == http.StatusInternalServerError {
			return err
		}
		return p.showLogin(c, status, &pages.LoginPage{Username: name, Error: code}, id, a)
	}
	if err := p.visits.SignIn(c, who, i, credentials.Client); err != nil {
		return err
	}
	p.send(c, pathAuthorize, id)
	return nil
}

// deciding is somebody at a page that asks them to decide.
type deciding struct {
	values  url.Values // what they posted; nil before
	id      string
	i       *Interaction
	a       *authorization
	session *BrowserSession
}

// decidingAt reads who is at a page, and their form. It returns nil where they
// were sent elsewhere.
func (p *Provider) decidingAt(c *gin.Context, path string) (*deciding, error) {
	wire.NoStore(c)
	var (
		d   deciding
		err error
	)
	if c.Request.Method == http.MethodPost {
		if d.values, err = wire.Form(c); err != nil {
			return nil, err
		}
		d.id = d.values.Get("interaction")
		_, d.i, d.a, err = p.open(c, d.id)
	} else {
		d.id, d.i, d.a, err = p.stepOf(c)
	}
	if d.i == nil || err != nil && !errors.Is(err, visit.ErrAnswered) {
		return nil, err
	}
	var sessionErr error
	if d.session, sessionErr = p.visits.Session(c); sessionErr != nil {
		return nil, sessionErr
	}
	if err == nil && (d.session == nil || d.a == nil) {
		p.send(c, pathAuthorize, d.id)
		return nil, nil
	}
	if d.values != nil {
		if err := p.visits.CheckForm(c, path, d.values.Get("csrf"), d.session); err != nil {
			return nil, err
		}
	}
	return &d, err
}

// serveConsent is the page that asks whether a client may.
func (p *Provider) serveConsent(c *gin.Context) error {
	d, err := p.decidingAt(c, pathConsent)
	switch {
	case d != nil && errors.Is(err, visit.ErrAnswered):
		return p.repeat(c, d)
	case d == nil || err != nil:
		return err
	}
	c.Set(wire.LogClient, d.a.client.ID)
	if d.values == nil {
		return p.showConsent(c, d.a, d.session, d.id)
	}
	return p.decide(c, d)
}

func (p *Provider) showConsent(c *gin.Context, a *authorization, s *BrowserSession, id string) error {
	user, err := p.pageUser(c.Request.Context(), s)
	if err != nil {
		return err
	}
	return p.options.Pages.Render(c, http.StatusOK, &pages.ConsentPage{
		Visit: a.visit(), User: user, Scopes: a.Consented(), Details: a.Shown(),
		Form: pages.Form{Action: p.path(pathConsent), CSRF: p.visits.FormToken(c, pathConsent, s), Interaction: id},
	})
}

// decide stores what the person at the page decided; everything that is not
// yes is no.
func (p *Provider) decide(c *gin.Context, d *deciding) error {
	d.own()
	d.i.Decision = decisionDeny
	if d.values.Get("decision") == decisionAllow {
		d.i.Decision = decisionAllow
	}
	return p.keep(c, d.i, d.id)
}

// own makes what is decided that of the session's person.
func (d *deciding) own() {
	if d.i.Subject != d.session.Subject {
		d.i.Subject, d.i.SignedIn, d.i.Decision = d.session.Subject, time.Time{}, ""
	}
}

// keep stores what a step found out, and goes back to the dispatcher.
func (p *Provider) keep(c *gin.Context, i *Interaction, id string) error {
	if err := p.options.Storage.UpdateInteraction(c.Request.Context(), i); err != nil {
		return visit.GoneOrOutage(err)
	}
	p.send(c, pathAuthorize, id)
	return nil
}
