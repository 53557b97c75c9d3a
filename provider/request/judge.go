package request

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"keyway/provider/claims"
	"keyway/provider/client"
	"keyway/provider/details"
	"keyway/provider/dpop"
	"keyway/provider/response"
	"keyway/provider/target"
)

// Judge judges the parameters of a client, whose answer goes to returnTo. The
// request that it returns is enough to answer, be there an error or not; the
// error is an [*Error].
func Judge(c *client.Client, returnTo string, values url.Values, offer Offer) (*Request, error) {
	tooLong := len(values.Get("state")) > MaxState
	r := Answerable(values, returnTo)
	if tooLong {
		return r, Refuse("invalid_request", "state is too long")
	}
	if _, ok := response.Parse(values.Get("response_mode"), values.Get("response_type"), returnTo); !ok {
		return r, Refuse("invalid_request", "response_mode is not supported, or does not fit")
	}
	for _, judge := range []func(*client.Client, *Request, Offer) error{
		judgeShape, judgePKCE, judgeScopes, judgeTargets, judgeDetails, judgePrompt, judgeContext, judgeClaims,
	} {
		if err := judge(c, r, offer); err != nil {
			return r, err
		}
	}
	return r, nil
}

// JudgeDevice judges what a device authorization request (RFC 8628, section 3.1)
// asks for: scopes and targets. Its errors are [*Error].
func JudgeDevice(c *client.Client, values url.Values) (*Request, error) {
	r := &Request{Values: values}
	if values.Get("authorization_details") != "" {
		return nil, Refuse("invalid_authorization_details", "authorization details are not for devices")
	}
	if err := judgeScopes(c, r, Offer{}); err != nil {
		return nil, err
	}
	if err := judgeTargets(c, r, Offer{}); err != nil {
		return nil, err
	}
	return r, nil
}

// Answerable is what an answer needs of a request that is not judged. A state
// that is too long is taken out of values.
func Answerable(values url.Values, returnTo string) *Request {
	if len(values.Get("state")) > MaxState {
		values.Del("state")
	}
	mode, _ := response.Parse(values.Get("response_mode"), values.Get("response_type"), returnTo)
	return &Request{Values: values, ReturnTo: returnTo, Mode: mode, MaxAge: -1}
}

// judgeShape refuses by name what is not supported, rather than half ignore it.
func judgeShape(c *client.Client, r *Request, _ Offer) error {
	responseType := r.Values.Get("response_type")
	switch {
	case r.Values.Has("registration"):
		return Refuse("registration_not_supported", "self-issued clients are not supported")
	case responseType == "":
		return Refuse("invalid_request", "response_type is missing")
	case responseType != "code":
		return Refuse("unsupported_response_type", "response_type is not code")
	case !slices.Contains(c.GrantTypes, client.GrantCode):
		return Refuse("unauthorized_client", "the client may not use authorization codes")
	case r.Values.Has("dpop_jkt") && !dpop.ValidThumbprint(r.Values.Get("dpop_jkt")):
		return Refuse("invalid_request", "dpop_jkt is not the thumbprint of a key")
	case len(r.Values.Get("nonce")) > MaxNonce:
		return Refuse("invalid_request", "nonce is too long")
	}
	return nil
}

// judgePKCE demands a challenge of everybody (RFC 9700, section 2.1.1), but for
// a confidential client that is exempt. One that is sent is judged, and binds.
func judgePKCE(c *client.Client, r *Request, _ Offer) error {
	challenge, method := r.Values.Get("code_challenge"), r.Values.Get("code_challenge_method")
	sum, err := base64.RawURLEncoding.Strict().DecodeString(challenge)
	switch {
	case challenge == "" && method == "" && c.PKCEOptional && !c.Public():
		return nil
	case challenge == "":
		return Refuse("invalid_request", "code_challenge is missing")
	case method != "S256":
		return Refuse("invalid_request", "code_challenge_method is not S256")
	case err != nil || len(sum) != sha256.Size:
		return Refuse("invalid_request", "code_challenge is not the base64url of a SHA-256")
	}
	return nil
}

