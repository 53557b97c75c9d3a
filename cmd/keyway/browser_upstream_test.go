package main

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestSigningInAtExampleCorpInABrowser goes, in Chromium, through what no other
// client judges: what the pages' policies let a form lead to, and which cookies
// come along when another site sends somebody back.
func TestSigningInAtExampleCorpInABrowser(t *testing.T) {
	browser, d := startBrowser(t), startDemo(t)
	t.Run("her address leads alice there, and no password is asked for", func(t *testing.T) {
		p := newPerson(browser, t, d.URL)
		p.open("/demo/login")
		p.looks(look{name: "federation", language: "en", scheme: "light"}, "login-page")
		p.sees("upstream-corp")
		p.enters("username", "alice@corp.example")
		p.do(chromedp.Click(chromedp.ID("login-submit")), chromedp.WaitVisible(chromedp.CSS(`form[action="/corp/login"]`)))
		require.Contains(t, p.at(), d.URL+"/corp/login")
		require.Equal(t, "alice@corp.example", answerOf(p, chromedp.Value(chromedp.ID("username"))))
		p.signsIn("alice@corp.example", "correct-horse", "consent-form")
		require.Contains(t, p.reads("consent-page"), "Alice Corp")
		p.presses("consent-allow", "demo-logout")
		require.Contains(t, p.reads("userinfo-claims"), "alice@corp.example")
		p.open("/account")
		require.Contains(t, p.reads("account-page"), "alice@corp.example")
	})
	t.Run("a button leads there, and who is signed in there is not asked again", func(t *testing.T) {
		p := newPerson(browser, t, d.URL)
		p.open("/corp/account")
		p.signsIn("alice", "correct-horse", "account-page")
		p.open("/demo/login")
		p.do(chromedp.Click(chromedp.ID("upstream-corp")), chromedp.WaitVisible(chromedp.CSS("#consent-allow, #demo-logout")))
		p.open("/corp/account")
		p.sees("account-page") // neither signed the other out
	})
	t.Run("who signs out here is signed out there, from either page", func(t *testing.T) {
		p := newPerson(browser, t, d.URL)
		for path, button := range map[string]string{"/account": "signout", "/oauth2/logout": "logout-submit"} {
			p.open("/demo/login")
			p.do(chromedp.Click(chromedp.ID("upstream-corp")), chromedp.WaitVisible(chromedp.CSS(`form[action="/corp/login"]`)))
			p.enters("username", "alice@corp.example")
			p.enters("password", "correct-horse")
			p.do(chromedp.Click(chromedp.ID("login-submit")), chromedp.WaitVisible(chromedp.CSS("#consent-allow, #demo-logout")))
			p.open(path)
			p.do(chromedp.Click(chromedp.ID(button)), chromedp.WaitVisible(chromedp.CSS(`section[role="status"]`)))
			require.Contains(t, p.at(), d.URL+"/login/signed-out/corp")
			p.open("/corp/account")
			p.sees("login-page")
		}
	})
	t.Run("an answer that nobody asked for is a clear page", func(t *testing.T) {
		p := newPerson(browser, t, d.URL)
		p.open("/login/callback/corp?code=x&state=y")
		require.Contains(t, p.reads("error-page"), "We could not believe that answer")
		p.looks(look{name: "federation", language: "en", scheme: "light"}, "error-page")
	})
}
