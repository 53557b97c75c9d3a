package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/ory/fosite"

	"keyway/provider/binding"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/request"
	"keyway/provider/response"
	"keyway/provider/stepup"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// Where the dispatcher sends the browser.
const (
	pathAuthorize = "/oauth2/authorize"
	pathLogin     = "/login"
	pathConsent   = "/consent"
	pathSelect    = "/select-account"
	pathSignUp    = "/sign-up"
)

// step is where something that is still missing is asked for.
type step string

const (
	stepDone    step = ""
	stepLogin   step = pathLogin
	stepConsent step = pathConsent
	stepSelect  step = pathSelect
	stepSignUp  step = pathSignUp
	stepFactor  step = stepup.Path
)

// serveAuthorize is the authorization endpoint (RFC 6749, section 3.1) and the
// dispatcher of every sign-in: it looks at what is stored, decides what is
// missing, and sends the browser there. Each step comes back here.
func (p *Provider) serveAuthorize(c *gin.Context) error {
	wire.NoStore(c)
	switch c.Request.Method {
	case http.MethodGet:
	case http.MethodPost:
		return p.postedToQuery(c, pathAuthorize)
	default:
		return wire.MethodNotAllowed("GET, POST")
	}
	if q := c.Request.URL.Query(); q.Has("interaction") && !q.Has("client_id") {
		return p.resume(c, q.Get("interaction"))
	}
	a, err := p.readAuthorization(c.Request.Context(), c.Request.URL.RawQuery)
	if err != nil {
		return p.refuse(c, a, err)
	}
	c.Set(wire.LogClient, a.client.ID)
	s, err := p.visits.Session(c)
	if err != nil {
		return err
	}
	next, err := p.missing(c.Request.Context(), a, s, nil)
	switch {
	case err != nil:
		return p.refuseIn(c, a, nil, err)
	case next == stepDone:
		return p.authorize(c, a, s, nil)
	case a.Asks(request.PromptNone) && next == stepConsent:
		return p.refuseIn(c, a, nil, reply("consent_required", "prompt is none and consent is missing"))
	case a.Asks(request.PromptNone) && next == stepFactor:
		return p.refuseIn(c, a, nil, reply("interaction_required", "prompt is none and a second factor is missing"))
	case a.Asks(request.PromptNone):
		return p.refuseIn(c, a, nil, reply("login_required", "prompt is none and nobody fit is signed in"))
	}
	i := Interaction{Query: a.Values.Encode()}
	if a.pushed != nil {
		i.Pushed = *a.pushed
	}
	id, err := p.visits.Begin(c, i)
	if err != nil {
		return err
	}
	p.send(c, string(next), id)
	return nil
}

// postedToQuery makes a GET of a POST that came from another site, for only
// with that will the browser send its cookies (SameSite=Lax).
func (p *Provider) postedToQuery(c *gin.Context, path string) error {
	values, err := wire.ReadForm(c)
	if err != nil {
		return err
	}
	if len(values) > request.MaxQuery {
		return &wire.Error{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: "The body is too large."}
	}
	parsed, err := url.ParseQuery(values)
	if err != nil {
		return wire.BadRequest("The body is not a well-formed form.")
	}
	for _, secret := range []string{"client_secret", "client_assertion", "password"} { // no business here, and never of a URL
		parsed.Del(secret)
	}
	c.Redirect(http.StatusSeeOther, p.url(path)+"?"+parsed.Encode()) // a repeated parameter stays repeated
	return nil
}

// send redirects to a step of an interaction, or back from one. 303 makes a
// GET of it, without what was posted (RFC 9700, section 4.12).
func (p *Provider) send(c *gin.Context, path, interaction string) {
	wire.NoStore(c)
	c.Redirect(http.StatusSeeOther, p.url(path)+"?interaction="+url.QueryEscape(interaction))
}

// resume goes on with an interaction.
func (p *Provider) resume(c *gin.Context, id string) error {
	i, err := p.visits.Interaction(c, id)
	if err != nil {
		return err
	}
	s, err := p.visits.Session(c)
	if err != nil {
		return err
	}
	if i.Purpose == purposeDevice || i.Query == "" {
		return p.resumeOwn(c, i, s, id)
	}
	a, err := p.request(c.Request.Context(), i)
	if err != nil {
		return p.refuseIn(c, a, i, err)
	}
	c.Set(wire.LogClient, a.client.ID)
	next, err := p.missing(c.Request.Context(), a, s, i)
	if err != nil {
		return p.refuseIn(c, a, i, err)
	}
	if next == stepDone {
		return p.authorize(c, a, s, i)
	}
	p.send(c, string(next), id)
	return nil
}

