package main

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestLinkingInABrowser is the account page's part about upstreams as people use it: in
// Chromium, for a form leads to another site there, and nobody comes back without their
// session.
func TestLinkingInABrowser(t *testing.T) {
	browser, d := startBrowser(t), startDemo(t)
	p := newPerson(browser, t, d.URL)
	p.open("/account")
	p.signsIn("demoadmin", "demopass", "account-page")
	p.looks(look{name: "linking", language: "en", scheme: "light"}, "account-page")
	p.do(chromedp.Click(chromedp.ID("link-to-corp")), chromedp.WaitVisible(chromedp.CSS(`form[action="/corp/login"]`)))
	p.signsIn("alice@corp.example", "correct-horse", "account-notice")
	require.Contains(t, p.reads("account-notice"), "Your account is linked")
	require.Contains(t, p.reads("link-0"), "Example Corp")
	require.Contains(t, p.reads("account-page"), "demoadmin", "she is who she was")
	p.looks(look{name: "linked", language: "en", scheme: "light"}, "account-page")

	german := newPerson(browser, t, d.URL)
	german.speaks("de")
	german.prefers("dark")
	german.open("/account")
	german.do(chromedp.Click(chromedp.ID("upstream-corp")), chromedp.WaitVisible(chromedp.CSS(`form[action="/corp/login"]`)))
	german.signsIn("alice@corp.example", "correct-horse", "account-page")
	require.Contains(t, german.reads("account-page"), "demoadmin", "the link lets her in as herself")
	require.Contains(t, german.reads("links-lead"), "Verknüpfen Sie Ihr Konto")
	german.looks(look{name: "linked", language: "de", scheme: "dark"}, "account-page")

	other := newPerson(browser, t, d.URL)
	other.runsNoScripts()
	other.open("/account")
	other.signsIn("administrator", "demopass", "account-page")
	other.do(chromedp.Click(chromedp.ID("link-to-corp")), chromedp.WaitVisible(chromedp.CSS(`form[action="/corp/login"]`)))
	other.signsIn("alice@corp.example", "correct-horse", "error-page")
	require.Contains(t, other.reads("error-page"), "belongs to another account")
	other.presses("back", "account-page")

	p.presses("unlink-0", "link-to-corp") // the page before has a notice, too
	require.Contains(t, p.reads("account-notice"), "The link is gone")
	german.open("/account")
	german.sees("login-form") // who came by it is signed out
}
