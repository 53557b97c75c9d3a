package wire

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
)

// Error is an error as an OAuth endpoint answers it (RFC 6749, section
// 5.2; RFC 6750, section 3.1). Cause is for the log only.
type Error struct {
	Status      int
	Code        string
	Description string
	Challenge   string // WWW-Authenticate without the error parameters, "" for none
	Bare        bool   // no body, and a challenge without an error code (RFC 6750, section 3.1)
	Allow       string
	Algorithms  []string // that a DPoP challenge names (RFC 9449, section 7.1)
	Cause       error
}

// Error is the code.
func (e *Error) Error() string { return e.Code }

// Unwrap is the cause, for the log.
func (e *Error) Unwrap() error { return e.Cause }

// BadRequest is invalid_request with a text of its own.
func BadRequest(description string) *Error {
	return &Error{Status: http.StatusBadRequest, Code: "invalid_request", Description: description}
}

// retryAfter is what a client is asked to wait while we are unavailable, in seconds.
const retryAfter = "5"

const basicChallenge = `Basic realm="keyway", charset="UTF-8"`

// descriptions are the only texts that leave with an error that is not made
// here: what a library adds may tell more than it should.
var descriptions = map[string]string{
	"invalid_request":         "The request is missing a required parameter, repeats one, or is malformed.",
	"invalid_client":          "Client authentication failed.",
	"invalid_grant":           "The grant or refresh token is invalid, expired, revoked, or was issued to another client.",
	"unauthorized_client":     "The client may not use this grant type.",
	"unsupported_grant_type":  "The grant type is not supported.",
	"invalid_scope":           "A requested scope is unknown, malformed, or more than may be granted.",
	"invalid_token":           "The access token is invalid, expired or revoked.",
	"insufficient_scope":      "The access token has not the scope that is needed.",
	"access_denied":           "The request was denied.",
	"invalid_target":          "The requested resource or audience is not known.",
	"invalid_dpop_proof":      "The DPoP proof is missing, malformed, not for this request, or was used before.",
	"use_dpop_nonce":          "The DPoP proof needs the nonce that comes with this answer.",
	"authorization_pending":   "The person has not decided yet.",
	"slow_down":               "The requests come too fast: wait 5 seconds longer between them.",
	"expired_token":           "The device code has expired.",
	"server_error":            "An internal error occurred.",
	"temporarily_unavailable": "The server cannot answer now; try again later.",

	"unsupported_response_type":         "The response type is not supported.",
	"login_required":                    "The person has to sign in.",
	"interaction_required":              "The person has to do something first.",
	"consent_required":                  "The person has to consent.",
	"request_not_supported":             "The parameter request is not supported.",
	"request_uri_not_supported":         "The parameter request_uri is not supported.",
	"registration_not_supported":        "The parameter registration is not supported.",
	"invalid_request_object":            "The request object is invalid.",
	"invalid_request_uri":               "The request_uri is unknown, has expired, or was used.",
	"invalid_authorization_details":     "The authorization_details are malformed, or more than may be granted.",
	"unmet_authentication_requirements": "The authentication that is asked for is not offered.",
}

// rfcCodes maps the codes that fosite invents to those that clients know.
var rfcCodes = map[string]string{
	"invalid_state": "invalid_request", "insufficient_entropy": "invalid_request", "request_unauthorized": "invalid_client",
	"token_inactive": "invalid_grant", "jti_known": "invalid_client", "misconfiguration": "server_error",
	"not_found": "invalid_request", "scope_not_granted": "invalid_scope", "token_signature_mismatch": "invalid_grant",
	"token_claim": "invalid_grant", "request_forbidden": "access_denied", "error": "server_error",
}

// Outage marks an error of storage as such: whatever is not an answer of it.
func Outage(err error) error {
	var f *identity.Failure
	if err == nil || errors.Is(err, identity.ErrNotFound) || errors.Is(err, identity.ErrConflict) || errors.As(err, &f) {
		return err
	}
	return identity.Fail(identity.ReasonUnavailable, err)
}

