package provider

import (
	"context"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/identity"
)

const (
	maxAssertion     = 16 << 10    // bytes
	maxAssertionLife = time.Hour   // from now to exp; bounds what replay protection has to remember
	clockLeeway      = time.Minute // of clients' clocks
	minRSABits       = 2048
)

// assertionAlgs are the algorithms of client assertions.
func assertionAlgs() []string { return []string{"ES256", "RS256", "PS256", "EdDSA"} }

// assertionClaims are the claims of a client assertion (RFC 7523, section 3).
type assertionClaims struct {
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

// assertedClient says who an assertion claims to be of, before anything of it
// is verified; "" when that cannot be read.
func assertedClient(assertion string) string {
	if len(assertion) > maxAssertion {
		return ""
	}
	_, rest, _ := strings.Cut(assertion, ".")
	payload, _, _ := strings.Cut(rest, ".")
	b, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims assertionClaims
	if json.Unmarshal(b, &claims) != nil {
		return ""
	}
	return claims.Subject
}

// checkAssertion verifies a client assertion and uses it up.
func (p *Provider) checkAssertion(ctx context.Context, c *fositeClient, assertion string) error {
	payload, err := verifyAssertion(c.keys, assertion)
	if err != nil {
		return wireOf("invalid_client", err)
	}
	var claims assertionClaims
	if err := json.Unmarshal(payload, &claims); err != nil {
		return invalidClient("the assertion's claims are malformed")
	}
	expires, err := claims.check(c.ID, []string{p.options.Issuer, p.url("/oauth2/token")}, p.options.Now())
	if err != nil {
		return wireOf("invalid_client", err)
	}
	err = p.options.Storage.RememberOnce(ctx, "client_assertion:"+c.ID, claims.ID, expires.Add(clockLeeway))
	if errors.Is(err, identity.ErrConflict) {
		return invalidClient("the assertion was used before")
	}
	return outage(err)
}

// verifyAssertion returns what was signed. Only registered keys count: what a
// header says of keys is ignored, but for the kid.
func verifyAssertion(keys *jose.JSONWebKeySet, assertion string) ([]byte, error) {
	if keys == nil || len(assertion) > maxAssertion || strings.Count(assertion, ".") != 2 {
		return nil, errors.New("the assertion is malformed")
	}
	jws, err := jose.ParseSigned(assertion)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("the assertion is malformed")
	}
	header := jws.Signatures[0].Protected
	if !slices.Contains(assertionAlgs(), header.Algorithm) {
		return nil, errors.New("the assertion's algorithm is not supported")
	}
	for _, k := range keys.Keys {
		if header.KeyID != "" && k.KeyID != header.KeyID || k.Algorithm != "" && k.Algorithm != header.Algorithm || k.Use == "enc" {
			continue
		}
		if r, ok := k.Key.(*rsa.PublicKey); ok && r.N.BitLen() < minRSABits {
			continue
		}
		if payload, err := jws.Verify(k.Public()); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no registered key verifies the assertion")
}

// check returns when the assertion expires.
func (a *assertionClaims) check(client string, audiences []string, now time.Time) (time.Time, error) {
	exp, err := a.Expires.Int64()
	expires := time.Unix(exp, 0)
	switch {
	case a.Issuer != client || a.Subject != client:
		return time.Time{}, errors.New("iss and sub of the assertion must be the client")
	case !slices.ContainsFunc(a.Audience, func(s string) bool { return slices.Contains(audiences, s) }):
		return time.Time{}, errors.New("the assertion is for another audience")
	case a.ID == "" || len(a.ID) > 255 || strings.ContainsRune(a.ID, 0):
		return time.Time{}, errors.New("the assertion needs a jti")
	case err != nil:
		return time.Time{}, errors.New("the assertion needs an exp")
	case !now.Before(expires.Add(clockLeeway)):
		return time.Time{}, errors.New("the assertion has expired")
	case expires.After(now.Add(maxAssertionLife)):
		return time.Time{}, errors.New("the assertion lives too long")
	}
	for _, t := range []json.Number{a.NotBefore, a.IssuedAt} {
		if t == "" {
			continue
		}
		if v, err := t.Int64(); err != nil || time.Unix(v, 0).After(now.Add(clockLeeway)) {
			return time.Time{}, errors.New("the assertion is not valid yet")
		}
	}
	return expires, nil
}