// judgeScopes grants what the client may ask for, or, when it asks for
// nothing, all of that but offline access.
func judgeScopes(c *client.Client, r *Request, _ Offer) error {
	asked := strings.Fields(r.Values.Get("scope"))
	if len(asked) == 0 {
		asked = slices.DeleteFunc(slices.Clone(c.Scopes), func(s string) bool { return s == claims.Offline })
	}
	for _, s := range asked {
		switch {
		case !slices.Contains(c.Scopes, s):
			return Refuse("invalid_scope", "a scope is not one of the client's")
		case s == claims.Offline && !slices.Contains(c.GrantTypes, client.GrantRefresh), slices.Contains(r.Scopes, s):
		default:
			r.Scopes = append(r.Scopes, s)
		}
	}
	return nil
}

// judgeTargets reads resource (RFC 8707, section 2), and audience, which says
// the same in the words of older clients.
func judgeTargets(c *client.Client, r *Request, _ Offer) error {
	var ok bool
	r.Audience, ok = target.Narrow(c.Audience, r.Values["resource"], r.Values["audience"])
	if !ok {
		return Refuse(target.Code, "a resource is malformed or not one of the client's")
	}
	return nil
}

func judgeDetails(c *client.Client, r *Request, offer Offer) error {
	list, err := details.Parse(r.Values.Get("authorization_details"), offer.Details(c))
	if err != nil {
		return &Error{Code: "invalid_authorization_details", Cause: err}
	}
	r.Details = list
	return nil
}

func judgePrompt(c *client.Client, r *Request, offer Offer) error {
	r.Prompt = strings.Fields(r.Values.Get("prompt"))
	for _, v := range r.Prompt {
		if !slices.Contains(offer.Prompts, v) || v == PromptNone && len(r.Prompt) > 1 {
			return Refuse("invalid_request", "prompt is unknown or contradicts itself")
		}
	}
	if !r.Values.Has("max_age") {
		if c.DefaultMaxAge != nil {
			r.MaxAge = time.Duration(*c.DefaultMaxAge) * time.Second
		}
		return nil
	}
	seconds, err := strconv.ParseUint(r.Values.Get("max_age"), 10, 31)
	if err != nil {
		return Refuse("invalid_request", "max_age is not a number of seconds")
	}
	r.MaxAge = time.Duration(seconds) * time.Second
	return nil
}

// judgeClaims reads the parameter claims. A client learns of no claim that it
// could not also ask for by a scope.
func judgeClaims(c *client.Client, r *Request, offer Offer) error {
	if !slices.Contains(r.Scopes, claims.OpenID) {
		return nil
	}
	asked, err := claims.Parse(r.Values.Get("claims"))
	if err != nil {
		return &Error{Code: "invalid_request", Cause: err}
	}
	r.IDClaims, r.UserClaims = claims.Allowed(asked.IDToken, c.Scopes), claims.Allowed(asked.Userinfo, c.Scopes)
	if r.Subject, err = asked.Subject(); err != nil {
		return Refuse("invalid_request", "the subject that is asked for contradicts itself")
	}
	return judgeEssential(r, asked, offer)
}

// judgeContext reads acr_values, the dearest first (OpenID Connect Core 1.0, section
// 3.1.2.1; RFC 9470, section 4). What is not ours is left to upstreams.
func judgeContext(_ *client.Client, r *Request, offer Offer) error {
	r.ACR = firstOf(strings.Fields(r.Values.Get("acr_values")), offer.ACRs)
	return nil
}

// judgeEssential reads what the parameter claims says of acr (OpenID Connect Core 1.0,
// section 5.5.1.1).
func judgeEssential(r *Request, asked *claims.Parameter, offer Offer) error {
	fit := slices.DeleteFunc(slices.Clone(offer.ACRs), func(acr string) bool { return !asked.Accepts(acr) })
	switch {
	case len(fit) == 0:
		return Refuse("unmet_authentication_requirements", "an essential acr is not one of ours")
	case len(fit) < len(offer.ACRs):
		r.ACR, r.OnlyACR = firstOf([]string{r.ACR, fit[0]}, fit), true
	case r.ACR == "":
		r.ACR = firstOf(asked.Contexts(), offer.ACRs)
	}
	return nil
}

// firstOf is the first of wanted that is among known, "" for none.
func firstOf(wanted, known []string) string {
	i := slices.IndexFunc(wanted, func(s string) bool { return slices.Contains(known, s) })
	if i < 0 {
		return ""
	}
	return wanted[i]
}
