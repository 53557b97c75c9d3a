package main

import (
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// TestInABrowser is the sign-in as people go through it, in Chromium, against
// the demo and its relying party.
func TestInABrowser(t *testing.T) {
	browser, d := startBrowser(t), startDemo(t)
	for _, c := range []struct {
		name string
		do   func(p *person)
	}{
		{"a person signs in, agrees, and the app knows them", signInAndAgree},
		{"a wrong password and an unknown user are told the same", wrongPassword},
		{"a locked user is told to wait", lockedOut},
		{"a person who does not agree goes back to the app, which gets nothing", refuseConsent},
		{"an app signs a person out", signOutByApp},
		{"a bare sign-out asks first", signOutBare},
		{"the account page ends other sessions", endSession},
		{"the account page takes a consent back", takeConsentBack},
		{"signing out everywhere ends the app's tokens and every session", signOutEverywhere},
		{"the account page asks a stranger to sign in", accountOfStranger},
		{"an app that asks for a new sign-in gets one", signInAgain},
		{"the keyboard is enough", keyboardOnly},
		{"a sign-in cannot be finished in another browser", otherBrowser},
		{"an unknown app gets an error page", unknownApp},
		{"JavaScript is not needed", withoutScripts},
		{"an app chooses the language", languageOfApp},
		{"an answer by form_post is sent by itself", formPost},
		{"an answer by form_post has a button where there are no scripts", formPostWithoutScripts},
	} {
		t.Run(c.name, func(t *testing.T) { c.do(newPerson(browser, t, d.URL)) })
	}
}

// signsInToApp signs somebody in to the demo's app who has agreed or agrees now.
func (p *person) signsInToApp(username, password string) {
	p.Helper()
	p.open("/demo/login")
	p.sees("login-form")
	p.enters("username", username)
	p.enters("password", password)
	p.do(chromedp.Click(chromedp.ID("login-submit")), chromedp.WaitVisible(chromedp.CSS("#consent-allow, #demo-logout")))
	if answerOf(p, chromedp.Evaluate[bool](`document.getElementById("consent-allow") !== null`)) {
		p.presses("consent-allow", "demo-logout")
	}
}

// endsOtherSession ends the one session beside the browser's own.
func (p *person) endsOtherSession() {
	p.Helper()
	p.do(chromedp.Click(chromedp.CSS(`button[id^="end-"]`)), chromedp.WaitVisible(chromedp.ID("account-notice")))
}

func signInAndAgree(p *person) {
	p.open("/demo")
	p.presses("demo-login", "login-form")
	require.Contains(p, p.reads("login-page"), "Demo web app")
	p.signsIn("alice", "correct-horse", "consent-form")
	consent := p.reads("consent-page")
	require.Contains(p, consent, "Alice Example")
	require.Contains(p, consent, "See your e-mail address")
	p.presses("consent-allow", "demo-logout")
	require.Equal(p, p.url+"/demo", p.at())
	claims := p.reads("id-claims")
	for _, want := range []string{"aud", "demo-web", "nonce", "auth_time", "sub"} {
		require.Contains(p, claims, want)
	}
	require.Contains(p, p.reads("userinfo-claims"), "alice@example.com")
	p.open("/demo/login") // the session and the consent are remembered
	p.sees("demo-logout")
}

func wrongPassword(p *person) {
	p.open("/demo/login")
	p.signsIn("alice", "wrong", "login-error")
	wrong := p.reads("login-error")
	require.Equal(p, "alice", answerOf(p, chromedp.Value(chromedp.ID("username"))))
	require.Empty(p, answerOf(p, chromedp.Value(chromedp.ID("password"))))
	require.Equal(p, "password", answerOf(p, chromedp.Evaluate[string](`document.activeElement.id`)))
	require.True(p, strings.HasPrefix(answerOf(p, chromedp.Title()), "Error:"))
	p.open("/demo/login")
	p.signsIn("nobody-here", "wrong", "login-error")
	require.Equal(p, wrong, p.reads("login-error"))
}

func lockedOut(p *person) {
	p.open("/demo/login")
	text := ""
	for range 12 {
		p.signsIn("merchant@example.com", "wrong", "login-error")
		if text = p.reads("login-error"); strings.Contains(text, "too many attempts") {
			break
		}
		p.open("/demo/login")
	}
	require.Contains(p, text, "too many attempts")
	p.open("/demo/login")
	p.signsIn("merchant@example.com", "demopass", "login-error") // the right one does not help now
	require.Equal(p, text, p.reads("login-error"))
}

func refuseConsent(p *person) {
	p.open("/demo/login")
	p.signsIn("administrator", "demopass", "consent-form")
	p.presses("consent-deny", "demo-problem")
	require.Contains(p, p.reads("demo-problem"), "access_denied")
	p.open("/demo/login") // it is asked again: a refusal is not remembered
	p.sees("consent-form")
}

func signOutByApp(p *person) {
	p.signsInToApp("alice", "correct-horse")
	p.presses("demo-logout", "demo-login") // the ID token is hint enough: nothing is asked
	require.True(p, strings.HasPrefix(p.at(), p.url+"/demo"), p.at())
	p.presses("demo-login", "login-form")
}

func signOutBare(p *person) {
	p.signsInToApp("alice", "correct-horse")
	p.open("/oauth2/logout")
	require.Contains(p, p.reads("logout-page"), "Alice Example")
	p.presses("logout-stay", "account-page")
	p.open("/oauth2/logout")
	p.presses("logout-submit", "logged_out-page")
	p.open("/demo/login")
	p.sees("login-form")
}

func endSession(p *person) {
	other := newPerson(p.ctx, p.T, p.url)
	other.signsInToApp("demoadmin", "demopass")
	p.signsInToApp("demoadmin", "demopass")
	p.open("/account")
	require.Contains(p, p.reads("account-page"), "demoadmin@example.com")
	require.Contains(p, p.reads("sessions"), "This browser")
	p.endsOtherSession()
	require.NotContains(p, answerOf(p, chromedp.OuterHTML(chromedp.ID("sessions"))), "<button")
	other.open("/demo/login")
	other.sees("login-form")
	p.open("/demo/login")
	p.sees("demo-logout")
}

func takeConsentBack(p *person) {
	p.signsInToApp("demoadmin", "demopass")
	p.open("/account")
	require.Contains(p, p.reads("consents"), "Demo web app")
	p.presses("revoke-0", "account-notice")
	p.open("/demo/login")
	p.sees("consent-form")
}

func signOutEverywhere(p *person) {
	other := newPerson(p.ctx, p.T, p.url)
	other.signsInToApp("zoe", `pässwörd "<&>' \ €`)
	p.signsInToApp("zoe", `pässwörd "<&>' \ €`)
	require.Contains(p, p.reads("userinfo-claims"), "O'Brien & <Sons>")
	p.open("/account")
	p.do(chromedp.Click(chromedp.ID("signout-everywhere")), chromedp.WaitVisible(chromedp.CSS("#logged_out-page, #login-page")))
	for _, one := range []*person{p, other} {
		one.open("/demo/login")
		one.sees("login-form")
	}
}

func accountOfStranger(p *person) {
	p.open("/account")
	p.signsIn("alice", "correct-horse", "account-page")
	require.Equal(p, p.url+"/account", p.at())
	p.do(chromedp.Click(chromedp.ID("signout")), chromedp.WaitVisible(chromedp.CSS("#logged_out-page, #login-page")))
	p.open("/account")
	p.sees("login-form")
}

func signInAgain(p *person) {
	p.signsInToApp("alice", "correct-horse")
	before := p.reads("id-claims")
	p.presses("demo-again", "login-form")
	require.Contains(p, p.reads("login-page"), "once more")
	p.signsIn("alice", "correct-horse", "demo-logout")
	require.NotEqual(p, before, p.reads("id-claims"))
}

func keyboardOnly(p *person) {
	p.open("/demo/login")
	p.sees("login-form")
	p.do( // the first field has the focus
		chromedp.KeyEvent("alice"), chromedp.KeyEvent(kb.Tab), chromedp.KeyEvent("correct-horse"), chromedp.KeyEvent(kb.Enter),
		chromedp.WaitVisible(chromedp.ID("demo-logout")),
	)
}

func otherBrowser(p *person) {
	p.open("/demo/login")
	p.sees("login-form")
	at := p.at()
	thief := newPerson(p.ctx, p.T, p.url)
	thief.do(chromedp.Navigate(at))
	thief.sees("error-text")
	require.NotContains(p, answerOf(thief, chromedp.OuterHTML(chromedp.CSS("body"))), "login-form")
	p.signsIn("alice", "correct-horse", "demo-logout") // who began it can finish it
}

func unknownApp(p *person) {
	p.open("/oauth2/authorize?response_type=code&client_id=nobody&redirect_uri=https%3A%2F%2Fevil.example%2F")
	require.Contains(p, p.reads("error-page"), "do not know this app")
	require.NotEmpty(p, p.reads("request-id"))
	require.True(p, strings.HasPrefix(p.at(), p.url))
	p.open("/oauth2/authorize?response_type=code&client_id=demo-web&redirect_uri=https%3A%2F%2Fevil.example%2F")
	require.Contains(p, p.reads("error-page"), "not registered for it")
}

func withoutScripts(p *person) {
	p.runsNoScripts()
	p.open("/demo/login")
	p.signsIn("alice", "wrong", "login-error")
	p.signsIn("alice", "correct-horse", "demo-logout")
	p.open("/account")
	p.do(chromedp.Click(chromedp.ID("signout")), chromedp.WaitVisible(chromedp.CSS("#logged_out-page, #login-page")))
}

func languageOfApp(p *person) {
	p.speaks("en")
	p.open("/demo/login?ui_locales=fr+de")
	require.Contains(p, p.reads("login-page"), "Anmelden")
}

func formPost(p *person) {
	p.open(formPostRequest(p))
	p.do(chromedp.WaitVisible(chromedp.ID("login-form")))
	p.enters("username", "alice")
	p.enters("password", "correct-horse")
	p.presses("login-submit", "consent-form")
	p.presses("consent-allow", "arrived")
	requireArrived(p)
}

func formPostWithoutScripts(p *person) {
	p.runsNoScripts()
	p.open(formPostRequest(p))
	p.do(chromedp.WaitVisible(chromedp.ID("login-form")))
	p.enters("username", "alice")
	p.enters("password", "correct-horse")
	p.do(chromedp.Click(chromedp.ID("login-submit")), chromedp.WaitVisible(chromedp.CSS("#consent-allow, #form-post-submit")))
	if answerOf(p, chromedp.Evaluate[bool](`document.getElementById("consent-allow") !== null`)) {
		p.presses("consent-allow", "form-post-submit")
	}
	p.presses("form-post-submit", "arrived")
	requireArrived(p)
}

// formPostRequest is the request of an app that listens on a port of its own.
func formPostRequest(p *person) string {
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = fmt.Fprintf(w, `<p id="arrived">%s %s</p>`, r.Method, html.EscapeString(r.PostFormValue("state")+" "+r.PostFormValue("iss")+" "+r.PostFormValue("code")))
	}))
	p.Cleanup(app.Close)
	return "/oauth2/authorize?" + url.Values{
		"client_id": {"demo-spa"}, "response_type": {"code"}, "response_mode": {"form_post"}, "scope": {"openid"}, "state": {`a"b<c`},
		"redirect_uri": {app.URL + "/callback"}, "code_challenge_method": {"S256"},
		"code_challenge": {oauth2.S256ChallengeFromVerifier(oauth2.GenerateVerifier())},
	}.Encode()
}

func requireArrived(p *person) {
	p.Helper()
	require.Regexp(p, `^POST a"b<c `+regexp.QuoteMeta(p.url)+` \S{20,}$`, p.reads("arrived"))
}
