package oidc

import (
	"context"
	"net/url"
	"slices"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

// Refresh asks the upstream whether the person is still who they were. The
// result has the refresh token that counts from now on; Claims are nil where the
// upstream made no new ID token and is not asked for userinfo. A refusal is
// [upstream.Refused].
func (c *Connector) Refresh(ctx context.Context, was *upstream.Person) (*upstream.Person, error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if was.RefreshToken == "" {
		return nil, upstream.Fail(upstream.Refused, "there is no refresh token")
	}
	tokens, err := c.exchangeRefresh(coreosoidc.ClientContext(ctx, c.options.HTTP), m, was.RefreshToken)
	if err != nil {
		return nil, codeflow.TokenError(err)
	}
	now := &upstream.Person{Issuer: was.Issuer, Subject: was.Subject, IDToken: was.IDToken, RefreshToken: tokens.RefreshToken}
	if raw, _ := tokens.Extra("id_token").(string); raw != "" {
		if now, err = c.person(ctx, m, tokens, nil); err != nil {
			return nil, err
		}
	} else if c.options.Userinfo {
		if err := c.askUserinfo(ctx, m, tokens, now); err != nil {
			return nil, err
		}
	}
	if now.Issuer != was.Issuer || now.Subject != was.Subject {
		return nil, upstream.Fail(upstream.Untrusted, "the upstream speaks of somebody else now")
	}
	if now.RefreshToken == "" {
		now.RefreshToken = was.RefreshToken // it was not rotated (RFC 6749, section 6)
	}
	return now, nil
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
	if err != nil {
		return "", untrusted(err)
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
	if len(c.options.Tenants) > 0 && !slices.ContainsFunc(c.options.Tenants, func(id string) bool { return c.ofTenant(m.issuer, t.Issuer, id) }) {
		return nil, upstream.Fail(upstream.Untrusted, "the logout token is of a tenant who may not sign in")
	}
	return &upstream.Logout{Issuer: t.Issuer, Subject: t.Subject, SID: t.SessionID, ID: t.TokenID, Expires: t.Expiry}, nil
}
