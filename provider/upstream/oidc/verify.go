package oidc

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v3"
	"github.com/go-jose/go-jose/v3/jwt"
	"golang.org/x/oauth2"

	"keyway/provider/keyset"
	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

const (
	maxIDToken = 64 << 10       // bytes
	maxIssued  = 24 * time.Hour // that an ID token may have been made ago
	assertLife = time.Minute    // of our own client assertions
	assertType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// said are the claims that are judged here.
type said struct {
	AuthorizedParty string      `json:"azp"`
	AuthTime        json.Number `json:"auth_time"`
	AMR             []string    `json:"amr"`
	ACR             string      `json:"acr"`
	SID             string      `json:"sid"`
	Tenant          string      `json:"tid"`
}

// published verifies with the keys that the upstream publishes. They are
// fetched for an unknown kid, but not for each.
type published struct {
	keys       *keyset.Cache
	uri        string
	algorithms []string
}

var _ coreosoidc.KeySet = published{}

// VerifySignature implements [coreosoidc.KeySet].
func (k published) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	set, err := k.keys.Keys(ctx, k.uri, keyset.HeaderOf(token).KeyID)
	if err != nil {
		return nil, err
	}
	return keyset.Verify(set, token, k.algorithms)
}

func (c *Connector) verifier(m *metadata) *coreosoidc.IDTokenVerifier {
	return coreosoidc.NewVerifier(m.issuer, published{keys: c.keys, uri: m.jwks, algorithms: c.options.Algorithms}, &coreosoidc.Config{
		ClientID: c.options.ClientID, SupportedSigningAlgs: c.options.Algorithms,
		SkipIssuerCheck: len(c.options.Tenants) > 0, // judged by ofTenant
		Now:             func() time.Time { return c.options.Now().Add(-c.options.Skew) },
	})
}

// person judges the tokens. a is nil for those of a refresh, which have no
// nonce.
func (c *Connector) person(ctx context.Context, m *metadata, tokens *oauth2.Token, a *upstream.Attempt) (*upstream.Person, error) {
	raw, _ := tokens.Extra("id_token").(string)
	if raw == "" || len(raw) > maxIDToken {
		return nil, upstream.Fail(upstream.Untrusted, "no ID token, or one that is too long")
	}
	if err := c.fetchKeys(ctx, m, raw); err != nil {
		return nil, err
	}
	id, err := c.verifier(m).Verify(ctx, raw)
	if err != nil {
		return nil, untrusted(err)
	}
	p := &upstream.Person{
		Issuer: id.Issuer, Subject: id.Subject, IDToken: raw, RefreshToken: tokens.RefreshToken,
		AccessToken: tokens.AccessToken, AccessExpires: codeflow.Expiry(tokens, c.options.Now()),
	}
	if err := c.judge(m, id, tokens.AccessToken, p); err != nil {
		return nil, err
	}
	if (a != nil || p.ACR != "") && len(c.options.RequireACR) > 0 && !slices.Contains(c.options.RequireACR, p.ACR) { // after a refresh it need not say again
		return nil, upstream.Fail(upstream.Refused, "acr is not one that is required")
	}
	if a != nil && id.Nonce != a.Nonce {
		return nil, upstream.Fail(upstream.Untrusted, "nonce is not that of the attempt")
	}
	if a != nil && a.Fresh && c.options.Now().Sub(p.AuthTime) > c.options.Skew+5*time.Minute {
		return nil, upstream.Fail(upstream.Untrusted, "the person did not prove themselves anew")
	}
	if !c.options.Userinfo {
		return p, nil
	}
	return p, c.askUserinfo(ctx, m, tokens, p)
}

// fetchKeys sees to it that there are keys, for the library does not tell a
// token that does not hold from keys that could not be fetched.
func (c *Connector) fetchKeys(ctx context.Context, m *metadata, token string) error {
	if _, err := c.keys.Keys(ctx, m.jwks, keyset.HeaderOf(token).KeyID); err != nil {
		return &upstream.Error{Kind: upstream.Unavailable, Err: err}
	}
	return nil
}

var errTenant = errors.New("the tenant is not one of those who may sign in")

func untrusted(err error) error { return &upstream.Error{Kind: upstream.Untrusted, Err: err} }

