// Package assertion judges client assertions (RFC 7523, section 3): JWTs by which
// a client proves itself with a registered key.
package assertion

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/keyset"
)

const (
	maxSize = 16 << 10    // bytes
	maxLife = time.Hour   // from now to exp; bounds what replay protection has to remember
	leeway  = time.Minute // of clients' clocks
)

// Algorithms are the algorithms of client assertions.
func Algorithms() []string { return []string{"ES256", "RS256", "PS256", "EdDSA"} }

// claims are the claims of a client assertion (RFC 7523, section 3).
type claims struct {
	Issuer    string      `json:"iss"`
	Subject   string      `json:"sub"`
	Audience  audience    `json:"aud"`
	ID        string      `json:"jti"`
	Expires   json.Number `json:"exp"`
	NotBefore json.Number `json:"nbf"`
	IssuedAt  json.Number `json:"iat"`
}

// audience is a string or a list of strings (RFC 7519, section 4.1.3).
type audience []string

// UnmarshalJSON implements [json.Unmarshaler].
func (a *audience) UnmarshalJSON(b []byte) error {
	var one string
	if err := json.Unmarshal(b, &one); err == nil {
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(b, (*[]string)(a))
}

// Client says who an assertion claims to be of, before anything of it
// is verified; "" when that cannot be read.
func Client(assertion string) string {
	if len(assertion) > maxSize {
		return ""
	}
	_, rest, _ := strings.Cut(assertion, ".")
	payload, _, _ := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var said claims
	if json.Unmarshal(b, &said) != nil {
		return ""
	}
	return said.Subject
}

// Check verifies the assertion of a client for one of the audiences. It returns
// its id, which the caller has to see to that nobody uses again before the time
// that is returned with it.
func Check(keys *jose.JSONWebKeySet, assertion, client string, audiences []string, now time.Time) (id string, until time.Time, err error) {
	payload, err := Verify(keys, assertion)
	if err != nil {
		return "", time.Time{}, err
	}
	var said claims
	if json.Unmarshal(payload, &said) != nil {
		return "", time.Time{}, errors.New("the assertion's claims are malformed")
	}
	expires, err := said.check(client, audiences, now)
	return said.ID, expires.Add(leeway), err
}

// Verify returns what was signed with one of the keys.
func Verify(keys *jose.JSONWebKeySet, assertion string) ([]byte, error) {
	if len(assertion) > maxSize {
		return nil, errors.New("the assertion is too long")
	}
	payload, err := keyset.Verify(keys, assertion, Algorithms())
	if err != nil {
		return nil, fmt.Errorf("the assertion: %w", err)
	}
	return payload, nil
}

// check returns when the assertion expires.
func (a *claims) check(client string, audiences []string, now time.Time) (time.Time, error) {
	expires, err := instant(a.Expires)
	switch {
	case a.Issuer != client || a.Subject != client:
		return time.Time{}, errors.New("iss and sub of the assertion must be the client")
	case !slices.ContainsFunc(a.Audience, func(s string) bool { return slices.Contains(audiences, s) }):
		return time.Time{}, errors.New("the assertion is for another audience")
	case a.ID == "" || len(a.ID) > 255 || strings.ContainsRune(a.ID, 0):
		return time.Time{}, errors.New("the assertion needs a jti")
	case err != nil:
		return time.Time{}, errors.New("the assertion needs an exp")
	case !now.Before(expires.Add(leeway)):
		return time.Time{}, errors.New("the assertion has expired")
	case expires.After(now.Add(maxLife)):
		return time.Time{}, errors.New("the assertion lives too long")
	}
	for _, t := range []json.Number{a.NotBefore, a.IssuedAt} {
		if t == "" {
			continue
		}
		if at, err := instant(t); err != nil || at.After(now.Add(leeway)) {
			return time.Time{}, errors.New("the assertion is not valid yet")
		}
	}
	return expires, nil
}

// instant reads a NumericDate (RFC 7519, section 2), which may have a fraction:
// some libraries write their clock as it is.
func instant(n json.Number) (time.Time, error) {
	seconds, err := n.Float64()
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, errors.New("a time is malformed")
	}
	return time.Unix(int64(seconds), 0), nil
}
