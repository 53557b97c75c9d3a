package main

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestAppPasswordsInABrowser is somebody who makes a password for an old app, uses
// it there, and takes it back.
func TestAppPasswordsInABrowser(t *testing.T) {
	browser, d := startBrowser(t), startDemo(t)
	p := newPerson(browser, t, d.URL)
	legacy := func(password string) string {
		_, header, body := d.post(t, "/api/v1/authenticate", "username=alice&password="+password+"&api_key=DEMO-FAVEO-API-KEY")
		return tokenInBody(header, body)
	}
	p.runsNoScripts()
	p.open("/account")
	p.signsIn("alice", "correct-horse", "apps-form")
	require.Contains(t, p.reads("apps-lead"), "It opens nothing else")
	shown := p.makesApp("faveo", "Mail gateway")
	require.Contains(t, p.reads("app-usernames"), "alice")
	require.Contains(t, p.reads("app_password-page"), "Mail gateway")
	require.NotContains(t, p.at(), shown)
	token := legacy(shown)
	require.NotEmpty(t, token)
	require.Equal(t, true, d.introspect(t, token)["active"])

	p.presses("app-done", "apps")
	require.Contains(t, p.reads("app-0"), "Mail gateway")
	require.Contains(t, p.reads("app-0"), "Last used")
	require.NotContains(t, p.reads("account-page"), shown)
	require.Contains(t, p.reads("everywhere-lead"), "Your app passwords stay")
	p.presses("remove-app-0", "account-notice")
	require.Empty(t, legacy(shown))
	require.Equal(t, false, d.introspect(t, token)["active"])
	require.NotEmpty(t, legacy("correct-horse"))

	p.enters("app-networks", "home")
	p.enters("app-name", "Printer")
	p.presses("app-submit", "apps-error")
	require.Contains(t, p.reads("apps-error"), "192.0.2.0/24")
	require.Equal(t, "Printer", answerOf(p, chromedp.Value(chromedp.ID("app-name"))))
}

// makesApp fills in the form of the account page, and returns the password.
func (p *person) makesApp(system, name string) string {
	p.Helper()
	p.do(chromedp.SetValue(chromedp.ID("app-system"), system))
	p.enters("app-name", name)
	p.presses("app-submit", "app-password")
	return answerOf(p, chromedp.Value(chromedp.ID("app-password")))
}
