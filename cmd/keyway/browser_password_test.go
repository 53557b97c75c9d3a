package main

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestPasswordInABrowser is the account page's form as people use it, and what the
// old apps and the other browsers make of it.
func TestPasswordInABrowser(t *testing.T) {
	browser, d := startBrowser(t), startDemo(t)
	const before, after = "demopass", "a parrot in <the> cellar"
	p, other := newPerson(browser, t, d.URL), newPerson(browser, t, d.URL)
	p.signsInToApp("demoadmin", before)
	other.signsInToApp("demoadmin", before)
	legacy := func(password string) bool {
		res, err := http.PostForm(d.URL+"/api/v1/authenticate", url.Values{"username": {"demoadmin"}, "password": {password}, "api_key": {"DEMO-FAVEO-API-KEY"}})
		require.NoError(t, err)
		defer res.Body.Close() //nolint:errcheck // only read from
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return strings.Contains(string(body), `"token"`)
	}
	require.True(t, legacy(before))

	p.open("/account")
	require.Contains(t, p.reads("password-lead"), "also the password of your old apps")
	p.changesPassword("wrong", after, "password-error")
	require.Contains(t, p.reads("password-error"), "Nothing was changed")
	p.changesPassword(before, "Password2024!", "password-error")
	require.Contains(t, p.reads("password-error"), "would be guessed")
	require.Empty(t, answerOf(p, chromedp.Value(chromedp.ID("new"))))
	p.changesPassword(before, after, "account-notice")
	require.Contains(t, p.reads("account-notice"), "in your old apps too")

	other.open("/account")
	other.signsIn("demoadmin", before, "login-error")
	other.signsIn("demoadmin", after, "account-page")
	p.open("/demo/login")
	p.sees("demo-logout") // this browser goes on
	require.False(t, legacy(before))
	require.True(t, legacy(after))

	german := newPerson(browser, t, d.URL)
	german.speaks("de")
	german.runsNoScripts()
	german.open("/account")
	german.signsIn("demoadmin", after, "password-form")
	require.Contains(t, german.reads("password-lead"), "auch das Passwort Ihrer alten Apps")
	german.changesPassword(after, "ein Papagei im <Keller>", "account-notice")
}

// changesPassword fills the form of the account page.
func (p *person) changesPassword(current, fresh, next string) {
	p.Helper()
	p.open("/account")
	p.enters("current", current)
	p.enters("new", fresh)
	p.presses("password-submit", next)
}
