package request

import (
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"keyway/provider/claims"
	"keyway/provider/client"
	"keyway/provider/details"
	"keyway/provider/redirect"
	"keyway/provider/response"
	"keyway/provider/wire"
)

// Limits of an authorization request, in bytes.
const (
	MaxQuery   = 16 << 10 // of what is parsed at all
	MaxPlain   = 4 << 10  // of the parameters that we know, in a query
	MaxCarried = 8 << 10  // of those in a request object, or pushed
	MaxState   = 2 << 10
	MaxNonce   = 1 << 10
)

// The values of prompt.
const (
	PromptNone    = "none"
	PromptLogin   = "login"
	PromptConsent = "consent"
	PromptSelect  = "select_account"
	PromptCreate  = "create" // Initiating User Registration via OpenID Connect 1.0
)

// Error is an error that goes back to the client (RFC 6749, section 4.1.2.1).
// Its text is its code; Cause is for the log.
type Error struct {
	Code  string
	Text  string // for who writes the client; of our own words alone, "" for none
	Cause error
}

// Error is the code.
func (e *Error) Error() string { return e.Code }

// Unwrap is the cause, for the log.
func (e *Error) Unwrap() error { return e.Cause }

// Refuse returns an [*Error] that says why. The text must quote nothing of the
// request.
func Refuse(code, text string) error {
	return &Error{Code: code, Text: text, Cause: errors.New(text)}
}

// Offer is what of the provider a request is judged by.
type Offer struct {
	Prompts     []string // that are offered
	DetailTypes []string // of authorization_details that are offered; a client may use those that it registered, too
	ACRs        []string // our authentication contexts, the plainest first
}

// Details are the types of authorization_details that the client may use.
func (o Offer) Details(c *client.Client) []string {
	return slices.DeleteFunc(slices.Clone(c.DetailTypes), func(s string) bool { return !slices.Contains(o.DetailTypes, s) })
}

// Request is a request that was judged.
type Request struct {
	Values   url.Values // the parameters that we know and that have a value
	ReturnTo string     // where the answer goes
	Mode     response.Mode
	Scopes   []string
	Audience []string
	Prompt   []string
	MaxAge   time.Duration // negative: any age will do
	Subject  string        // who must be signed in; "" for anybody
	Details  details.List
	// ACR is that of our authentication contexts which the request wants most, "" where
	// it does not care; OnlyACR says that no other one will do.
	ACR     string
	OnlyACR bool
	// What the parameter claims names for the ID token and for userinfo.
	IDClaims, UserClaims []string
}

// parameters are those that we know. Nothing else is kept of a request.
func parameters() []string {
	return []string{
		"client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "display", "prompt", "max_age", "ui_locales",
		"claims_locales", "id_token_hint", "login_hint", "acr_values", "claims", "registration", "request", "request_uri", "code_challenge",
		"code_challenge_method", "resource", "audience", "authorization_details", "dpop_jkt", "connector",
	}
}

// Known are the parameters that we know and that have a value: one without is
// as one that is left out (RFC 6749, section 3.1).
func Known(values url.Values) url.Values {
	known := url.Values{}
	for _, name := range parameters() {
		for _, v := range values[name] {
			if v != "" {
				known.Add(name, v)
			}
		}
	}
	return known
}

// Read reads a query. Where it returns an error and values, they are enough to
// send the error to the client; what is repeated is missing in them.
func Read(query string) (url.Values, error) {
	if len(query) > MaxQuery {
		return nil, &wire.Error{Status: 414, Code: "invalid_request", Description: "The request is too long."}
	}
	values, err := wire.ParseForm(query)
	if err == nil {
		return Known(values), nil
	}
	values, parseErr := url.ParseQuery(query)
	if parseErr != nil || len(values["client_id"]) != 1 || len(values["redirect_uri"]) != 1 {
		return nil, err
	}
	for name, all := range values {
		if len(all) > 1 {
			values.Del(name)
		}
	}
	return Known(values), err
}

// CheckSize returns an [*Error] where the parameters are more than limit bytes
// together.
func CheckSize(values url.Values, limit int) error {
	if len(values.Encode()) > limit {
		return Refuse("invalid_request", "the parameters are too long")
	}
	return nil
}

// Replace returns the parameters of a request object, which replace those beside
// it wholly (RFC 9101, section 6.3). What both say has to be the same of the
// client and of the response type (OpenID Connect Core 1.0, section 6.1). The
// error is an [*Error].
func Replace(beside, signed url.Values) (url.Values, error) {
	for _, name := range []string{"client_id", "response_type"} {
		if signed.Has(name) && beside.Has(name) && signed.Get(name) != beside.Get(name) {
			return nil, Refuse("invalid_request_object", "the request object contradicts the parameters beside it")
		}
	}
	values := Known(signed)
	values.Set("client_id", beside.Get("client_id"))
	return values, CheckSize(values, MaxCarried)
}

// Return is where the answer to the client goes; false where that is none of
// its URIs, so that nobody may be redirected.
func Return(c *client.Client, values url.Values) (string, bool) {
	asked := values.Get("redirect_uri")
	switch {
	case asked != "" && redirect.Match(c.RedirectURIs, asked, c.Public()):
		return asked, true
	case asked == "" && len(c.RedirectURIs) == 1 && !slices.Contains(strings.Fields(values.Get("scope")), claims.OpenID):
		return c.RedirectURIs[0], true // RFC 6749, section 3.1.2.3
	}
	return "", false
}

// Consented are the scopes that the person is asked about: those that are
// granted, and those that single claims are of.
func (r *Request) Consented() []string {
	all := slices.Clone(r.Scopes)
	for _, name := range slices.Concat(r.IDClaims, r.UserClaims) {
		if s := claims.ScopeOf(name); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// Asks reports whether prompt has the value.
func (r *Request) Asks(prompt string) bool { return slices.Contains(r.Prompt, prompt) }

// Stale reports whether a sign-in is older than max_age.
func (r *Request) Stale(authTime, now time.Time) bool {
	return r.MaxAge >= 0 && now.Sub(authTime) > r.MaxAge || r.MaxAge == 0
}
