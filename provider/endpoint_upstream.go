package provider

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/account"
	"keyway/provider/factor"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/request"
	"keyway/provider/upstream"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// Where people leave for an upstream, and where they come back: each connector
// has a path of its own, against mix-up (RFC 9700, section 4.4.2.2).
const (
	pathUpstream    = "/login/upstream"
	pathCallback    = "/login/callback"
	pathSignedOut   = "/login/signed-out"
	pathBackchannel = "/login/backchannel"
	callbackParam   = "connector"
)

// offerUpstreams puts on the login page what the client allows.
func (p *Provider) offerUpstreams(page *pages.LoginPage, a *authorization) {
	f := p.options.Federation
	if f == nil {
		return
	}
	var allowed []string
	if a != nil {
		allowed = a.client.Connectors
		page.NoPassword = !f.TakesPasswords(a.client.Client)
	}
	for _, c := range f.Offered(allowed) {
		page.Upstreams = append(page.Upstreams, pages.Upstream{ID: c.ID, Name: c.Name})
	}
	page.UpstreamPath, page.NameFirst, page.Schemes = p.path(pathUpstream), f.AsksNames(), federation.Schemes(p.options.Issuer)
}

// sendAway answers who gave a name that has no password here: it belongs to a
// connector, or the client lets nobody in by one. A name alone is no mistake where
// names lead to upstreams: the page asks for the password then.
func (p *Provider) sendAway(c *gin.Context, name, id string, a *authorization, alone bool) (bool, error) {
	if len(name) > maxUsername {
		return false, nil
	}
	to := p.options.Federation.ForName(name)
	switch {
	case to != nil && (a == nil || a.client.Admits(to.ID)):
		return true, p.depart(c, to, id, a, name)
	case to != nil || a != nil && !p.options.Federation.TakesPasswords(a.client.Client):
		c.Set(wire.LogRefusal, "elsewhere")
		return true, p.showLogin(c, http.StatusBadRequest, &pages.LoginPage{Username: name, Error: "elsewhere"}, id, a)
	case alone && name != "" && p.options.Federation.AsksNames():
		return true, p.showLogin(c, http.StatusOK, &pages.LoginPage{Username: name}, id, a)
	}
	return false, nil
}

// serveUpstream takes somebody to the upstream that they chose.
func (p *Provider) serveUpstream(c *gin.Context) error {
	wire.NoStore(c)
	if c.Request.Method != http.MethodPost {
		return wire.MethodNotAllowed("POST")
	}
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
	chosen := p.options.Federation.Find(values.Get("connector"))
	if chosen == nil || a != nil && !a.client.Admits(chosen.ID) {
		return wire.BadRequest("There is no such connector for this client.")
	}
	return p.depart(c, chosen, id, a, "")
}

// depart sends the browser to an upstream, with what the client asked for and an
// upstream can do better. hint is the name that the person gave.
func (p *Provider) depart(c *gin.Context, to *federation.Connector, id string, a *authorization, hint string) error {
	var asked *request.Request
	if a != nil {
		asked = a.Request
		c.Set(wire.LogClient, a.client.ID)
	}
	d := federation.DepartureOf(asked, hint)
	if i, err := p.visits.Interaction(c, id); err == nil && i.Purpose == visit.Again {
		d.Trip.Fresh, d.Prompt = true, request.PromptLogin
	}
	d.Trip.Connector, d.Trip.Browser, d.Trip.Interaction = to.ID, HashToken(p.visits.Browser(c)), id
	wanted := a != nil && (a.client.RequireSecondFactor || a.ACR == factor.ACR)
	d.ACRValues = append(d.ACRValues, p.options.Factors.Policy.Contexts(to.ID, wanted)...)
	where, err := p.options.Federation.Begin(c.Request.Context(), d)
	if err != nil {
		return p.strand(c, stranded{connector: to.ID, interaction: id, a: a}, err)
	}
	c.Header("Referrer-Policy", "no-referrer")
	wire.SeeOther(c, where)
	return nil
}

// serveCallback judges what a browser brings back from an upstream.
func (p *Provider) serveCallback(c *gin.Context) error {
	wire.NoStore(c)
	connector := c.Param(callbackParam)
	to := p.options.Federation.Find(connector)
	if to == nil {
		return &wire.Error{Status: http.StatusNotFound, Code: "invalid_request", Cause: errors.New("there is no such connector")}
	}
	answer, err := p.readAnswer(c, to)
	if answer == nil || err != nil {
		return err
	}
	s, err := p.visits.Kept(c)
	if err != nil {
		return err
	}
	visitor := federation.Visitor{Browser: HashToken(p.visits.Cookie(c, visit.BrowserCookie))}
	if s != nil {
		visitor.Session = s.Hash
	}
	back, err := p.options.Federation.Return(c.Request.Context(), connector, visitor, answer)
	if err != nil {
		lost := stranded{connector: connector, recorded: back != nil}
		if back != nil && back.Trip != nil {
			lost.interaction, lost.subject, lost.linking = back.Trip.Interaction, back.Trip.Subject, back.Trip.Subject != ""
		}
		return p.strand(c, lost, err)
	}
	if back.Trip.Subject != "" {
		p.accountPage.Linked(c)
		return nil
	}
	return p.arrive(c, connector, back)
}

