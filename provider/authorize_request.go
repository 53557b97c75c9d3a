package provider

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/request"
	"keyway/provider/requestobject"
	"keyway/provider/wire"
)

// pageACR is the authentication context of the login page.
const pageACR = "urn:keyway:password"

// offer is what authorization requests are judged by.
func (p *Provider) offer() request.Offer {
	o := request.Offer{
		Prompts:     []string{request.PromptNone, request.PromptLogin, request.PromptConsent, request.PromptSelect},
		DetailTypes: p.options.DetailTypes, ACRs: p.contexts(),
	}
	if p.options.SignUpURL != "" {
		o.Prompts = append(o.Prompts, request.PromptCreate)
	}
	return o
}

// authorization is an authorization request (RFC 6749, section 4.1.1; OpenID
// Connect Core 1.0, section 3.1.2.1) that was judged by all that it says
// itself.
type authorization struct {
	*request.Request
	client *fositeClient
	pushed *Hash // of the request_uri that it was pushed under
}

func reply(code, cause string) error { return request.Refuse(code, cause) }

// readAuthorization reads a request as a browser brings it. Where it returns a
// [*request.Error], it returns enough of the request to answer; every other
// error is for the person at the browser, who must not be sent anywhere.
func (p *Provider) readAuthorization(ctx context.Context, query string) (*authorization, error) {
	values, formErr := request.Read(query)
	if values == nil {
		return nil, formErr
	}
	client, err := p.authorizingClient(ctx, values)
	if err != nil {
		return nil, err
	}
	if formErr != nil {
		return turnAway(client, values, &request.Error{Code: "invalid_request", Cause: formErr})
	}
	carried, pushed, err := p.expand(ctx, client, values)
	var refused *request.Error
	if errors.As(err, &refused) {
		return turnAway(client, values, refused)
	}
	if err != nil {
		return nil, err
	}
	a, err := p.judge(client, carried)
	if a != nil {
		a.pushed = pushed
	}
	return a, err
}

// turnAway refuses a request before it is judged.
func turnAway(client *fositeClient, values url.Values, err *request.Error) (*authorization, error) {
	returnTo, ok := request.Return(client.Client, values)
	if !ok {
		return nil, wire.Of(err.Code, err.Cause)
	}
	return &authorization{Request: request.Answerable(values, returnTo), client: client}, err
}

// authorizingClient finds the client of a request.
func (p *Provider) authorizingClient(ctx context.Context, values url.Values) (*fositeClient, error) {
	client, err := p.liveClient(ctx, values.Get("client_id"))
	if errors.Is(err, identity.ErrNotFound) || err == nil && client.Internal() {
		return nil, &wire.Error{Status: http.StatusBadRequest, Code: "unknown_client", Cause: errors.New("client is unknown, disabled or internal")}
	}
	return client, err
}

// expand returns the parameters that the client carries elsewhere than in the
// query. A URI that leads elsewhere is never followed; beside one of ours nothing
// else counts but client_id (RFC 9126, section 4).
func (p *Provider) expand(ctx context.Context, client *fositeClient, values url.Values) (url.Values, *Hash, error) {
	uri := values.Get("request_uri")
	switch {
	case uri != "" && values.Has("request"):
		return nil, nil, reply("invalid_request", "request and request_uri exclude each other")
	case strings.HasPrefix(uri, pushedPrefix):
		return p.findPushed(ctx, client, uri)
	case uri != "":
		return nil, nil, reply("request_uri_not_supported", "request_uri is not ours")
	case client.RequirePushed:
		return nil, nil, reply("invalid_request", "the client has to push its requests")
	}
	opened, err := p.openObject(ctx, client, values)
	return opened, nil, err
}

// openObject verifies a request object (RFC 9101), which replaces what is
// beside it.
func (p *Provider) openObject(ctx context.Context, client *fositeClient, values url.Values) (url.Values, error) {
	object := values.Get("request")
	switch {
	case object == "" && client.RequireRequestObject:
		return nil, reply("invalid_request", "the client has to sign its requests")
	case object == "":
		return values, request.CheckSize(values, request.MaxPlain)
	}
	set, err := p.clientKeys(ctx, client, object)
	if err != nil {
		return nil, err
	}
	signed, err := requestobject.Parse(object, requestobject.Expected{
		Keys: set, Algorithm: client.RequestObjectAlg, Client: client.ID, Issuer: p.options.Issuer, Now: p.options.Now(),
	})
	if err != nil {
		return nil, &request.Error{Code: "invalid_request_object", Cause: err}
	}
	return request.Replace(values, signed)
}

// judge judges parameters that are all there.
func (p *Provider) judge(client *fositeClient, values url.Values) (*authorization, error) {
	returnTo, ok := request.Return(client.Client, values)
	if !ok {
		return nil, &wire.Error{Status: http.StatusBadRequest, Code: "invalid_redirect_uri", Cause: fmt.Errorf("redirect_uri is not one of those of client %q", client.ID)}
	}
	r, err := request.Judge(client.Client, returnTo, values, p.offer())
	a := &authorization{Request: r, client: client}
	if err == nil {
		err = p.judgeHint(a)
	}
	return a, err
}

func (p *Provider) judgeHint(a *authorization) error {
	hint := a.Values.Get("id_token_hint")
	if hint == "" {
		return nil
	}
	said, err := p.keys.Hint(p.options.Issuer, hint)
	switch {
	case err != nil:
		return &request.Error{Code: "invalid_request", Cause: err}
	case a.Subject != "" && a.Subject != said.Subject:
		return reply("invalid_request", "the subject that is asked for contradicts itself")
	}
	a.Subject = said.Subject
	return nil
}

// visit is what the pages say of the request.
func (a *authorization) visit() pages.Visit {
	if a == nil {
		return pages.Visit{}
	}
	name := a.client.Name
	if name == "" {
		name = a.client.ID
	}
	return pages.Visit{
		Locales: a.Values.Get("ui_locales"), ClientName: name, RedirectURI: a.ReturnTo, Unvouched: a.client.Dynamic(),
		Links: pages.LinksOf(a.client.ClientURI, a.client.PolicyURI, a.client.TermsURI),
	}
}
