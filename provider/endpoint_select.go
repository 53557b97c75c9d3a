package provider

import (
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/pages"
	"keyway/provider/redirect"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// The values of [Interaction.Chosen].
const (
	chosenThis   = "this"
	chosenOther  = "other"
	chosenCreate = "create"
)

// serveSelect is the page that asks with which account to go on (OpenID Connect
// Core 1.0, section 3.1.2.1, select_account).
func (p *Provider) serveSelect(c *gin.Context) error {
	d, err := p.decidingAt(c, pathSelect)
	if d == nil || err != nil {
		return err
	}
	c.Set(wire.LogClient, d.a.client.ID)
	if d.values == nil {
		user, err := p.pageUser(c.Request.Context(), d.session)
		if err != nil {
			return err
		}
		form := pages.Form{Action: p.path(pathSelect), CSRF: p.visits.FormToken(c, pathSelect, d.session), Interaction: d.id}
		return p.options.Pages.Render(c, 200, &pages.SelectPage{Visit: d.a.visit(), Form: form, User: user})
	}
	d.own()
	d.i.Chosen = chosenOther
	if d.values.Get("decision") == chosenThis {
		d.i.Chosen = chosenThis
	}
	return p.keep(c, d.i, d.id)
}

// serveSignUp sends the browser to where people make an account (Initiating User
// Registration via OpenID Connect 1.0), with the way back to the interaction.
func (p *Provider) serveSignUp(c *gin.Context) error {
	wire.NoStore(c)
	id, i, a, err := p.stepOf(c)
	if i == nil || err != nil {
		return err
	}
	back := p.url(pathAuthorize) + "?interaction=" + url.QueryEscape(id)
	if p.options.SignUpURL == "" {
		wire.SeeOther(c, back)
		return nil
	}
	query := url.Values{"return_to": {back}}
	if locales := a.visit().Locales; locales != "" {
		query.Set("ui_locales", locales)
	}
	i.Chosen = chosenCreate
	if err := p.options.Storage.UpdateInteraction(c.Request.Context(), i); err != nil {
		return visit.GoneOrOutage(err)
	}
	c.Header("Referrer-Policy", "no-referrer")
	wire.SeeOther(c, redirect.WithQuery(p.options.SignUpURL, query))
	return nil
}

// repeat answers somebody who allowed twice in a row: their browser may have
// given up the first answer for this one. They get another code where a new
// request would get one without a question, and else are told that it is done.
func (p *Provider) repeat(c *gin.Context, d *deciding) error {
	i, s := d.i, d.session
	if s == nil || d.values.Get("decision") != decisionAllow || i.Decision != decisionAllow || i.Subject != s.Subject || i.Pushed != (Hash{}) {
		return visit.ErrAnswered
	}
	a, err := p.request(c.Request.Context(), i)
	if a == nil || err != nil {
		return visit.ErrAnswered
	}
	next, err := p.missing(c.Request.Context(), a, s, nil)
	if next != stepDone || err != nil {
		return visit.ErrAnswered
	}
	return p.authorize(c, a, s, nil)
}