// readAnswer reads what the browser brings. It returns nil where the browser was told
// to bring it once more, for it came from another site and so without its cookies.
func (p *Provider) readAnswer(c *gin.Context, to *federation.Connector) (url.Values, error) {
	path := pathCallback + "/" + to.ID
	switch {
	case to.Posted:
	case c.Request.Method == http.MethodGet:
		return federation.QueryOf(c)
	case c.Request.Method == http.MethodPost:
		return nil, p.postedToQuery(c, path)
	default:
		return nil, wire.MethodNotAllowed("GET, POST")
	}
	a, err := federation.ReadAnswer(c)
	if err != nil {
		return nil, err
	}
	if a.Again || p.visits.Cookie(c, visit.BrowserCookie) != "" {
		return a.Values, nil
	}
	return nil, p.options.Pages.Render(c, http.StatusOK, a.Repeat(p.path(path)))
}

// arrive signs in who came back. The gate has the last word.
func (p *Provider) arrive(c *gin.Context, connector string, back *federation.Arrival) error {
	id, i, a, err := p.open(c, back.Trip.Interaction)
	if i == nil || err != nil {
		return err
	}
	lost := stranded{connector: connector, interaction: id, a: a, subject: back.Subject, recorded: true}
	clientID := ""
	if a != nil {
		clientID = a.client.ID
		c.Set(wire.LogClient, clientID)
		if !a.client.Admits(connector) {
			return p.strand(c, lost, identity.Failf(identity.ReasonInvalidClient, "the client is not for people of this connector"))
		}
	}
	ctx := c.Request.Context()
	user, err := p.options.Users.FindUser(ctx, back.Subject)
	if err != nil {
		return wire.Outage(err)
	}
	err = p.options.Gate.Ask(ctx, identity.Question{
		Moment: identity.MomentEnter, Subject: user.Subject, Status: user.Status, Client: clientID, RemoteAddr: p.options.PeerAddr(c.Request),
	})
	if err != nil {
		return p.strand(c, lost, err)
	}
	who := federation.Vouched(connector, back.Person, user, p.options.Now())
	who.Upstream.IDToken = back.Hint
	who.SecondFactor = p.options.Factors.Policy.Vouches(connector, who.AMR, who.ACR)
	if err := p.visits.SignIn(c, who, i, clientID); err != nil {
		return err
	}
	p.send(c, pathAuthorize, id)
	return nil
}

// stranded is a sign-in at an upstream that came to nothing.
type stranded struct {
	connector   string
	interaction string // "" where it is not theirs to go on with
	a           *authorization
	subject     string // of ours, where they are known
	recorded    bool   // it was a trip of ours: an auditor wants to see it
	linking     bool   // by who is signed in here, and stays so
}

// strand says on a page what became of a sign-in at an upstream, and records it.
// An outage of our own is none of the upstream's.
func (p *Provider) strand(c *gin.Context, s stranded, err error) error {
	end, ok := federation.OutcomeOf(err)
	if !ok {
		return wire.Outage(err)
	}
	e := p.visits.Event(c, "upstream_"+end.Code, s.subject)
	e.Reason, e.Connector = end.Reason, s.connector
	page := &pages.ErrorPage{Visit: s.a.visit(), Code: "login_upstream_" + end.Code, RequestID: c.GetString(wire.RequestID)}
	if s.a != nil {
		e.ClientID = s.a.client.ID
	}
	if s.recorded {
		p.record(c.Request.Context(), e)
	}
	if s.interaction != "" {
		page.Retry = p.path(pathLogin) + "?choose=1&interaction=" + url.QueryEscape(s.interaction)
	}
	if s.linking {
		page.Back = p.path(account.Path)
		if end.Code == string(upstream.Collision) {
			page.Code = "link_upstream_collision"
		}
	}
	c.Set(wire.LogRefusal, page.Code)
	p.options.Log.LogAttrs(c.Request.Context(), slog.LevelWarn, "a sign-in at an upstream came to nothing",
		slog.String("connector", s.connector), slog.String("kind", end.Code), slog.String("cause", err.Error()), slog.String("request_id", page.RequestID))
	return p.options.Pages.Render(c, end.Status, page)
}

// record stores an event that nothing else is stored with. Who is told no is told
// so, be it recorded or not.
func (p *Provider) record(ctx context.Context, e identity.Event) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := p.options.Storage.RecordEvent(ctx, e); err != nil {
		p.options.Log.LogAttrs(ctx, slog.LevelError, "an event could not be stored", slog.String("kind", e.Kind), slog.String("cause", err.Error()))
	}
}
