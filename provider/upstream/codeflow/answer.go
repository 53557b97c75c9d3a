package codeflow

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"golang.org/x/oauth2"

	"keyway/provider/upstream"
)

const (
	maxAnswer    = 8 << 10              // bytes of one parameter that the browser brings
	maxExpiresIn = 10 * 365 * 24 * 3600 // seconds
)

// Issuer is how an upstream's answers name it.
type Issuer struct {
	Name  string // what iss has to be where it is there
	Named bool   // it has to be there (RFC 9207, section 3)
}

// Check judges what the browser brought before anybody is asked about it.
func Check(a *upstream.Attempt, answer url.Values, from Issuer) error {
	for name, values := range answer {
		if len(values) != 1 || len(values[0]) > maxAnswer || len(name) > maxAnswer {
			return upstream.Fail(upstream.Untrusted, "a parameter stands twice or is too long")
		}
	}
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.State)) != 1 {
		return upstream.Fail(upstream.Untrusted, "state is not that of the attempt")
	}
	if iss := answer.Get("iss"); iss != "" && iss != from.Name || iss == "" && from.Named {
		return upstream.Fail(upstream.Untrusted, "the answer is not of this issuer (RFC 9207)")
	}
	switch code := answer.Get("error"); {
	case code == "" && answer.Get("code") == "":
		return upstream.Fail(upstream.Untrusted, "the answer has no code")
	case code == "temporarily_unavailable", code == "server_error":
		return upstream.Fail(upstream.Unavailable, "the upstream answered "+code)
	case code != "":
		return upstream.Fail(upstream.Refused, "the upstream answered "+known(code))
	}
	return nil
}

// known keeps what a log may hold of an upstream's error code. The last four are
// what GitHub says instead of the standard's.
func known(code string) string {
	switch code {
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required",
		"invalid_request", "invalid_scope", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_response_type",
		"unsupported_grant_type", "bad_verification_code", "bad_refresh_token", "incorrect_client_credentials", "redirect_uri_mismatch":
		return code
	}
	return "no known error"
}

// TokenError tells a token endpoint that refuses somebody from one that is away,
// or that holds something against us: that says nothing about the person.
func TokenError(err error) error {
	var said *oauth2.RetrieveError
	if !errors.As(err, &said) || said.Response == nil {
		return &upstream.Error{Kind: upstream.Unavailable, Err: errors.New("token endpoint: " + Cause(err))}
	}
	kind, status := upstream.Unavailable, said.Response.StatusCode
	if ofPerson(said.ErrorCode) && status < http.StatusInternalServerError && status != http.StatusTooManyRequests {
		kind = upstream.Refused
	}
	return upstream.Fail(kind, fmt.Sprintf("token endpoint: status %d, %s", status, known(said.ErrorCode))) // its body stays out of the log
}

// ofPerson reports an error that is about whom the code or the refresh token was
// for, and not about us.
func ofPerson(code string) bool {
	switch code {
	case "invalid_grant", "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required",
		"bad_verification_code", "bad_refresh_token":
		return true
	}
	return false
}

// Cause keeps the outermost own text of a call that failed; a URL in it could
// carry what was sent.
func Cause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return "the answer could not be read"
}

// Expiry is when an access token ends by our clock; zero where nobody said.
func Expiry(tokens *oauth2.Token, now time.Time) time.Time {
	if tokens.ExpiresIn <= 0 {
		return time.Time{}
	}
	return now.Add(time.Duration(min(tokens.ExpiresIn, maxExpiresIn)) * time.Second)
}
