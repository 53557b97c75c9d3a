package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"keyway/provider/claims"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/redirect"
	"keyway/provider/wire"
)

// Limits of an authorization request, in bytes.
const (
	maxAuthorization = 16 << 10
	maxState         = 4 << 10
	maxNonce         = 1 << 10
)

// The values of response_mode, and those of prompt.
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeFormPost = "form_post"

	promptNone    = "none"
	promptLogin   = "login"
	promptConsent = "consent"
	promptSelect  = "select_account"
)

func responseModes() []string { return []string{modeQuery, modeFragment, modeFormPost} }

func prompts() []string { return []string{promptNone, promptLogin, promptConsent, promptSelect} }

// pageACR is the one authentication context of the login page.
const pageACR = "urn:keyway:password"

// authorization is an authorization request (RFC 6749, section 4.1.1; OpenID
// Connect Core 1.0, section 3.1.2.1) that was judged by all that it says
// itself.
type authorization struct {
	client   *fositeClient
	values   url.Values
	returnTo string // where the answer goes
	mode     string
	scopes   []string
	audience []string
	prompt   []string
	maxAge   time.Duration // negative: any age will do
	subject  string        // who must be signed in; "" for anybody
	// What the parameter claims names for the ID token and for userinfo.
	idClaims, userClaims []string
}

// replyError is an error that goes back to the client (RFC 6749, section
// 4.1.2.1).
type replyError struct {
	code  string
	cause error
}

func (e *replyError) Error() string { return e.code }

func (e *replyError) Unwrap() error { return e.cause }

func reply(code, cause string) error { return &replyError{code: code, cause: errors.New(cause)} }

// parseAuthorization reads a request. Where it returns a [*replyError], it
// returns enough of the request to answer; every other error is for the
// person at the browser, who must not be sent anywhere.
func (p *Provider) parseAuthorization(ctx context.Context, query string) (*authorization, error) {
	if len(query) > maxAuthorization {
		return nil, &wire.Error{Status: http.StatusRequestURITooLong, Code: "invalid_request", Description: "The request is too long."}
	}
	values, formErr := wire.ParseForm(query)
	if formErr != nil {
		var err error
		if values, err = url.ParseQuery(query); err != nil {
			return nil, formErr
		}
		for _, name := range []string{"client_id", "redirect_uri"} {
			if len(values[name]) != 1 {
				return nil, formErr
			}
		}
	}
	a := &authorization{values: values, maxAge: -1}
	if err := p.findReturn(ctx, a); err != nil {
		return nil, err
	}
	if formErr != nil {
		if len(values["state"]) != 1 {
			values.Del("state")
		}
		values.Del("response_mode")
		a.mode = modeQuery
		return a, &replyError{code: "invalid_request", cause: formErr}
	}
	for _, judge := range []func(context.Context, *authorization) error{
		judgeMode, judgeShape, judgePKCE, judgeScopes, judgePrompt, p.judgeHint, judgeClaims,
	} {
		if err := judge(ctx, a); err != nil {
			return a, err
		}
	}
	return a, nil
}

// findReturn finds the client and where its answer goes. Until that is known
// to be the client's, nobody is redirected.
func (p *Provider) findReturn(ctx context.Context, a *authorization) error {
	client, err := p.liveClient(ctx, a.values.Get("client_id"))
	switch {
	case errors.Is(err, identity.ErrNotFound), err == nil && client.Internal():
		return &wire.Error{Status: http.StatusBadRequest, Code: "unknown_client", Cause: errors.New("client is unknown, disabled or internal")}
	case err != nil:
		return err
	}
	a.client = client
	asked := a.values.Get("redirect_uri")
	switch {
	case asked != "" && redirect.Match(client.RedirectURIs, asked):
		a.returnTo = asked
	case asked == "" && len(client.RedirectURIs) == 1 && !contains(strings.Fields(a.values.Get("scope")), scopeOpenID):
		a.returnTo = client.RedirectURIs[0] // RFC 6749, section 3.1.2.3
	default:
		return &wire.Error{Status: http.StatusBadRequest, Code: "invalid_redirect_uri", Cause: errors.New("redirect_uri is not one of the client's")}
	}
	return nil
}

func judgeMode(_ context.Context, a *authorization) error {
	a.mode = modeQuery
	switch mode := a.values.Get("response_mode"); {
	case mode == "":
	case !contains(responseModes(), mode):
		return reply("invalid_request", "response_mode is not supported")
	case mode == modeFormPost && !strings.HasPrefix(a.returnTo, "https://") && !strings.HasPrefix(a.returnTo, "http://"):
		return reply("invalid_request", "response_mode form_post needs an http or https redirect_uri")
	default:
		a.mode = mode
	}
	return nil
}

// judgeShape refuses by name what is not supported, rather than half ignore it.
func judgeShape(_ context.Context, a *authorization) error {
	v := a.values
	responseType := v.Get("response_type")
	switch {
	case v.Get("request") != "": // an empty parameter is none (RFC 6749, section 3.1)
		return reply("request_not_supported", "request objects are not supported")
	case v.Get("request_uri") != "":
		return reply("request_uri_not_supported", "request objects are not supported")
	case v.Get("registration") != "":
		return reply("registration_not_supported", "self-issued clients are not supported")
	case responseType == "":
		return reply("invalid_request", "response_type is missing")
	case responseType != "code":
		return reply("unsupported_response_type", "response_type is not code")
	case !a.client.mayUse(grantCode):
		return reply("unauthorized_client", "the client may not use authorization codes")
	case len(v.Get("state")) > maxState:
		v.Del("state")
		return reply("invalid_request", "state is too long")
	case len(v.Get("nonce")) > maxNonce:
		return reply("invalid_request", "nonce is too long")
	}
	return nil
}

