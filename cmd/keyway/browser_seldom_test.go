package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// seldom is a configuration whose pages show what most sign-ins do not need.
const seldom = `database: keyway.db
users_file: users.jsonl
sign_in: {sign_up_url: "https://www.example.com/join"}
clients:
  - client_id: bank
    name: Example Bank
    auth_method: none
    grant_types: [authorization_code]
    scopes: [openid, profile, email, address, phone, accounts.read]
    authorization_details_types: [payment]
    client_uri: https://bank.example.com/
    redirect_uris: [%APP%/callback]
    frontchannel_logout_uri: %APP%/front?at=bank
    frontchannel_logout_session_required: true
`

// TestSeldomPagesInEveryLook is what TestEveryPageInEveryLook does, for the pages
// that only some requests lead to, and a sign-out that the app hears of in the
// person's browser.
func TestSeldomPagesInEveryLook(t *testing.T) {
	heard := make(chan url.Values, 8)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/front" {
			heard <- r.URL.Query()
		}
		_, _ = w.Write([]byte(`<p id="arrived">here</p>`))
	}))
	t.Cleanup(app.Close)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users.jsonl"),
		[]byte(`{"login_names":["alice"],"status":"active","password":"correct-horse","email":"alice@example.com","claims":{"name":"Alice Example"}}`), 0o600))
	d := startServe(t, dir, strings.ReplaceAll(seldom, "%APP%", app.URL))
	browser := startBrowser(t)
	for _, l := range []look{
		{"seldom light on a desktop in English", "en-GB,en", "light", 1200},
		{"seldom dark on a 360 pixel phone in German", "de", "dark", 360},
	} {
		t.Run(l.name, func(t *testing.T) {
			p := newPerson(browser, t, d.URL)
			p.speaks(l.language)
			p.prefers(l.scheme)
			p.holds(l.width)
			seldomPages(p, l, app.URL)
			said := <-heard
			require.Equal(t, "bank", said.Get("at"))
			require.Equal(t, d.URL, said.Get("iss"))
			require.NotEmpty(t, said.Get("sid"))
			require.Empty(t, heard, "the app is told once")
		})
	}
}

func seldomPages(p *person, l look, app string) {
	ask := func(prompt string) string {
		return "/oauth2/authorize?" + url.Values{
			"client_id": {"bank"}, "redirect_uri": {app + "/callback"}, "response_type": {"code"}, "prompt": {prompt},
			"scope":                 {"openid profile email address phone accounts.read"},
			"authorization_details": {`[{"type":"payment","amount":{"value":"123.50","currency":"EUR"},"creditor":"Example Shop with a long name","locations":["https://pay.example.com/a/rather/long/path/of/a/resource"]}]`},
			"code_challenge":        {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "code_challenge_method": {"S256"},
		}.Encode()
	}
	p.open(ask("consent"))
	p.sees("sign-up")
	p.looks(l, "login-page", "seldom")
	p.signsIn("alice", "correct-horse", "consent-form")
	p.looks(l, "consent-page", "seldom")
	p.presses("consent-allow", "arrived")
	p.open(ask("select_account"))
	p.looks(l, "select-page")
	for _, agent := range []string{
		"Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.0 Mobile/15E148 Safari/604.1",
		"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0", "curl/8.5.0",
	} {
		other := newPerson(p.ctx, p.T, p.url)
		_, err := chromedp.Call(other.ctx, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"User-Agent": agent}})
		require.NoError(p, err)
		other.open("/account")
		other.signsIn("alice", "correct-horse", "account-page")
	}
	p.open("/account")
	require.Equal(p, 3, answerOf(p, chromedp.Evaluate[int](`document.querySelectorAll("#sessions button").length`)))
	p.looks(l, "account-page", "several")
	p.presses("signout-everywhere", "logged_out-page")
	require.Equal(p, 1, answerOf(p, chromedp.Evaluate[int](`document.querySelectorAll("iframe").length`)))
	p.looks(l, "logged_out-page", "told")
}
