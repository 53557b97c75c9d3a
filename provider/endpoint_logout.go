package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"keyway/provider/account"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/logout"
	"keyway/provider/pages"
	"keyway/provider/redirect"
	"keyway/provider/request"
	"keyway/provider/wire"
)

// farewell is a logout request (OpenID Connect RP-Initiated Logout 1.0, section
// 2) that was judged by all that it says itself.
type farewell struct {
	hint    hintClaims
	client  *fositeClient // who asks; nil where nobody said
	uri     string        // where the browser goes afterwards; "" for our own page
	state   string
	locales string
}

// serveLogout ends the session of the browser. Without an id_token_hint of the
// person who is signed in, it asks first: another site may have sent them.
func (p *Provider) serveLogout(c *gin.Context) error {
	wire.NoStore(c)
	var values url.Values
	var err error
	switch c.Request.Method {
	case http.MethodGet, http.MethodHead:
		if values, err = wire.ParseForm(c.Request.URL.RawQuery); err != nil {
			return err
		}
	case http.MethodPost:
		body, err := wire.ReadForm(c)
		if err != nil {
			return err
		}
		if values, err = wire.ParseForm(body); err != nil {
			return err
		}
		if !values.Has("csrf") {
			return p.logoutByPost(c, values)
		}
	default:
		return wire.MethodNotAllowed("GET, HEAD, POST")
	}
	f, err := p.parseFarewell(c.Request.Context(), values)
	if err != nil {
		return err
	}
	s, err := p.visits.Session(c)
	if err != nil {
		return err
	}
	switch {
	case s == nil:
		return p.leave(c, f, nil)
	case values.Has("csrf"):
		return p.confirmLogout(c, f, s, values)
	case f.client != nil && f.hint.subject == p.subjectFor(f.client, s.Subject):
		frames, err := p.visits.SignOut(c, s)
		if err != nil {
			return err
		}
		return p.leave(c, f, frames)
	}
	return p.askLogout(c, f, s)
}

// logoutByPost makes a GET of what another site posted, as [Provider.postedToQuery].
func (p *Provider) logoutByPost(c *gin.Context, values url.Values) error {
	query := values.Encode()
	if len(query) > request.MaxQuery {
		return &wire.Error{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: "The body is too large."}
	}
	c.Redirect(http.StatusSeeOther, p.url(pathLogout)+"?"+query)
	return nil
}

// parseFarewell judges who asks and where they want to go. A browser is sent to
// no URI but those that the client registered for this very purpose.
func (p *Provider) parseFarewell(ctx context.Context, values url.Values) (*farewell, error) {
	f := &farewell{state: values.Get("state"), locales: values.Get("ui_locales")}
	id := values.Get("client_id")
	if hint := values.Get("id_token_hint"); hint != "" {
		var err error
		if f.hint, err = p.readHint(hint); err != nil {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: err}
		}
		if id != "" && id != f.hint.client {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: errors.New("the hint is of another client")}
		}
		id = f.hint.client
	}
	if id != "" {
		client, err := p.liveClient(ctx, id)
		if errors.Is(err, identity.ErrNotFound) || err == nil && client.Internal() {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "unknown_client", Cause: errors.New("client is unknown, disabled or internal")}
		}
		if err != nil {
			return nil, err
		}
		f.client = client
	}
	uri := values.Get("post_logout_redirect_uri")
	switch {
	case uri == "" || f.client == nil: // a URI that nobody vouches for is not gone to
	case slices.Contains(f.client.PostLogoutRedirectURIs, uri):
		f.uri = uri
	default:
		return nil, &wire.Error{Status: http.StatusBadRequest, Code: "invalid_redirect_uri", Cause: fmt.Errorf("post_logout_redirect_uri is not one of those of client %q", f.client.ID)}
	}
	return f, nil
}

func (f *farewell) visit() pages.Visit {
	v := pages.Visit{Locales: f.locales, RedirectURI: f.uri}
	if f.client != nil {
		if v.ClientName = f.client.Name; v.ClientName == "" {
			v.ClientName = f.client.ID
		}
	}
	return v
}

func (p *Provider) askLogout(c *gin.Context, f *farewell, s *BrowserSession) error {
	user, err := p.pageUser(c.Request.Context(), s)
	if err != nil {
		return err
	}
	page := &pages.LogoutPage{Visit: f.visit(), User: user}
	page.Form = pages.Form{Action: p.path(pathLogout), CSRF: p.visits.FormToken(c, pathLogout, s)}
	if f.client != nil {
		page.Hidden = append(page.Hidden, pages.Field{Name: "client_id", Value: f.client.ID})
	}
	if f.uri != "" {
		page.Hidden = append(page.Hidden, pages.Field{Name: "post_logout_redirect_uri", Value: f.uri})
	}
	if f.state != "" {
		page.Hidden = append(page.Hidden, pages.Field{Name: "state", Value: f.state})
	}
	return p.options.Pages.Render(c, http.StatusOK, page)
}

// confirmLogout does what the person at the page decided.
func (p *Provider) confirmLogout(c *gin.Context, f *farewell, s *BrowserSession, values url.Values) error {
	if err := p.visits.CheckForm(c, pathLogout, values.Get("csrf"), s); err != nil {
		return err
	}
	if values.Get("decision") != "logout" {
		c.Redirect(http.StatusSeeOther, p.url(account.Path))
		return nil
	}
	frames, err := p.visits.SignOut(c, s)
	if err != nil {
		return err
	}
	return p.leave(c, f, frames)
}

// leave answers somebody who is signed out. Where clients are to hear of it in the
// browser, a page stands between, which goes on by itself.
func (p *Provider) leave(c *gin.Context, f *farewell, frames []string) error {
	to := f.uri
	if to != "" && f.state != "" {
		to = redirect.WithQuery(to, url.Values{"state": {f.state}})
	}
	if to == "" || len(frames) > 0 {
		return p.options.Pages.Render(c, http.StatusOK, &pages.LoggedOutPage{Visit: f.visit(), Frames: frames, Continue: to})
	}
	seeOther(c, to)
	return nil
}

// newDelivery returns nil where nothing is called.
func (p *Provider) newDelivery() (*logout.Delivery, error) {
	o := &p.options
	if o.Outbound == nil {
		return nil, nil
	}
	return logout.New(logout.Options{
		Issuer: o.Issuer, Queue: o.Storage, Addressee: p.notify, Sign: p.keys.Sign, Post: o.Outbound, Now: o.Now, Log: o.Log,
	})
}

// notify is how a client is told of a sign-out; nil where it does not want to
// be told any more.
func (p *Provider) notify(ctx context.Context, n *logout.Notice) (*logout.Addressee, error) {
	c, err := p.liveClient(ctx, n.ClientID)
	if errors.Is(err, identity.ErrNotFound) || err == nil && c.BackchannelLogoutURI == "" {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	to := &logout.Addressee{URI: c.BackchannelLogoutURI, Subject: p.subjectFor(c, n.Subject), SID: p.subjectFor(c, n.SID), Alg: c.IDTokenAlg}
	if to.Alg == "" {
		to.Alg = keys.RS256
	}
	return to, nil
}
