package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"strings"

	"golang.org/x/oauth2"

	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

// Limits of what an upstream says.
const (
	maxDocument = 256 << 10 // bytes
	maxSubject  = 255       // bytes
	maxToken    = 16 << 10  // bytes
)

// person asks the upstream's API whose the token is.
func (c *Connector) person(ctx context.Context, tokens *oauth2.Token) (*upstream.Person, error) {
	if !strings.EqualFold(tokens.Type(), "bearer") || len(tokens.AccessToken) > maxToken || len(tokens.RefreshToken) > maxToken {
		return nil, upstream.Fail(upstream.Untrusted, "the token is no bearer token, or too long")
	}
	said, err := c.ask(ctx, c.options.UserinfoURL, tokens)
	if err != nil {
		return nil, err
	}
	claims, ok := said.(map[string]any)
	if !ok {
		return nil, upstream.Fail(upstream.Unavailable, "userinfo is no object")
	}
	p, err := c.Read(claims)
	if err != nil {
		return nil, err
	}
	if err := c.addEmail(ctx, tokens, p.Claims); err != nil {
		return nil, err
	}
	if err := c.addGroups(ctx, tokens, p.Claims); err != nil {
		return nil, err
	}
	p.RefreshToken, p.AccessToken, p.AccessExpires = keep(tokens), tokens.AccessToken, codeflow.Expiry(tokens, c.options.Now())
	return p, nil
}

// Read is who userinfo is about.
func (c *Connector) Read(userinfo map[string]any) (*upstream.Person, error) {
	subject, ok := stable(member(userinfo, c.options.Subject))
	if !ok {
		return nil, upstream.Fail(upstream.Untrusted, "userinfo has no stable id where one is expected")
	}
	claims := maps.Clone(userinfo)
	for name, path := range c.options.Claims {
		set(claims, name, member(userinfo, path))
	}
	return &upstream.Person{Issuer: c.options.Issuer, Subject: subject, Claims: claims}, nil
}

func set(claims map[string]any, name string, v any) {
	if v == nil {
		delete(claims, name)
		return
	}
	claims[name] = v
}

// ask reads a document of the upstream's API.
func (c *Connector) ask(ctx context.Context, uri string, tokens *oauth2.Token) (any, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.Unavailable, Err: errors.New("the API's URL cannot be called")}
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
	res, err := c.options.HTTP.Do(r)
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.Unavailable, Err: errors.New("API: " + codeflow.Cause(err))}
	}
	defer func() { _ = res.Body.Close() }()
	if err := judge(res); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxDocument+1))
	if err != nil || len(body) > maxDocument {
		return nil, upstream.Fail(upstream.Unavailable, "API: the answer broke off, or is too large")
	}
	said, err := codeflow.Parse(body)
	switch {
	case errors.Is(err, codeflow.ErrTwice):
		return nil, &upstream.Error{Kind: upstream.Untrusted, Err: err}
	case err != nil:
		return nil, upstream.Fail(upstream.Unavailable, "API: the answer is not JSON")
	}
	return said, nil
}

// judge tells a token that counts no more, or a person who is blocked, from an API
// that has had enough calls or is away.
func judge(res *http.Response) error {
	waits := res.Header.Get("Retry-After") != "" || res.Header.Get("X-RateLimit-Remaining") == "0"
	switch {
	case res.StatusCode == http.StatusOK:
		return nil
	case res.StatusCode == http.StatusUnauthorized, res.StatusCode == http.StatusForbidden && !waits:
		return upstream.Fail(upstream.Refused, "API: "+res.Status[:3])
	}
	return upstream.Fail(upstream.Unavailable, "API: no sensible answer")
}

// member follows a path of members; nil where it leads nowhere.
func member(claims map[string]any, path string) any {
	var v any = claims
	for name := range strings.SplitSeq(path, ".") {
		in, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = in[name]
	}
	return v
}

// stable is the text of an id: a number keeps all its digits, and is refused where
// it could be written in two ways.
func stable(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, v != "" && len(v) <= maxSubject
	case json.Number:
		digits := strings.Trim(v.String(), "0123456789") == ""
		return v.String(), digits && v != "0" && len(v) <= maxSubject
	}
	return "", false
}

// addEmail takes the person's address from where the upstream says whether it is
// verified. What stands in userinfo is a matter of taste there, and goes.
func (c *Connector) addEmail(ctx context.Context, tokens *oauth2.Token, claims map[string]any) error {
	if c.options.Emails == "" {
		return nil
	}
	delete(claims, "email")
	delete(claims, "email_verified")
	all, err := c.list(ctx, c.options.Emails, tokens)
	if err != nil {
		return err
	}
	for _, one := range all {
		address, text := one["email"].(string)
		if text && one["primary"] == true && one["verified"] == true {
			claims["email"], claims["email_verified"] = address, true
			return nil
		}
	}
	return nil
}

// addGroups names what the person belongs to.
func (c *Connector) addGroups(ctx context.Context, tokens *oauth2.Token, claims map[string]any) error {
	g := c.options.Groups
	if g.URL == "" {
		return nil
	}
	all, err := c.list(ctx, g.URL, tokens)
	if err != nil {
		return err
	}
	names, ids := []any{}, []any{}
	for _, one := range all {
		if name, ok := stable(member(one, g.Name)); ok {
			names = append(names, name)
		}
		if id, ok := stable(member(one, g.ID)); ok {
			ids = append(ids, id)
		}
	}
	claims["groups"], claims["group_ids"] = names, ids
	return nil
}

func (c *Connector) list(ctx context.Context, uri string, tokens *oauth2.Token) ([]map[string]any, error) {
	said, err := c.ask(ctx, uri, tokens)
	if err != nil {
		return nil, err
	}
	items, ok := said.([]any)
	if !ok {
		return nil, upstream.Fail(upstream.Unavailable, "API: the answer is no list")
	}
	all := make([]map[string]any, 0, len(items))
	for _, item := range items {
		if one, ok := item.(map[string]any); ok {
			all = append(all, one)
		}
	}
	return all, nil
}
