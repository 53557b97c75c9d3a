package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/device"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/request"
	"keyway/provider/secret"
	"keyway/provider/usercode"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

const (
	pathDeviceRequest = "/oauth2/device"
	pathDevice        = "/device"

	// purposeDevice is the purpose of an interaction that lets a device in. It has no
	// authorization request; it is missing somebody who is signed in, then the code,
	// then, always, their decision.
	purposeDevice = "device"
)

func (p *Provider) deviceCodes() *device.Codes {
	return &device.Codes{Storage: p.options.Storage, Attempts: p.options.Storage, Now: p.options.Now}
}

// serveDeviceRequest is the device authorization endpoint (RFC 8628, section
// 3.1).
func (p *Provider) serveDeviceRequest(c *gin.Context) error {
	caller, values, err := p.caller(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	if !caller.mayUse(grantDevice) {
		return wire.Of("unauthorized_client", nil)
	}
	asked, err := request.JudgeDevice(caller.Client, values)
	var refused *request.Error
	if errors.As(err, &refused) {
		return wire.Of(refused.Code, refused.Cause)
	}
	response, err := p.deviceCodes().Begin(ctx, device.Request{
		ClientID: caller.ID, Scopes: asked.Scopes, Audience: asked.Audience, From: p.options.PeerAddr(c.Request), Page: p.url(pathDevice),
	})
	if err != nil {
		return wire.Outage(err)
	}
	wire.NoStore(c)
	wire.WriteJSON(c, http.StatusOK, response)
	return nil
}

// serveDevice is where people let devices in (RFC 8628, section 3.3): a step of
// an interaction that begins here. What the link of a device brings along is filled in
// and never acted upon.
func (p *Provider) serveDevice(c *gin.Context) error {
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
	if id == "" && values == nil {
		return p.beginDevice(c)
	}
	i, err := p.visits.Interaction(c, id)
	if err != nil {
		return err
	}
	s, err := p.visits.Session(c)
	if err != nil {
		return err
	}
	if s == nil || i.Purpose != purposeDevice {
		p.send(c, pathAuthorize, id)
		return nil
	}
	if next, err := p.missingOwn(c.Request.Context(), s, i); err != nil {
		return err
	} else if next != stepDone {
		p.send(c, pathAuthorize, id)
		return nil
	}
	if values != nil {
		if err := p.visits.CheckForm(c, pathDevice, values.Get("csrf"), s); err != nil {
			return err
		}
	}
	switch {
	case i.Device == Hash{} && values == nil:
		return p.showDevice(c, s, id, &pages.DevicePage{Code: i.Query})
	case i.Device == Hash{}:
		return p.enterDevice(c, i, s, id)
	}
	return p.confirmDevice(c, i, s, id)
}

func (p *Provider) beginDevice(c *gin.Context) error {
	code, _ := usercode.Parse(c.Query("user_code"))
	id, err := p.visits.Begin(c, Interaction{Purpose: purposeDevice, Query: code.String()})
	if err != nil {
		return err
	}
	p.send(c, pathAuthorize, id)
	return nil
}

func (p *Provider) showDevice(c *gin.Context, s *BrowserSession, id string, page *pages.DevicePage) (err error) {
	status := http.StatusOK
	if page.Error != "" {
		status = http.StatusBadRequest
		c.Set(wire.LogRefusal, page.Error)
	}
	page.Form = pages.Form{Action: p.path(pathDevice), CSRF: p.visits.FormToken(c, pathDevice, s), Interaction: id}
	if page.User, err = p.pageUser(c.Request.Context(), s); err != nil {
		return err
	}
	return p.options.Pages.Render(c, status, page)
}

// enterDevice stores which device it is.
func (p *Provider) enterDevice(c *gin.Context, i *Interaction, s *BrowserSession, id string) error {
	typed := c.Request.PostForm.Get("user_code")
	record, err := p.deviceCodes().Enter(c.Request.Context(), typed, device.Person{
		Subject: s.Subject, From: p.options.PeerAddr(c.Request), RequestID: c.GetString(wire.RequestID),
	})
	switch {
	case errors.Is(err, device.ErrNoCode):
		return p.showDevice(c, s, id, &pages.DevicePage{Code: typed[:min(len(typed), 16)], Error: "invalid"})
	case identity.ReasonOf(err) == identity.ReasonLocked:
		return p.showDevice(c, s, id, &pages.DevicePage{Error: "locked"})
	case err != nil:
		return wire.Outage(err)
	}
	i.Device = record.Hash
	return p.keep(c, i, id)
}

// confirmDevice asks, decides or says what was decided, as the record stands.
func (p *Provider) confirmDevice(c *gin.Context, i *Interaction, s *BrowserSession, id string) error {
	ctx := c.Request.Context()
	st, err := p.options.Storage.FindDeviceGrant(ctx, i.Device)
	if err != nil {
		return visit.GoneOrOutage(err)
	}
	client, err := p.liveClient(ctx, st.Device.ClientID)
	if errors.Is(err, identity.ErrNotFound) {
		return &wire.Error{Status: http.StatusBadRequest, Code: "unknown_client", Cause: err}
	}
	if err != nil {
		return err
	}
	c.Set(wire.LogClient, client.ID)
	if !client.Admits(s.Connector) {
		return &wire.Error{Status: http.StatusForbidden, Code: "login_upstream_elsewhere", Cause: errors.New("the client is not for people of this connector")}
	}
	a := &authorization{Request: new(request.Request), client: client}
	d := &st.Device
	switch {
	case d.State == device.Denied:
		return p.options.Pages.Render(c, http.StatusOK, &pages.DeviceDonePage{Visit: a.visit()})
	case d.State != device.Pending && st.Grant.Subject == s.Subject:
		return p.options.Pages.Render(c, http.StatusOK, &pages.DeviceDonePage{Visit: a.visit(), Allowed: true})
	case d.State != device.Pending || !p.options.Now().Before(d.ExpiresAt):
		return visit.Gone(errors.New("the device code was used or has expired"))
	case c.Request.Method == http.MethodPost && c.Request.PostForm.Has("decision"):
		return p.decideDevice(c, st, client, s, id)
	case c.Request.Method == http.MethodPost: // who sent the code twice has not decided
		p.send(c, pathDevice, id)
		return nil
	}
	user, err := p.pageUser(ctx, s)
	if err != nil {
		return err
	}
	return p.options.Pages.Render(c, http.StatusOK, &pages.DeviceConfirmPage{
		Visit: a.visit(), User: user, Code: d.UserCode.String(), Scopes: d.Scopes, Address: d.RemoteAddr, Asked: d.IssuedAt,
		Form: pages.Form{Action: p.path(pathDevice), CSRF: p.visits.FormToken(c, pathDevice, s), Interaction: id},
	})
}

// decideDevice writes what the person decided; everything that is not yes is
// no. Where somebody decided before, the next page says so.
func (p *Provider) decideDevice(c *gin.Context, st *StoredDevice, client *fositeClient, s *BrowserSession, id string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.Request.Context()), storeTimeout)
	defer cancel()
	e := p.visits.Event(c, "device_denied", s.Subject)
	e.ClientID = client.ID
	var err error
	if c.Request.PostForm.Get("decision") == decisionAllow {
		e.Kind = "device_authorized"
		err = p.allowDevice(ctx, st, client, s, e)
	} else {
		err = p.options.Storage.DenyDevice(ctx, st.Device.Hash, &e)
	}
	if err != nil && !errors.Is(err, identity.ErrConflict) {
		return wire.Outage(err)
	}
	p.send(c, pathAuthorize, id)
	return nil
}

// allowDevice makes the grant, which the device gets the tokens of when it
// asks next. Until then it ends with whatever ends the person's grants.
func (p *Provider) allowDevice(ctx context.Context, st *StoredDevice, client *fositeClient, s *BrowserSession, e identity.Event) error {
	stored, err := p.sessionFor(client, s).Encode()
	if err != nil {
		return err
	}
	d, now, hash := &st.Device, p.options.Now(), Hash(st.Device.Hash)
	g := &GrantRecord{
		ID: secret.ID(), ClientID: client.ID, Subject: s.Subject, Origin: grantDevice, Scopes: d.Scopes, Audience: d.Audience,
		Session: stored, Connector: s.Connector, AuthTime: s.AuthTime, CreatedAt: now, ExpiresAt: d.ExpiresAt,
	}
	e.GrantID = g.ID
	return p.options.Storage.Issue(ctx, &Issue{
		GrantID: g.ID, NewGrant: g, AllowDevice: &hash, Browser: &s.Hash, SID: s.ID, Events: []identity.Event{e},
		Consent: &Consent{Subject: s.Subject, ClientID: client.ID, Scopes: d.Scopes, GivenAt: now},
	})
}
