package main

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// corpAlice is what the old apps of Example Corp's Alice send.
const corpAlice = "alice@corp.example"

// TestTheWholeStoryOfAPersonOfAnUpstream is Alice, whose password is at Example Corp
// and not here: she signs in there, sets up a second factor here, makes a password
// for each old app, and uses it there; then Example Corp disables her.
func TestTheWholeStoryOfAPersonOfAnUpstream(t *testing.T) {
	browser, d := startBrowser(t), startDemo(t)
	p := newPerson(browser, t, d.URL)
	p.open("/account")
	p.enters("username", corpAlice)
	p.do(chromedp.Click(chromedp.ID("login-submit")), chromedp.WaitVisible(chromedp.CSS(`form[action="/corp/login"]`)))
	p.signsIn(corpAlice, "correct-horse", "account-page")
	key, recovery := p.setsUpAnApp()

	t.Run("the second factor is asked for at her next sign-in", func(*testing.T) {
		p.do(chromedp.Click(chromedp.ID("signout")), chromedp.WaitNotPresent(chromedp.ID("account-page")))
		p.open("/account")
		p.do(chromedp.Click(chromedp.ID("upstream-corp")), chromedp.WaitVisible(chromedp.CSS(`form[action="/corp/login"]`)))
		p.signsIn(corpAlice, "correct-horse", "factor-form") // she was signed out there, too
		p.enters("code", p.showsCode(key, time.Now().Add(30*time.Second)))
		p.presses("factor-submit", "account-page")
	})
	made := map[string]string{}
	t.Run("she makes a password for each old app, and logs in with it there", func(t *testing.T) {
		for _, l := range corpLogins() {
			p.do(chromedp.Navigate(p.url+"/account"), chromedp.WaitVisible(chromedp.ID("apps-form")))
			made[l.system] = p.makesApp(l.system, "Old "+l.system)
			require.Equal(t, true, d.introspect(t, d.corpLogin(t, l, made[l.system]))["active"], l.system)
			require.Empty(t, d.corpLogin(t, l, "correct-horse"), "her password is not known here")
		}
		require.Empty(t, d.corpLogin(t, corpLogins()[1], made["faveo"]), "it opens one system alone")
	})
	app := newSurfer(t)
	app.recovery = recovery
	tokens := d.visitsApp(t, app)

	t.Run("Example Corp disables her: refresh and old logins both end", func(t *testing.T) {
		d.disableAtCorp(t, identity.StatusDisabled)
		require.Eventually(t, func() bool {
			status, next := d.refreshes(t, tokens)
			if status == http.StatusOK {
				tokens = next
				return false
			}
			return status == http.StatusBadRequest && next["error"] == "invalid_grant"
		}, 30*time.Second, time.Second)
		for _, l := range corpLogins() {
			require.Empty(t, d.corpLogin(t, l, made[l.system]), l.system)
		}
		p.open("/account")
		p.sees("login-form") // her browser is signed out
	})
}

// setsUpAnApp sets up an authenticator app on the account page, and returns its key
// and a recovery code.
func (p *person) setsUpAnApp() (key, recovery string) {
	p.Helper()
	p.presses("factor-add", "enrol-form")
	key = p.shownKey()
	p.enters("code", p.showsCode(key, time.Now()))
	p.presses("enrol-submit", "codes")
	recovery = strings.Fields(p.reads("codes"))[0]
	p.presses("continue", "account-page")
	return key, recovery
}

// showsCode is what the app shows. Each code is taken once, and one step ahead is
// taken for a clock that is fast.
func (p *person) showsCode(key string, at time.Time) string {
	p.Helper()
	code, err := totp.GenerateCode(key, at)
	require.NoError(p, err)
	return code
}

// corpLogins are the calls of the four old systems as Alice's apps make them.
func corpLogins() []legacyLogin {
	all := legacyLogins()
	var four []legacyLogin
	for _, l := range all {
		switch l.system {
		case "faveo", "ossn", "crmcom", "payhub":
			l.body = strings.NewReplacer("username=alice", "username="+url.QueryEscape(corpAlice), `"username":"alice"`, `"username":"`+corpAlice+`"`,
				"alice@example.com", corpAlice).Replace(l.body)
			four = append(four, l)
		}
	}
	return four
}

// corpLogin returns the access token of a reply, "" where she is not let in.
func (d *demo) corpLogin(t *testing.T, l legacyLogin, password string) string {
	t.Helper()
	_, header, body := d.post(t, l.path, strings.ReplaceAll(l.body, "correct-horse", password))
	token := l.token(header, body)
	if token != "" && d.introspect(t, token)["active"] != true {
		return "" // OSSN sets its cookie for everybody
	}
	return token
}
