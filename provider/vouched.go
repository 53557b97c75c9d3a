package provider

import (
	"context"
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/ory/fosite"

	"keyway/provider/exchange"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/target"
	"keyway/provider/upstream"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// follow asks whether the upstream that somebody came by goes on vouching for them.
// What it ended, is forgotten here at once.
func (p *Provider) follow(ctx context.Context, q federation.Question) (*identity.Link, error) {
	link, err := p.options.Federation.Follow(ctx, q)
	if err != nil {
		p.reads.Forget()
	}
	return link, err
}

func away(err error) bool {
	reason := identity.ReasonOf(err)
	return reason == identity.ReasonUnavailable || reason == identity.ReasonInternal
}

// sessionVouched is for browser sessions. While an upstream is away for too long,
// its people are not signed in: they may go another way.
func (p *Provider) sessionVouched(ctx context.Context, s *BrowserSession) (bool, error) {
	_, err := p.follow(ctx, federation.Question{Connector: s.Connector, Subject: s.Subject})
	if away(err) && !errors.Is(err, federation.ErrAway) {
		return false, err
	}
	return err == nil, nil
}

// vouched judges whether the client is for who is behind the grant, and whether their
// upstream goes on vouching for them; it returns their link there, nil for who came
// by none.
func (p *Provider) vouched(ctx context.Context, ar *fosite.AccessRequest, c *fositeClient, u *unit) (*identity.Link, error) {
	s, ok := ar.Session.(*Session)
	switch {
	case !ok || s.Subject == "":
		return nil, nil
	case !c.Admits(s.Connector):
		return nil, invalidGrant("the client is not for people of this connector")
	case s.Connector == "":
		return nil, nil
	}
	link, err := p.follow(ctx, federation.Question{
		Connector: s.Connector, Subject: s.Subject, Event: identity.Event{ClientID: c.ID, RequestID: u.requestID},
	})
	if err != nil && !away(err) {
		return nil, fosite.ErrInvalidGrant.WithWrap(errors.New(err.Error()))
	}
	return link, err
}

// appPasswordVouched judges whether who signed in by an app password is still somebody
// for the upstream that made them a user.
func (p *Provider) appPasswordVouched(ctx context.Context, pw *passwordUnit, who *identity.Identity) error {
	if !who.AppPassword {
		return nil
	}
	c := pw.grant.Credentials
	err := p.options.Federation.FollowMade(ctx, federation.Question{Subject: who.User.Subject, Event: identity.Event{
		System: c.System, ClientID: pw.client.ID, RequestID: c.RequestID,
	}})
	if err == nil {
		return nil
	}
	p.reads.Forget()
	if p.options.Passwords != nil { // who has one here does not depend on an upstream
		if own, asked := p.options.Passwords.Changeable(ctx, &who.User); own || asked != nil {
			return asked
		}
	}
	return err
}

// renewAt is how long an upstream's access token has to live to be handed on as it is.
const renewAt = 30 * time.Second

// handOver answers with the access token that the upstream gave, which is never shown
// elsewhere. It gets a new one where the last has ended.
func (p *Provider) handOver(ctx context.Context, ar *fosite.AccessRequest, u *unit, link *identity.Link) (fosite.AccessResponder, error) {
	now := p.options.Now()
	lives := func(l *identity.Link, more time.Duration) bool { // one of another connector to the same upstream is for others
		return l != nil && l.Connector == u.takes && len(l.AccessToken) > 0 && (l.AccessExpires.IsZero() || l.AccessExpires.Sub(now) > more)
	}
	e := identity.Event{At: now, Kind: "upstream_token_taken", ClientID: u.caller.ID, RequestID: u.requestID, Connector: u.takes}
	e.Subject = ar.Session.GetSubject()
	if !lives(link, renewAt) {
		var err error
		link, err = p.follow(ctx, federation.Question{Connector: u.takes, Subject: e.Subject, Event: e, Anew: true})
		if err != nil && !away(err) {
			return nil, fosite.ErrInvalidGrant.WithWrap(errors.New(err.Error()))
		}
		if err != nil {
			return nil, err
		}
	}
	if !lives(link, 0) {
		return nil, wire.Of(target.Code, errors.New("the upstream gave no access token, or none that is kept"))
	}
	if err := p.options.Storage.RecordEvent(ctx, e); err != nil { // nobody takes one without a trace
		return nil, wire.Outage(err)
	}
	r := fosite.NewAccessResponse()
	r.SetAccessToken(string(link.AccessToken))
	r.SetTokenType("Bearer")
	r.SetExtra("issued_token_type", exchange.TypeAccessToken)
	if !link.AccessExpires.IsZero() {
		r.SetExtra("expires_in", int64(math.Floor(link.AccessExpires.Sub(now).Seconds())))
	}
	return r, nil
}

// signOutUpstream is where a browser whose session was s goes to sign out at the
// upstream, too.
func (p *Provider) signOutUpstream(c *gin.Context, s *BrowserSession, then string) string {
	if s == nil || s.Connector == "" {
		return ""
	}
	return p.options.Federation.SignOut(c.Request.Context(), federation.Leaving{
		Connector: s.Connector, IDToken: s.Upstream.IDToken, Browser: HashToken(p.visits.Browser(c)),
		ReturnTo: p.url(pathSignedOut) + "/" + s.Connector, Then: then,
	})
}

// serveSignedOut is where browsers come back to that signed out at an upstream.
func (p *Provider) serveSignedOut(c *gin.Context) error {
	wire.NoStore(c)
	if c.Request.Method != http.MethodGet && c.Request.Method != http.MethodHead {
		return wire.MethodNotAllowed("GET, HEAD")
	}
	browser := HashToken(p.visits.Cookie(c, visit.BrowserCookie))
	to, err := p.options.Federation.SignedOut(c.Request.Context(), c.Param(callbackParam), browser, c.Query("state"))
	if err != nil {
		return wire.Outage(err)
	}
	if to == "" {
		return p.options.Pages.Render(c, http.StatusOK, &pages.LoggedOutPage{})
	}
	wire.SeeOther(c, to)
	return nil
}

// serveBackchannel is where upstreams say who signed out there (OpenID Connect
// Back-Channel Logout 1.0, sections 2.5 to 2.8).
func (p *Provider) serveBackchannel(c *gin.Context) error {
	wire.NoStore(c)
	if c.Request.Method != http.MethodPost {
		return wire.MethodNotAllowed("POST")
	}
	values, err := wire.Form(c)
	if err != nil {
		return err
	}
	e := p.visits.Event(c, "", "")
	_, err = p.options.Federation.Ended(c.Request.Context(), c.Param(callbackParam), values.Get("logout_token"), e)
	var said *upstream.Error
	if !errors.As(err, &said) { // anybody may post what does not hold
		p.reads.Forget()
	}
	switch {
	case errors.As(err, &said) && said.Kind == upstream.Unavailable:
		return wire.Of("temporarily_unavailable", err)
	case errors.As(err, &said):
		return &wire.Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: "The logout token does not hold.", Cause: err}
	case err != nil:
		return wire.Outage(err)
	}
	c.Status(http.StatusOK)
	c.Writer.WriteHeaderNow()
	return nil
}
