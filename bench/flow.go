package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

const callback = "http://127.0.0.1/callback"

// codeFlow is an authorization code flow with PKCE of somebody who is signed
// in: the request that the browser makes with its session, and the redemption
// of the code by the client. That is every request of it.
type codeFlow struct {
	base    string
	cookies string // of the browser, as it sends them
}

// newCodeFlow signs somebody in.
func newCodeFlow(ctx context.Context, base string) (*codeFlow, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	browser := &http.Client{Jar: jar, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), base+"/") {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	f := &codeFlow{base: base}
	req, err := f.authorize(ctx, rand.Text()+rand.Text())
	if err != nil {
		return nil, err
	}
	page, _, err := fetch(browser, req)
	if err != nil {
		return nil, err
	}
	form := filled(page, url.Values{"username": {"cheap"}, "password": {password}})
	if req, err = post(ctx, base+"/login", "", form); err != nil {
		return nil, err
	}
	page, to, err := fetch(browser, req)
	if err != nil || !strings.HasPrefix(to, callback) {
		return nil, errors.Join(err, fmt.Errorf("signing in led to %q: %.200s", to, page))
	}
	at, err := url.Parse(base)
	if err != nil {
		return nil, err
	}
	var pairs []string
	for _, c := range jar.Cookies(at) {
		pairs = append(pairs, c.Name+"="+c.Value)
	}
	f.cookies = strings.Join(pairs, "; ")
	return f, nil
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// filled is what a page's hidden fields say, and more.
func filled(page string, form url.Values) url.Values {
	for _, field := range hidden.FindAllStringSubmatch(page, -1) {
		form.Set(html.UnescapeString(field[1]), html.UnescapeString(field[2]))
	}
	return form
}

// fetch returns the body, and where the answer redirects to.
func fetch(browser *http.Client, req *http.Request) (body, to string, err error) {
	resp, err := browser.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close() //nolint:errcheck // only read from
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return string(b), resp.Header.Get("Location"), err
}

func (f *codeFlow) authorize(ctx context.Context, verifier string) (*http.Request, error) {
	sum := sha256.Sum256([]byte(verifier))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, f.base+"/oauth2/authorize?"+url.Values{
		"client_id": {"own"}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid email"}, "state": {"s"}, "nonce": {"n"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode(), http.NoBody)
	if err == nil && f.cookies != "" {
		req.Header.Set("Cookie", f.cookies)
	}
	return req, err
}

// device lets one device in: its request, what the person who is signed in sees
// and sends, and the redemption of the device code.
func (f *codeFlow) device(ctx context.Context, client *http.Client, _ int64) error {
	req, err := post(ctx, f.base+"/oauth2/device", "", url.Values{"client_id": {"box"}, "scope": {"openid"}})
	if err != nil {
		return err
	}
	body, err := send(client, req, http.StatusOK)
	if err != nil {
		return err
	}
	var begun struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := json.Unmarshal(body, &begun); err != nil {
		return err
	}
	if req, err = http.NewRequestWithContext(ctx, http.MethodGet, f.base+"/device", http.NoBody); err != nil {
		return err
	}
	for _, more := range []url.Values{{"user_code": {begun.UserCode}}, {"decision": {"allow"}}} {
		page, err := f.visit(client, req)
		if err != nil {
			return err
		}
		if req, err = post(ctx, f.base+"/device", "", filled(page, more)); err != nil {
			return err
		}
	}
	if _, err = f.visit(client, req); err != nil {
		return err
	}
	req, err = post(ctx, f.base+"/oauth2/token", "", url.Values{
		"client_id": {"box"}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.DeviceCode},
	})
	if err != nil {
		return err
	}
	_, err = send(client, req, http.StatusOK)
	return err
}

// visit makes a request of the browser, and follows where it is sent.
func (f *codeFlow) visit(client *http.Client, req *http.Request) (page string, err error) {
	for range 5 {
		req.Header.Set("Cookie", f.cookies)
		page, to, err := fetch(client, req)
		if err != nil || to == "" {
			return page, err
		}
		if req, err = http.NewRequestWithContext(req.Context(), http.MethodGet, to, http.NoBody); err != nil {
			return "", err
		}
	}
	return "", errors.New("redirected in circles")
}

// call makes one flow, to an ID token.
func (f *codeFlow) call(ctx context.Context, client *http.Client, _ int64) error {
	verifier := rand.Text() + rand.Text()
	req, err := f.authorize(ctx, verifier)
	if err != nil {
		return err
	}
	page, location, err := fetch(client, req)
	if err != nil {
		return err
	}
	to, err := url.Parse(location)
	if err != nil || to.Query().Get("code") == "" {
		return fmt.Errorf("no code in %q: %.200s", location, page)
	}
	req, err = post(ctx, f.base+"/oauth2/token", "own", url.Values{
		"grant_type": {"authorization_code"}, "code": {to.Query().Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	})
	if err != nil {
		return err
	}
	body, err := send(client, req, http.StatusOK)
	if err == nil && !strings.Contains(string(body), `"id_token"`) {
		err = fmt.Errorf("no ID token in %.200s", body)
	}
	return err
}
