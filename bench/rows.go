package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// row is one line of the table.
type row struct {
	Name   string
	Target float64 // CPU ms an operation, on SQLite; 0: none
	Call   call
	Floor  string // the floor handler whose CPU is part of the row and is subtracted; "" none
}

func post(ctx context.Context, target, user string, form url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if user != "" {
		req.SetBasicAuth(user, serviceSecret)
	}
	return req, nil
}

func postCall(target, user string, form url.Values) call {
	return func(ctx context.Context, client *http.Client, _ int64) error {
		req, err := post(ctx, target, user, form)
		if err != nil {
			return err
		}
		_, err = send(client, req, http.StatusOK)
		return err
	}
}

func getCall(target, bearer string) call {
	return func(ctx context.Context, client *http.Client, _ int64) error {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, http.NoBody)
		if err != nil {
			return err
		}
		if bearer != "" {
			req.Header.Set("Authorization", "Bearer "+bearer)
		}
		_, err = send(client, req, http.StatusOK)
		return err
	}
}

// pushCall pushes an authorization request (RFC 9126), judged in full.
func pushCall(base string) call {
	form := url.Values{
		"response_type": {"code"}, "redirect_uri": {callback}, "scope": {"openid email"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
	}
	return func(ctx context.Context, client *http.Client, _ int64) error {
		req, err := post(ctx, base+"/oauth2/par", "own", form)
		if err != nil {
			return err
		}
		_, err = send(client, req, http.StatusCreated)
		return err
	}
}

// loginCall logs in through Faveo's call and wants a token, for a refusal is
// answered with status 200 too.
func loginCall(base, user string) call {
	form := url.Values{"username": {user}, "password": {password}}
	return func(ctx context.Context, client *http.Client, _ int64) error {
		_, err := login(ctx, client, base, form)
		return err
	}
}

func login(ctx context.Context, client *http.Client, base string, form url.Values) (string, error) {
	req, err := post(ctx, base+"/api/v1/authenticate", "", form)
	if err != nil {
		return "", err
	}
	body, err := send(client, req, http.StatusOK)
	if err != nil {
		return "", err
	}
	var reply struct{ Token string }
	if err := json.Unmarshal(body, &reply); err != nil || reply.Token == "" {
		return "", fmt.Errorf("login of %s refused: %.200s", form.Get("username"), body)
	}
	return reply.Token, nil
}

// refreshCall rotates tokens: each is used by one worker at a time, and
// replaced by its successor.
func refreshCall(base string, tokens []string) call {
	free := make(chan string, len(tokens))
	for _, t := range tokens {
		free <- t
	}
	var once sync.Mutex
	lost := 0
	return func(ctx context.Context, client *http.Client, _ int64) error {
		token := <-free
		next, err := refresh(ctx, client, base, token)
		if err != nil {
			once.Lock()
			defer once.Unlock()
			if lost++; lost < len(tokens)/2 {
				return err // the token is spent; the others go on
			}
			free <- token
			return err
		}
		free <- next
		return nil
	}
}

func refresh(ctx context.Context, client *http.Client, base, token string) (string, error) {
	req, err := post(ctx, base+"/oauth2/token", "app", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}})
	if err != nil {
		return "", err
	}
	body, err := send(client, req, http.StatusOK)
	if err != nil {
		return "", err
	}
	var reply struct {
		RefreshToken string `json:"refresh_token"`
	}
	if err := json.Unmarshal(body, &reply); err != nil || reply.RefreshToken == "" {
		return "", fmt.Errorf("no refresh token in %.200s", body)
	}
	return reply.RefreshToken, nil
}

// floorRows are the bare handlers.
func floorRows(base string) []row {
	return []row{
		{Name: "floor: Gin hello", Call: getCall(base+"/hello", "")},
		{Name: "floor: Gin form", Call: postCall(base+"/form", "", url.Values{"username": {"cheap"}, "password": {password}})},
		{Name: "floor: Gin + ES256 signature", Call: getCall(base+"/es256", "")},
		{Name: "floor: Gin + bcrypt cost 4", Call: getCall(base+"/bcrypt4", "")},
		{Name: "floor: Gin + argon2id", Call: getCall(base+"/argon2id", "")},
	}
}

// keywayRows are the rows of a running Keyway.
func keywayRows(ctx context.Context, base string, refreshTokens []string) ([]row, error) {
	client := newClient(1)
	defer client.CloseIdleConnections()
	token, err := login(ctx, client, base, url.Values{"username": {"cheap"}, "password": {password}})
	if err != nil {
		return nil, err
	}
	flow, err := newCodeFlow(ctx, base)
	if err != nil {
		return nil, err
	}
	credentials := url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}}
	return []row{
		{Name: "discovery", Target: 0.035, Call: getCall(base+"/.well-known/openid-configuration", "")},
		{Name: "JWKS", Target: 0.035, Call: getCall(base+"/oauth2/jwks", "")},
		{Name: "introspection, opaque", Target: 0.08, Call: postCall(base+"/oauth2/introspect", "service", url.Values{"token": {token}})},
		{Name: "userinfo", Target: 0.08, Call: getCall(base+"/oauth2/userinfo", token)},
		{Name: "client credentials, opaque", Target: 0.20, Call: postCall(base+"/oauth2/token", "service", credentials)},
		{Name: "client credentials, ES256 JWT", Target: 0.35, Call: postCall(base+"/oauth2/token", "service-jwt", credentials)},
		{Name: "refresh, rotating", Target: 0.45, Call: refreshCall(base, refreshTokens)},
		{Name: "code + PKCE with a session, ES256", Target: 1.2, Call: flow.call},
		{Name: "device flow with a session, ES256", Call: flow.device},
		{Name: "token exchange of a legacy token, opaque", Call: postCall(base+"/oauth2/token", "service", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "scope": {"openid"},
			"subject_token": {token}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		})},
		{Name: "pushed authorization request", Call: pushCall(base)},
		{Name: "legacy login, bcrypt cost 4, minus the hash", Target: 0.30, Call: loginCall(base, "cheap"), Floor: "floor: Gin + bcrypt cost 4"},
		{Name: "legacy login, argon2id, minus the hash", Target: 1.0, Call: loginCall(base, "full"), Floor: "floor: Gin + argon2id"},
	}, nil
}