// resumeOwn goes on with an interaction that no client began.
func (p *Provider) resumeOwn(c *gin.Context, i *Interaction, s *BrowserSession, id string) error {
	if s == nil || i.Purpose == visit.Again && i.SignedIn.IsZero() {
		p.send(c, pathLogin, id)
		return nil
	}
	next, err := p.missingOwn(c.Request.Context(), s, i)
	switch {
	case err != nil:
		return err
	case next != stepDone:
		p.send(c, string(next), id)
		return nil
	case i.Purpose == purposeDevice:
		p.send(c, pathDevice, id)
		return nil
	}
	return p.toAccount(c, i)
}

// missing decides what has to be done before the request can be granted to the
// session's user. i is nil while nothing was asked of the person.
func (p *Provider) missing(ctx context.Context, a *authorization, s *BrowserSession, i *Interaction) (step, error) {
	if a.Asks(request.PromptCreate) && (i == nil || i.Chosen == "") {
		return stepSignUp, nil
	}
	if s == nil {
		return stepLogin, nil
	}
	own := i != nil && i.Subject == s.Subject // what is stored is theirs
	if refused := p.unfit(a, s); refused != nil {
		if i != nil && !i.SignedIn.IsZero() {
			return stepDone, refused
		}
		return stepLogin, nil
	}
	if next := p.missingSignIn(a, s, i, own); next != stepDone {
		return next, nil
	}
	if next, err := p.missingFactor(ctx, s, i, a.client, a); next != stepDone || err != nil {
		return next, err
	}
	switch {
	case own && i.Decision == decisionDeny:
		return stepDone, reply("access_denied", "the person refused")
	case own && i.Decision == decisionAllow:
		return stepDone, nil
	case a.Asks(request.PromptConsent):
		return stepConsent, nil
	case a.client.SkipConsent:
		return stepDone, nil
	case len(a.Details) > 0:
		return stepConsent, nil // what they say is allowed once, and not for good
	case a.client.Public() && !strings.HasPrefix(a.ReturnTo, "https://"):
		// Anybody on the machine can listen there: what was allowed once was
		// perhaps allowed to somebody else (RFC 8252, section 8.6).
		return stepConsent, nil
	}
	given, err := p.options.Storage.FindConsent(ctx, s.Subject, a.client.ID)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return stepConsent, nil
	case err != nil:
		return stepDone, wire.Outage(err)
	}
	if _, ok := narrowed(given.Scopes, a.Consented()); !ok {
		return stepConsent, nil
	}
	return stepDone, nil
}

// unfit says why the request is not for who is signed in, however they did.
func (p *Provider) unfit(a *authorization, s *BrowserSession) error {
	switch {
	case a.Subject != "" && a.Subject != p.subjectFor(a.client, s.Subject):
		return reply("login_required", "somebody else signed in")
	case !a.client.Admits(s.Connector):
		return reply("access_denied", "the client is not for people of this connector")
	}
	return nil
}

// believed is how long a sign-in counts as made just now, for who looks at the
// consent page; after that, prompt=login and max_age are judged anew.
const believed = 5 * time.Minute

// missingSignIn decides whether the person of a session has to sign in anew, or
// to choose.
func (p *Provider) missingSignIn(a *authorization, s *BrowserSession, i *Interaction, own bool) step {
	now := p.options.Now()
	signedIn := own && !i.SignedIn.IsZero()
	fresh := signedIn && now.Sub(i.SignedIn) < believed
	switch {
	case !fresh && (a.Asks(request.PromptLogin) || a.Stale(s.AuthTime, now)):
		return stepLogin
	case signedIn:
		return stepDone
	case i != nil && (i.Chosen == chosenOther || i.Chosen == chosenCreate):
		return stepLogin
	case a.Asks(request.PromptSelect) && (!own || i.Chosen != chosenThis):
		return stepSelect
	}
	return stepDone
}

// authorize makes the code and sends it. Everything is written in one
// transaction, with the end of the interaction.
func (p *Provider) authorize(c *gin.Context, a *authorization, s *BrowserSession, i *Interaction) error {
	u := &unit{requestID: c.GetString(wire.RequestID)}
	ctx := withUnit(c.Request.Context(), u)
	code, err := p.makeCode(ctx, a, s)
	if err != nil {
		return p.refuseIn(c, a, i, err)
	}
	e := p.visits.Event(c, "authorization", s.Subject)
	e.ClientID, e.GrantID = a.client.ID, u.issue.GrantID
	u.issue.Events = append(u.issue.Events, e)
	u.issue.Browser, u.issue.Pushed = &s.Hash, a.pushed
	u.issue.Remembered = !a.client.SkipConsent && (i == nil || i.Decision != decisionAllow)
	if i != nil {
		u.issue.Interaction = &i.Hash
		if i.Decision == decisionAllow {
			u.issue.Consent = &Consent{Subject: s.Subject, ClientID: a.client.ID, Scopes: a.Consented(), GivenAt: p.options.Now()}
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), storeTimeout)
	defer cancel()
	err = p.options.Storage.Issue(ctx, &u.issue)
	if errors.Is(err, identity.ErrConflict) {
		return visit.Gone(err)
	}
	if err != nil {
		return wire.Outage(err)
	}
	return p.answer(c, a, url.Values{"code": {code}})
}

