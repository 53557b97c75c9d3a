package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// look is one way in which people have the pages before them.
type look struct {
	name, language, scheme string
	width                  int64
}

// TestEveryPageInEveryLook goes through all pages in each look: axe reports
// nothing, nothing is wider than the screen, and the language is the right one.
// With KEYWAY_SCREENSHOTS=FOLDER it leaves a picture of each.
func TestEveryPageInEveryLook(t *testing.T) {
	browser, d := startBrowser(t), startDemo(t)
	for _, l := range []look{
		{"light on a desktop in English", "en-GB,en", "light", 1200},
		{"dark on a desktop in German", "de-AT,de;q=0.9", "dark", 1200},
		{"light on a 360 pixel phone in German", "de", "light", 360},
		{"dark on a 360 pixel phone in English", "en", "dark", 360},
	} {
		t.Run(l.name, func(t *testing.T) {
			p := newPerson(browser, t, d.URL)
			p.speaks(l.language)
			p.prefers(l.scheme)
			p.holds(l.width)
			everyPage(p, l)
		})
	}
}

func everyPage(p *person, l look) {
	p.open("/demo")
	p.looks(l, "demo-page")
	p.presses("demo-login", "login-form")
	p.looks(l, "login-page")
	p.signsIn("alice", "wrong", "login-error")
	p.looks(l, "login-page", "error")
	p.signsIn("alice", "correct-horse", "consent-form")
	p.looks(l, "consent-page")
	p.presses("consent-allow", "demo-logout")
	p.looks(l, "demo-page", "signed-in")
	another := newPerson(p.ctx, p.T, p.url)
	another.signsInToApp("alice", "correct-horse")
	p.open("/account")
	p.looks(l, "account-page")
	p.endsOtherSession()
	p.looks(l, "account-page", "notice")
	p.changesPassword("wrong", "a parrot in the cellar", "password-error")
	p.looks(l, "account-page", "refused")
	p.open("/account")
	p.makesApp("faveo", "Gateway")
	p.looks(l, "app_password-page")
	p.open("/account")
	p.enters("app-networks", "home")
	p.enters("app-name", "Printer")
	p.presses("app-submit", "apps-error")
	p.looks(l, "account-page", "apps")
	p.open("/account")
	p.presses("revoke-0", "account-notice") // so that the next look is asked, too
	p.open("/oauth2/logout")
	p.looks(l, "logout-page")
	p.presses("logout-submit", "logged_out-page")
	p.looks(l, "logged_out-page")
	p.open("/oauth2/authorize")
	p.looks(l, "error-page")
}

// looks examines the page that is open.
func (p *person) looks(l look, page string, state ...string) {
	p.Helper()
	p.sees(page)
	language := strings.Split(l.language, "-")[0]
	if page == "demo-page" {
		language = "en" // another's page
	}
	require.Equal(p, language, answerOf(p, chromedp.Evaluate[string](`document.documentElement.lang`)))
	light := answerOf(p, chromedp.Evaluate[bool](`getComputedStyle(document.querySelector(".card")).backgroundColor === "rgb(255, 255, 255)"`))
	require.Equal(p, l.scheme == "light", light)
	p.fits()
	p.accessible()
	if folder := os.Getenv("KEYWAY_SCREENSHOTS"); folder != "" {
		name := strings.Join(append([]string{page}, state...), "-") + "-" + l.scheme + "-" + strings.ReplaceAll(l.name, " ", "-") + ".png"
		require.NoError(p, os.WriteFile(filepath.Join(folder, name), answerOf(p, chromedp.FullScreenshot(100)), 0o600))
	}
}
