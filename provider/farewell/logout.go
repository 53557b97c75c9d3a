package farewell

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/gin-gonic/gin"

	"keyway/provider/client"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/pages"
	"keyway/provider/redirect"
	"keyway/provider/request"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

// asked is a logout request (OpenID Connect RP-Initiated Logout 1.0, section
// 2) that was judged by all that it says itself.
type asked struct {
	hint    keys.Hint
	client  *client.Client // who asks; nil where nobody said
	uri     string         // where the browser goes afterwards; "" for our own page
	state   string
	locales string
}

// Serve ends the session of the browser. Without an id_token_hint of the
// person who is signed in, it asks first: another site may have sent them.
func (e *Endpoint) Serve(c *gin.Context) error {
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
			return e.posted(c, values)
		}
	default:
		return wire.MethodNotAllowed("GET, HEAD, POST")
	}
	f, err := e.parse(c.Request.Context(), values)
	if err != nil {
		return err
	}
	s, err := e.options.Visits.Kept(c)
	if err != nil {
		return err
	}
	switch {
	case s == nil:
		return e.leave(c, f, f.goesTo(), nil)
	case values.Has("csrf"):
		return e.confirm(c, f, s, values)
	case f.client != nil && f.hint.Subject == e.options.Subject(f.client, s.Subject):
		return e.signOut(c, f, s)
	}
	return e.ask(c, f, s)
}

// posted makes a GET of what another site posted, for only with that will the
// browser send its cookies (SameSite=Lax).
func (e *Endpoint) posted(c *gin.Context, values url.Values) error {
	query := values.Encode()
	if len(query) > request.MaxQuery {
		return &wire.Error{Status: http.StatusRequestEntityTooLarge, Code: "invalid_request", Description: "The body is too large."}
	}
	c.Redirect(http.StatusSeeOther, e.options.Issuer+Path+"?"+query)
	return nil
}

// parse judges who asks and where they want to go. A browser is sent to
// no URI but those that the client registered for this very purpose.
func (e *Endpoint) parse(ctx context.Context, values url.Values) (*asked, error) {
	f := &asked{state: values.Get("state"), locales: values.Get("ui_locales")}
	id := values.Get("client_id")
	if hint := values.Get("id_token_hint"); hint != "" {
		var err error
		if f.hint, err = e.options.Hint(hint); err != nil {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: err}
		}
		if id != "" && id != f.hint.Client {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "invalid_request", Cause: errors.New("the hint is of another client")}
		}
		id = f.hint.Client
	}
	if id != "" {
		known, err := e.options.Client(ctx, id)
		if errors.Is(err, identity.ErrNotFound) || err == nil && known.Internal() {
			return nil, &wire.Error{Status: http.StatusBadRequest, Code: "unknown_client", Cause: errors.New("client is unknown, disabled or internal")}
		}
		if err != nil {
			return nil, err
		}
		f.client = known
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

// goesTo is where the browser goes with what the client wants back; "" for our own
// page.
func (f *asked) goesTo() string {
	if f.uri != "" && f.state != "" {
		return redirect.WithQuery(f.uri, url.Values{"state": {f.state}})
	}
	return f.uri
}

func (f *asked) visit() pages.Visit {
	v := pages.Visit{Locales: f.locales, RedirectURI: f.uri}
	if f.client != nil {
		if v.ClientName = f.client.Name; v.ClientName == "" {
			v.ClientName = f.client.ID
		}
	}
	return v
}

func (e *Endpoint) ask(c *gin.Context, f *asked, s *storage.BrowserSession) error {
	user, err := e.options.Person(c.Request.Context(), s)
	if err != nil {
		return err
	}
	page := &pages.LogoutPage{Visit: f.visit(), User: user}
	page.Form = pages.Form{Action: e.options.Base + Path, CSRF: e.options.Visits.FormToken(c, Path, s)}
	if s.Connector != "" {
		page.Schemes = federation.Schemes(e.options.Issuer)
	}
	if f.client != nil {
		page.Hidden = append(page.Hidden, pages.Field{Name: "client_id", Value: f.client.ID})
	}
	if f.uri != "" {
		page.Hidden = append(page.Hidden, pages.Field{Name: "post_logout_redirect_uri", Value: f.uri})
	}
	if f.state != "" {
		page.Hidden = append(page.Hidden, pages.Field{Name: "state", Value: f.state})
	}
	return e.options.Pages.Render(c, http.StatusOK, page)
}

// confirm does what the person at the page decided.
func (e *Endpoint) confirm(c *gin.Context, f *asked, s *storage.BrowserSession, values url.Values) error {
	if err := e.options.Visits.CheckForm(c, Path, values.Get("csrf"), s); err != nil {
		return err
	}
	if values.Get("decision") != "logout" {
		c.Redirect(http.StatusSeeOther, e.options.AccountURL)
		return nil
	}
	return e.signOut(c, f, s)
}

func (e *Endpoint) signOut(c *gin.Context, f *asked, s *storage.BrowserSession) error {
	frames, err := e.options.Visits.SignOut(c, s)
	if err != nil {
		return err
	}
	to := f.goesTo()
	if up := e.options.Upstream(c, s, to); up != "" {
		to = up
	}
	return e.leave(c, f, to, frames)
}

// Leave answers somebody whose session was s and who signed out of their own
// accord.
func (e *Endpoint) Leave(c *gin.Context, s *storage.BrowserSession, frames []string) error {
	to := e.options.Upstream(c, s, "")
	if to == "" && len(frames) == 0 {
		to = e.options.Issuer + Path
	}
	return e.leave(c, &asked{}, to, frames)
}

// leave answers somebody who is signed out, and goes on to a URI; "" for our own
// page. Where clients are to hear of it in the browser, a page stands between, which
// goes on by itself.
func (e *Endpoint) leave(c *gin.Context, f *asked, to string, frames []string) error {
	if to == "" || len(frames) > 0 {
		return e.options.Pages.Render(c, http.StatusOK, &pages.LoggedOutPage{Visit: f.visit(), Frames: frames, Continue: to})
	}
	wire.SeeOther(c, to)
	return nil
}