// From decides what of err a client may learn. What made us unable to
// judge comes first: it must never look like a judgement.
func From(err error) *Error {
	var f *identity.Failure
	var w *Error
	var rfc engineError
	switch {
	case errors.As(err, &f):
		return failureToWire(f, err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return Of("temporarily_unavailable", err)
	case errors.As(err, &w):
		return w
	case errors.As(err, &rfc):
		return engineToWire(rfc, err)
	}
	return Of("server_error", err)
}

func failureToWire(f *identity.Failure, err error) *Error {
	switch f.Reason {
	case identity.ReasonUnavailable, identity.ReasonRateLimited:
		return Of("temporarily_unavailable", err)
	case identity.ReasonInternal:
		return Of("server_error", err)
	case identity.ReasonInvalidClient:
		return Of("invalid_client", err)
	case identity.ReasonInvalidRequest:
		return Of("invalid_request", err)
	case identity.ReasonInvalidToken, identity.ReasonExpiredToken:
		return Of("invalid_token", err)
	default: // who exists, is locked or disabled is nobody's business
		return Of("invalid_grant", err)
	}
}

// engineError is an error of the engine, whose text is its code.
type engineError interface {
	error
	StatusCode() int
	Debug() string
}

func engineToWire(rfc engineError, err error) *Error {
	code := rfc.Error()
	if known, ok := rfcCodes[code]; ok {
		code = known
	}
	if _, ok := descriptions[code]; !ok || rfc.StatusCode() >= http.StatusInternalServerError {
		code = "server_error"
	}
	return Of(code, err)
}

// Of returns the error that code stands for, with its usual status.
func Of(code string, cause error) *Error {
	e := &Error{Status: http.StatusBadRequest, Code: code, Description: descriptions[code], Cause: cause}
	switch code {
	case "invalid_client":
		e.Status, e.Challenge = http.StatusUnauthorized, basicChallenge
	case "invalid_token":
		e.Status, e.Challenge = http.StatusUnauthorized, "Bearer"
	case "insufficient_scope":
		e.Status, e.Challenge = http.StatusForbidden, "Bearer"
	case "access_denied":
		e.Status = http.StatusForbidden
	case "server_error":
		e.Status = http.StatusInternalServerError
	case "temporarily_unavailable":
		e.Status = http.StatusServiceUnavailable
	}
	return e
}

// Write is the one place that writes an OAuth error.
func Write(c *gin.Context, e *Error) {
	h := c.Writer.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	e.Headers(h)
	description := Plain(e.Description)
	if e.Challenge != "" {
		challenge := e.Challenge
		if (challenge == "Bearer" || challenge == "DPoP") && !e.Bare {
			challenge += ` error="` + e.Code + `", error_description="` + description + `"`
		}
		if len(e.Algorithms) > 0 {
			challenge += `, algs="` + strings.Join(e.Algorithms, " ") + `"`
		}
		h["Www-Authenticate"] = append([]string{challenge}, h.Values("WWW-Authenticate")...) // the usual one first
	}
	if e.Bare {
		c.Status(e.Status)
		c.Writer.WriteHeaderNow()
		return
	}
	WriteJSON(c, e.Status, map[string]string{"error": e.Code, "error_description": description})
}

// DPoPChallenge is the challenge to who presents no token (RFC 9449, section 7.1).
func DPoPChallenge(algorithms []string) string {
	return `DPoP algs="` + strings.Join(algorithms, " ") + `"`
}

// Headers sets those of an error that do not depend on how it is told.
func (e *Error) Headers(h http.Header) {
	if e.Status == http.StatusServiceUnavailable {
		h.Set("Retry-After", retryAfter)
	}
	if e.Allow != "" {
		h.Set("Allow", e.Allow)
	}
}

// Describe is the text that leaves with a code, "" where there is none.
func Describe(code string) string { return Plain(descriptions[code]) }

// Plain keeps what error_description may hold (RFC 6749, section 5.2).
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, s)
}

// CauseText is what the log says of err: the first text in the chain that is
// more than the code that went out.
func CauseText(err error) string {
	text, caused := err.Error(), ""
	if w := (*Error)(nil); errors.As(err, &w) && w.Cause != nil {
		caused = w.Code
	}
	for e := err; e != nil; e = errors.Unwrap(e) {
		if s := e.Error(); s != "" && s != caused && descriptions[s] == "" && rfcCodes[s] == "" {
			return s
		}
	}
	return text
}

// AsFailure is err for callers in process, who branch on its reason.
func AsFailure(err error) error {
	var f *identity.Failure
	if err == nil {
		return nil
	}
	if errors.As(err, &f) {
		return f
	}
	switch w := From(err); w.Code {
	case "invalid_request":
		return identity.Fail(identity.ReasonInvalidRequest, err)
	case "invalid_client", "unauthorized_client":
		return identity.Fail(identity.ReasonInvalidClient, err)
	case "temporarily_unavailable":
		return identity.Fail(identity.ReasonUnavailable, err)
	case "invalid_token":
		return identity.Fail(identity.ReasonInvalidToken, err)
	}
	return identity.Fail(identity.ReasonInternal, err)
}

// SignInError is what the login page may say. Who is unknown is told nothing else
// than who is mistaken.
func SignInError(r identity.Reason) (status int, code string) {
	switch r {
	case identity.ReasonLocked:
		return http.StatusBadRequest, "locked"
	case identity.ReasonDisabled:
		return http.StatusBadRequest, "disabled"
	case identity.ReasonUnverified:
		return http.StatusBadRequest, "unverified"
	case identity.ReasonUnavailable, identity.ReasonRateLimited:
		return http.StatusServiceUnavailable, "unavailable"
	case identity.ReasonInternal:
		return http.StatusInternalServerError, "internal"
	default:
		return http.StatusBadRequest, "invalid"
	}
}