// judgePKCE demands a challenge of everybody (RFC 9700, section 2.1.1).
func judgePKCE(_ context.Context, a *authorization) error {
	challenge := a.values.Get("code_challenge")
	sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	switch {
	case challenge == "":
		return reply("invalid_request", "code_challenge is missing")
	case a.values.Get("code_challenge_method") != pkceS256:
		return reply("invalid_request", "code_challenge_method is not S256")
	case err != nil || len(sum) != len(Hash{}):
		return reply("invalid_request", "code_challenge is not the base64url of a SHA-256")
	}
	return nil
}

// judgeScopes grants what the client may ask for, or, when it asks for
// nothing, all of that but offline access.
func judgeScopes(_ context.Context, a *authorization) error {
	asked := strings.Fields(a.values.Get("scope"))
	if len(asked) == 0 {
		asked = slices.DeleteFunc(slices.Clone(a.client.Scopes), func(s string) bool { return s == scopeOffline })
	}
	for _, s := range asked {
		switch {
		case !contains(a.client.Scopes, s):
			return reply("invalid_scope", "a scope is not one of the client's")
		case s == scopeOffline && !a.client.mayUse(grantRefresh), contains(a.scopes, s):
		default:
			a.scopes = append(a.scopes, s)
		}
	}
	a.audience = a.client.Audience
	if targets := slices.Concat(a.values["resource"], a.values["audience"]); len(targets) > 0 {
		if a.audience = targets; slices.ContainsFunc(targets, func(t string) bool { return !contains(a.client.Audience, t) }) {
			return reply("invalid_target", "a resource is not one of the client's")
		}
	}
	return nil
}

func judgePrompt(_ context.Context, a *authorization) error {
	a.prompt = strings.Fields(a.values.Get("prompt"))
	for _, v := range a.prompt {
		if !contains(prompts(), v) || v == promptNone && len(a.prompt) > 1 {
			return reply("invalid_request", "prompt is unknown or contradicts itself")
		}
	}
	if a.values.Get("max_age") == "" {
		return nil
	}
	seconds, err := strconv.ParseUint(a.values.Get("max_age"), 10, 31)
	if err != nil {
		return reply("invalid_request", "max_age is not a number of seconds")
	}
	a.maxAge = time.Duration(seconds) * time.Second
	return nil
}

func (p *Provider) judgeHint(_ context.Context, a *authorization) error {
	hint := a.values.Get("id_token_hint")
	if hint == "" {
		return nil
	}
	said, err := p.readHint(hint)
	if err != nil {
		return &replyError{code: "invalid_request", cause: err}
	}
	a.subject = said.subject
	return nil
}

// hintClaims are what an id_token_hint says.
type hintClaims struct {
	subject, client, sid string
}

// readHint reads an ID token that we issued, however long ago, with any key
// that is still published.
func (p *Provider) readHint(hint string) (hintClaims, error) {
	t, err := p.keys.Verify(hint)
	if err != nil {
		return hintClaims{}, fmt.Errorf("id_token_hint is not a token of ours: %w", err)
	}
	var said struct {
		Issuer   string          `json:"iss"`
		Subject  string          `json:"sub"`
		SID      string          `json:"sid"`
		Audience json.RawMessage `json:"aud"`
	}
	if err := json.Unmarshal(t.Payload, &said); err != nil || t.Type != "" && t.Type != "JWT" || said.Issuer != p.options.Issuer {
		return hintClaims{}, errors.New("id_token_hint is not an ID token of ours")
	}
	h := hintClaims{subject: said.Subject, sid: said.SID}
	var several []string
	if json.Unmarshal(said.Audience, &h.client) != nil && json.Unmarshal(said.Audience, &several) == nil && len(several) == 1 {
		h.client = several[0]
	}
	if h.subject == "" || h.client == "" {
		return hintClaims{}, errors.New("id_token_hint has no subject or no client")
	}
	return h, nil
}

// judgeClaims reads the parameter claims. A client learns of no claim that it
// could not also ask for by a scope.
func judgeClaims(_ context.Context, a *authorization) error {
	if !contains(a.scopes, scopeOpenID) {
		return nil
	}
	asked, err := claims.Parse(a.values.Get("claims"))
	if err != nil {
		return &replyError{code: "invalid_request", cause: err}
	}
	a.idClaims, a.userClaims = claims.Allowed(asked.IDToken, a.client.Scopes), claims.Allowed(asked.Userinfo, a.client.Scopes)
	subject, err := asked.Subject()
	switch {
	case err != nil, subject != "" && a.subject != "" && a.subject != subject:
		return reply("invalid_request", "the subject that is asked for contradicts itself")
	case subject != "":
		a.subject = subject
	}
	if !asked.Accepts(pageACR) {
		return reply("unmet_authentication_requirements", "an essential acr is not one of ours")
	}
	return nil
}

// consented are the scopes that the person is asked about: those that are
// granted, and those that single claims are of.
func (a *authorization) consented() []string {
	all := slices.Clone(a.scopes)
	for _, name := range slices.Concat(a.idClaims, a.userClaims) {
		if s := claims.ScopeOf(name); !contains(all, s) {
			all = append(all, s)
		}
	}
	return all
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
	return pages.Visit{Locales: a.values.Get("ui_locales"), ClientName: name, RedirectURI: a.returnTo}
}
