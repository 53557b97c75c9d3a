package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

// maxRefusal is how much of a refusal is read, in bytes.
const maxRefusal = 8 << 10

var _ upstream.Verifier = (*Connector)(nil)

// Verify implements [upstream.Verifier] by the grant of RFC 6749, section 4.3.
// There is no nonce in it: the ID token comes from the token endpoint itself, in
// the answer to this very request (OpenID Connect Core 1.0, section 3.1.3.7). An
// upstream that gives none is asked at its userinfo endpoint.
func (c *Connector) Verify(ctx context.Context, l *upstream.Login) (*upstream.Person, error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	ctx = coreosoidc.ClientContext(ctx, c.options.HTTP)
	tokens, err := c.passwordGrant(ctx, m, l)
	if err != nil {
		return nil, err
	}
	if raw, ok := tokens.Extra("id_token").(string); ok && raw != "" {
		p, err := c.person(ctx, m, tokens, nil)
		if errors.Is(err, errTenant) { // anybody may have a tenant of their own: no outage, or they could open the breaker
			return nil, &upstream.Error{Kind: upstream.Disabled, Err: errTenant}
		}
		return p, err
	}
	if len(c.options.Tenants)+len(c.options.RequireACR) > 0 {
		return nil, upstream.Fail(upstream.Untrusted, "no ID token, which alone says the tenant and how somebody signed in")
	}
	return c.personOfUserinfo(ctx, m, tokens)
}

// passwordGrant sends a client assertion by an exchange, whose parameters are free.
func (c *Connector) passwordGrant(ctx context.Context, m *metadata, l *upstream.Login) (*oauth2.Token, error) {
	proof, err := c.prove(m.endpoint.TokenURL)
	if err != nil {
		return nil, err
	}
	var tokens *oauth2.Token
	if config := c.config(m); proof == nil {
		tokens, err = config.PasswordCredentialsToken(ctx, l.Username, l.Password)
	} else {
		config.RedirectURL = ""
		tokens, err = config.Exchange(ctx, "", append(proof, oauth2.SetAuthURLParam("grant_type", "password"),
			oauth2.SetAuthURLParam("username", l.Username), oauth2.SetAuthURLParam("password", l.Password),
			oauth2.SetAuthURLParam("scope", strings.Join(config.Scopes, " ")))...)
	}
	if err != nil {
		return nil, passwordError(err)
	}
	return tokens, nil
}

// passwordError tells what is said of the person from what is said of us: only the
// first may count as a guess.
func passwordError(err error) error {
	var said *oauth2.RetrieveError
	if !errors.As(err, &said) || said.Response == nil || said.Response.StatusCode >= http.StatusInternalServerError {
		return codeflow.TokenError(err)
	}
	kind := upstream.Disabled
	switch said.ErrorCode {
	case "invalid_grant", "interaction_required":
		kind = entraKind(said.Body)
	case "mfa_required": // by Auth0, of a right password
	default:
		return codeflow.TokenError(err)
	}
	return upstream.Fail(kind, fmt.Sprintf("token endpoint: status %d, %s", said.Response.StatusCode, said.ErrorCode))
}

// entraKind reads the numbers by which Entra ID says more than invalid_grant does.
func entraKind(body []byte) upstream.Kind {
	var d struct {
		Codes []int `json:"error_codes"`
	}
	if len(body) > maxRefusal || json.Unmarshal(body, &d) != nil || len(d.Codes) == 0 {
		return upstream.Wrong
	}
	switch d.Codes[0] {
	case 50034, 51004: // no such user
		return upstream.Unknown
	case 50053: // locked for a while
		return upstream.Locked
	case 50055, 50144: // the password has expired
		return upstream.Expired
	case 50057, 50105, 53003, 50076, 50079, 50158: // disabled, not assigned, blocked by a policy, a second factor is wanted
		return upstream.Disabled
	}
	return upstream.Wrong
}

// personOfUserinfo believes the endpoint that our own call reached by TLS.
func (c *Connector) personOfUserinfo(ctx context.Context, m *metadata, tokens *oauth2.Token) (*upstream.Person, error) {
	if m.provider.UserInfoEndpoint() == "" {
		return nil, upstream.Fail(upstream.Untrusted, "neither an ID token nor a userinfo endpoint")
	}
	answer, err := m.provider.UserInfo(ctx, oauth2.StaticTokenSource(tokens))
	if err != nil {
		return nil, upstream.Fail(upstream.Unavailable, "userinfo: no sensible answer")
	}
	var payload json.RawMessage
	if err := answer.Claims(&payload); err != nil {
		return nil, untrusted(err)
	}
	claims, err := codeflow.Claims(payload)
	if err != nil {
		return nil, untrusted(err)
	}
	if answer.Subject == "" || len(answer.Subject) > 255 {
		return nil, upstream.Fail(upstream.Untrusted, "sub is missing or too long")
	}
	return &upstream.Person{Issuer: m.issuer, Subject: answer.Subject, Claims: claims, RefreshToken: tokens.RefreshToken}, nil
}
