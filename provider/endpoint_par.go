package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/request"
	"keyway/provider/secret"
	"keyway/provider/wire"
)

const (
	pathPushed   = "/oauth2/par"
	pushedPrefix = "urn:ietf:params:oauth:request_uri:" // RFC 9126, section 2.2
)

// pushedResponse is the answer to a pushed request (RFC 9126, section 2.2).
type pushedResponse struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int    `json:"expires_in"` // seconds
}

// servePushed is the pushed authorization request endpoint (RFC 9126): the
// client authenticates and its request is judged before any browser is there.
func (p *Provider) servePushed(c *gin.Context) error {
	client, form, err := p.caller(c)
	if err != nil {
		return err
	}
	ctx := c.Request.Context()
	a, err := p.judgePushed(ctx, client, form)
	var refused *request.Error
	if errors.As(err, &refused) {
		return wire.Of(refused.Code, refused.Cause)
	}
	if err == nil {
		err = p.binder.Pushed(c, pathPushed, a.Values)
	}
	if err != nil {
		return err
	}
	uri := secret.Token(pushedPrefix)
	r := &PushedRequest{
		Hash: HashToken(uri), ClientID: client.ID, Query: a.Values.Encode(), ExpiresAt: p.options.Now().Add(p.options.Lifetimes.Pushed),
	}
	if client.Public() {
		r.Source = p.visits.Source(c)
	}
	if err := p.options.Storage.AddPushed(ctx, r); err != nil {
		return wire.Outage(err)
	}
	wire.NoStore(c)
	wire.WriteJSON(c, http.StatusCreated, pushedResponse{RequestURI: uri, ExpiresIn: int(p.options.Lifetimes.Pushed.Seconds())})
	return nil
}

// judgePushed judges a pushed request as if a browser had brought it. What the
// client authenticated with is left out.
func (p *Provider) judgePushed(ctx context.Context, client *fositeClient, form url.Values) (*authorization, error) {
	if form.Has("request_uri") {
		return nil, reply("invalid_request", "a pushed request must not refer to another one")
	}
	values := request.Known(form)
	values.Set("client_id", client.ID)
	values, err := p.openObject(ctx, client, values)
	if err != nil {
		return nil, err
	}
	a, err := p.judge(client, values)
	if w := (*wire.Error)(nil); errors.As(err, &w) && w.Code == "invalid_redirect_uri" {
		err = &wire.Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: "The redirect_uri is not one of the client's.", Cause: w.Cause}
	}
	return a, err
}

// findPushed returns the parameters that a client of ours pushed.
func (p *Provider) findPushed(ctx context.Context, client *fositeClient, uri string) (url.Values, *Hash, error) {
	r, err := p.options.Storage.FindPushed(ctx, HashToken(uri))
	switch {
	case errors.Is(err, identity.ErrNotFound), err == nil && r.ClientID != client.ID:
		return nil, nil, reply("invalid_request_uri", "the request_uri is unknown, expired, used or another client's")
	case err != nil:
		return nil, nil, wire.Outage(err)
	}
	values, err := url.ParseQuery(r.Query)
	return values, &r.Hash, err
}