// judge is what go-oidc leaves to its caller.
func (c *Connector) judge(m *metadata, id *coreosoidc.IDToken, accessToken string, p *upstream.Person) error {
	var payload json.RawMessage
	var s said
	if err := errors.Join(id.Claims(&payload), id.Claims(&s)); err != nil {
		return untrusted(err)
	}
	claims, err := codeflow.Claims(payload)
	if err != nil {
		return untrusted(err)
	}
	if err := codeflow.Spelled(claims, "iss", "sub", "aud", "azp", "exp", "iat", "nbf", "nonce", "at_hash", "auth_time", "amr", "acr", "sid", "tid"); err != nil {
		return untrusted(err)
	}
	now := c.options.Now()
	switch {
	case id.Subject == "" || len(id.Subject) > 255:
		return upstream.Fail(upstream.Untrusted, "sub is missing or too long")
	case len(id.Audience) > 1 && s.AuthorizedParty == "", s.AuthorizedParty != "" && s.AuthorizedParty != c.options.ClientID:
		return upstream.Fail(upstream.Untrusted, "azp is not us")
	case id.IssuedAt.After(now.Add(c.options.Skew)), now.Sub(id.IssuedAt) > maxIssued:
		return upstream.Fail(upstream.Untrusted, "iat is far off")
	case len(c.options.Tenants) > 0 && !c.ofTenant(m.issuer, id.Issuer, s.Tenant):
		return untrusted(errTenant)
	}
	if id.AccessTokenHash != "" {
		if err := id.VerifyAccessToken(accessToken); err != nil {
			return untrusted(err)
		}
	}
	p.Claims, p.AMR, p.ACR, p.SID = claims, s.AMR, s.ACR, s.SID
	if seconds, err := s.AuthTime.Int64(); err == nil && seconds > 0 {
		p.AuthTime = time.Unix(seconds, 0).UTC()
	}
	return nil
}

// ofTenant accepts the issuer of an allowed tenant, made of the template.
func (c *Connector) ofTenant(template, issuer, tenant string) bool {
	return slices.Contains(c.options.Tenants, tenant) && issuer == strings.Replace(template, tenantMarker, tenant, 1)
}

// askUserinfo adds the claims of the userinfo endpoint. What the ID token says
// is signed and stays.
func (c *Connector) askUserinfo(ctx context.Context, m *metadata, tokens *oauth2.Token, p *upstream.Person) error {
	if m.provider.UserInfoEndpoint() == "" {
		return upstream.Fail(upstream.Unavailable, "the upstream has no userinfo endpoint")
	}
	answer, err := m.provider.UserInfo(coreosoidc.ClientContext(ctx, c.options.HTTP), oauth2.StaticTokenSource(tokens))
	if err != nil {
		return upstream.Fail(upstream.Unavailable, "userinfo: no sensible answer")
	}
	if answer.Subject != p.Subject {
		return upstream.Fail(upstream.Untrusted, "userinfo is about somebody else")
	}
	var payload json.RawMessage
	if err := answer.Claims(&payload); err != nil {
		return untrusted(err)
	}
	more, err := codeflow.Claims(payload)
	if err == nil {
		err = codeflow.Spelled(more, "sub")
	}
	if err != nil {
		return untrusted(err)
	}
	maps.Copy(more, p.Claims)
	p.Claims = more
	return nil
}

// prove is the client assertion of private_key_jwt, if that is how we prove
// ourselves.
func (c *Connector) prove(audience string) ([]oauth2.AuthCodeOption, error) {
	if c.options.Key == nil {
		return nil, nil
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(c.options.Key.Algorithm), Key: c.options.Key}, nil)
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.Unavailable, Err: errors.New("our key cannot sign")}
	}
	now := c.options.Now()
	assertion, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: c.options.ClientID, Subject: c.options.ClientID, Audience: jwt.Audience{audience}, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(assertLife)),
	}).CompactSerialize()
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.Unavailable, Err: errors.New("our key cannot sign")}
	}
	return []oauth2.AuthCodeOption{
		oauth2.SetAuthURLParam("client_assertion_type", assertType), oauth2.SetAuthURLParam("client_assertion", assertion),
	}, nil
}