// makeCode lets fosite make the code, of a request that is put together here.
func (p *Provider) makeCode(ctx context.Context, a *authorization, s *BrowserSession) (string, error) {
	ar := fosite.NewAuthorizeRequest()
	to, err := url.Parse(a.ReturnTo)
	if err != nil {
		return "", err
	}
	ar.Client, ar.RedirectURI, ar.ResponseTypes, ar.State = a.client, to, fosite.Arguments{"code"}, a.Values.Get("state")
	ar.RequestedScope, ar.GrantedScope = a.Scopes, a.Scopes
	ar.RequestedAudience, ar.GrantedAudience = a.Audience, a.Audience
	ar.Form = url.Values{
		"redirect_uri": a.Values["redirect_uri"], "code_challenge": a.Values["code_challenge"], "code_challenge_method": {pkceS256},
	}
	session := p.sessionFor(a.client, s)
	session.ACR = contextOf(s, a)
	session.Nonce = a.Values.Get("nonce")
	session.IDClaims, session.UserClaims, session.Details = a.IDClaims, a.UserClaims, a.Details
	if jkt := a.Values.Get("dpop_jkt"); jkt != "" {
		session.Bound = &binding.Key{Proof: jkt}
	}
	response, err := p.fosite.NewAuthorizeResponse(ctx, ar, session)
	if err != nil {
		return "", err
	}
	return response.GetCode(), nil
}

// sessionFor is what a grant to the client remembers of who is signed in.
func (p *Provider) sessionFor(c *fositeClient, s *BrowserSession) *Session {
	session := p.newSession(c)
	session.SetSubject(s.Subject)
	session.AuthTime, session.AMR, session.ACR, session.SID = max(s.AuthTime.Unix(), 0), s.AMR, contextOf(s, nil), s.ID
	session.Connector, session.Factor = s.Connector, !s.FactorAt.IsZero()
	session.Requested = p.options.Now().Unix()
	return session
}

// refuseIn is refuse for a request that ends with that: its interaction, nil for
// none, and what the client pushed.
func (p *Provider) refuseIn(c *gin.Context, a *authorization, i *Interaction, err error) error {
	var r *request.Error
	if !errors.As(err, &r) {
		return err
	}
	var ended error
	if i != nil {
		ended = p.options.Storage.EndInteraction(c.Request.Context(), i.Hash)
	}
	if ended == nil && a != nil && a.pushed != nil {
		ended = p.options.Storage.EndPushed(c.Request.Context(), *a.pushed)
	}
	if errors.Is(ended, identity.ErrNotFound) {
		return visit.Gone(ended)
	}
	if ended != nil {
		return wire.Outage(ended)
	}
	return p.refuse(c, a, err)
}

// refuse tells the client, where err is for it, and else the person.
func (p *Provider) refuse(c *gin.Context, a *authorization, err error) error {
	var r *request.Error
	if a == nil || !errors.As(err, &r) {
		return err
	}
	c.Set(wire.LogClient, a.client.ID)
	said := wire.Describe(r.Code)
	if r.Text != "" {
		said = wire.Plain(r.Text)
	}
	c.Set(wire.LogRefusal, r.Code+": "+said)
	return p.answer(c, a, url.Values{"error": {r.Code}, "error_description": {said}})
}

// answer is the authorization response, which names its issuer (RFC 9207; JARM,
// section 2.1).
func (p *Provider) answer(c *gin.Context, a *authorization, values url.Values) error {
	if state := a.Values.Get("state"); state != "" {
		values.Set("state", state)
	}
	values.Set("iss", p.options.Issuer)
	if a.Mode.Signed {
		signed, err := p.keys.Sign(a.client.answerAlg(), "JWT", response.Claims(values, p.options.Issuer, a.client.ID, p.options.Now()))
		if err != nil {
			return err
		}
		values = url.Values{"response": {signed}}
	}
	wire.NoStore(c)
	c.Header("Referrer-Policy", "no-referrer")
	if a.Mode.Way != response.FormPost {
		wire.SeeOther(c, a.Mode.Way.Location(a.ReturnTo, values))
		return nil
	}
	page := &pages.FormPostPage{Visit: a.visit(), Action: a.ReturnTo}
	for name := range values {
		page.Fields = append(page.Fields, pages.Field{Name: name, Value: values.Get(name)})
	}
	slices.SortFunc(page.Fields, func(x, y pages.Field) int { return strings.Compare(x.Name, y.Name) })
	return p.options.Pages.Render(c, http.StatusOK, page)
}
