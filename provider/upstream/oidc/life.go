package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"slices"
	"strings"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"keyway/provider/keyset"
	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

const maxLogoutID = 255 // bytes of the jti of a logout token

var _ upstream.Follower = (*Connector)(nil)

// Follow implements [upstream.Follower] by the refresh token.
func (c *Connector) Follow(ctx context.Context, k *upstream.Known) (*upstream.Person, error) {
	if k.RefreshToken == "" {
		return nil, upstream.Fail(upstream.Unavailable, "there is no refresh token to ask by")
	}
	m, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	ctx = coreosoidc.ClientContext(ctx, c.options.HTTP)
	tokens, err := c.exchangeRefresh(ctx, m, k.RefreshToken)
	if err != nil {
		return nil, codeflow.TokenError(err)
	}
	next := tokens.RefreshToken
	if next == "" {
		next = k.RefreshToken // it was not rotated (RFC 6749, section 6)
	}
	p, err := c.followed(ctx, m, tokens, k)
	if err != nil {
		return &upstream.Person{RefreshToken: next}, err
	}
	p.RefreshToken = next
	return p, nil
}

// followed judges what came with a refresh.
func (c *Connector) followed(ctx context.Context, m *metadata, tokens *oauth2.Token, k *upstream.Known) (p *upstream.Person, err error) {
	p = &upstream.Person{Issuer: k.Issuer, Subject: k.Subject, AccessToken: tokens.AccessToken, AccessExpires: codeflow.Expiry(tokens, c.options.Now())}
	if raw, _ := tokens.Extra("id_token").(string); raw != "" {
		if err = c.knowsKey(ctx, m, raw); err == nil {
			p, err = c.person(ctx, m, tokens, nil)
		}
	} else if c.options.Userinfo {
		err = c.askUserinfo(ctx, m, tokens, p)
	}
	if err == nil && (p.Issuer != k.Issuer || p.Subject != k.Subject) {
		err = upstream.Fail(upstream.Untrusted, "the upstream speaks of somebody else now")
	}
	return p, err
}

// knowsKey tells keys that could not be fetched yet from a token that does not hold:
// nobody is signed out for a key that their upstream has changed a moment ago.
func (c *Connector) knowsKey(ctx context.Context, m *metadata, token string) error {
	kid := keyset.HeaderOf(token).KeyID
	set, err := c.keys.Keys(ctx, m.jwks, kid)
	if err == nil && !keyset.Has(set, kid) {
		err = errors.New("the key of the ID token is not among those that are known")
	}
	if err != nil {
		return &upstream.Error{Kind: upstream.Unavailable, Err: err}
	}
	return nil
}

// exchangeRefresh uses the refresh token. With private_key_jwt the assertion
// travels as the library's only free parameters do: in an exchange.
func (c *Connector) exchangeRefresh(ctx context.Context, m *metadata, refresh string) (*oauth2.Token, error) {
	if c.options.Key == nil {
		return c.config(m).TokenSource(ctx, &oauth2.Token{RefreshToken: refresh}).Token()
	}
	proof, err := c.prove(m.endpoint.TokenURL)
	if err != nil {
		return nil, err
	}
	config := c.config(m)
	config.RedirectURL = ""
	return config.Exchange(ctx, "", append(proof,
		oauth2.SetAuthURLParam("grant_type", "refresh_token"), oauth2.SetAuthURLParam("refresh_token", refresh))...)
}

// SignOutURL is where the browser goes to end the upstream's session too, ""
// where the upstream offers nothing of that kind (OpenID Connect RP-Initiated
// Logout 1.0, section 2).
func (c *Connector) SignOutURL(ctx context.Context, idToken, returnTo, state string) (string, error) {
	m, err := c.metadata(ctx)
	if err != nil || m.logout == "" {
		return "", err
	}
	to, err := url.Parse(m.logout)
	if err != nil || to.Scheme != "https" && to.Scheme != "http" || to.Host == "" {
		return "", upstream.Fail(upstream.Untrusted, "the upstream's end_session_endpoint is no URL for a browser")
	}
	q := to.Query()
	for name, value := range map[string]string{
		"id_token_hint": idToken, "client_id": c.options.ClientID, "post_logout_redirect_uri": returnTo, "state": state,
	} {
		if value != "" {
			q.Set(name, value)
		}
	}
	to.RawQuery = q.Encode()
	return to.String(), nil
}

// VerifyLogout judges a logout token that the upstream posted (OpenID Connect
// Back-Channel Logout 1.0, section 2.6). That its ID is taken once is the
// caller's to see to.
func (c *Connector) VerifyLogout(ctx context.Context, token string) (*upstream.Logout, error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if len(token) > maxIDToken {
		return nil, upstream.Fail(upstream.Untrusted, "the logout token is too long")
	}
	if err := c.fetchKeys(ctx, m, token); err != nil {
		return nil, err
	}
	t, err := c.verifier(m).VerifyLogout(ctx, token)
	if err != nil {
		return nil, untrusted(err)
	}
	if err := c.judgeLogout(t); err != nil {
		return nil, err
	}
	if len(c.options.Tenants) > 0 && !slices.ContainsFunc(c.options.Tenants, func(id string) bool { return c.ofTenant(m.issuer, t.Issuer, id) }) {
		return nil, upstream.Fail(upstream.Untrusted, "the logout token is of a tenant who may not sign in")
	}
	return &upstream.Logout{Issuer: t.Issuer, Subject: t.Subject, SID: t.SessionID, ID: t.TokenID, Expires: t.Expiry}, nil
}

// judgeLogout is what go-oidc leaves to its caller: members that stand twice or are
// spelled otherwise, the type of the event, and how old the token is.
func (c *Connector) judgeLogout(t *coreosoidc.LogoutToken) error {
	var payload json.RawMessage
	if err := t.Claims(&payload); err != nil {
		return untrusted(err)
	}
	claims, err := codeflow.Claims(payload)
	if err != nil {
		return untrusted(err)
	}
	events, _ := claims["events"].(map[string]any)
	_, event := events["http://schemas.openid.net/event/backchannel-logout"].(map[string]any)
	text := func(name string) string { s, _ := claims[name].(string); return s }
	now := c.options.Now()
	switch {
	case !event || text("sub") != t.Subject || text("sid") != t.SessionID || text("jti") != t.TokenID || len(t.TokenID) > maxLogoutID:
		return upstream.Fail(upstream.Untrusted, "a claim of the logout token is malformed")
	case strings.Contains(t.Subject+t.SessionID, "\x00"): // which PostgreSQL answers by an error, and the upstream would try again for ever
		return upstream.Fail(upstream.Untrusted, "there is a NUL in the logout token")
	case t.IssuedAt.After(now.Add(c.options.Skew)), now.Sub(t.IssuedAt) > maxIssued:
		return upstream.Fail(upstream.Untrusted, "iat of the logout token is far off")
	}
	return nil
}
