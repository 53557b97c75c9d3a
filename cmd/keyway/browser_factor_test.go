package main

import (
	"context"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"keyway/config"
)

// local is the demo under the name localhost, for browsers have no passkeys for
// addresses.
type local struct {
	*demo
	program *program
}

func startLocal(t *testing.T, change func(*config.Config)) *local {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	d := &local{demo: &demo{Dir: t.TempDir(), Stdout: &output{}, Stderr: &output{}, URL: "http://localhost:" + port}}
	cfg, err := demoConfig("localhost:"+port, d.Dir)
	require.NoError(t, err)
	if change != nil {
		change(cfg)
	}
	ctx, stop := context.WithCancel(context.Background())
	d.program, err = openAt(ctx, cfg, d.Stderr, time.Now)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- d.program.serve(ctx, l, nil) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		d.program.close()
	})
	return d
}

// holdsPasskeys gives the browser an authenticator that verifies people, or does
// not.
func (p *person) holdsPasskeys() (verifies func(bool)) {
	p.Helper()
	_, err := chromedp.Call(p.ctx, webauthn.Enable, webauthn.EnableParams{})
	require.NoError(p, err)
	made, err := chromedp.Call(p.ctx, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal,
		HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
	require.NoError(p, err)
	return func(verified bool) {
		_, err := chromedp.Call(p.ctx, webauthn.SetUserVerified, webauthn.SetUserVerifiedParams{AuthenticatorID: made.AuthenticatorID, IsUserVerified: verified})
		require.NoError(p, err)
	}
}

// leaves signs out by the account page, and comes back to sign in.
func (p *person) leaves() {
	p.Helper()
	p.open("/account")
	p.presses("signout", "logged_out-page")
	p.open("/account")
}

func TestPasskeysInABrowser(t *testing.T) {
	browser, d := startBrowser(t), startLocal(t, nil)
	p := newPerson(browser, t, d.URL)
	verifies := p.holdsPasskeys()
	p.open("/account")
	p.signsIn("alice", "correct-horse", "factor-add")
	p.presses("factor-add", "enrol-form")
	p.enters("passkey-name", "Laptop")
	p.presses("passkey-submit", "codes")
	p.presses("continue", "factors")
	require.Contains(t, p.reads("factor-0"), "Laptop")
	require.Contains(t, p.reads("factor-0"), "Passkey")

	p.leaves()
	p.signsIn("alice", "correct-horse", "passkey-form")
	verifies(false)
	p.presses("passkey-submit", "factor-error")
	verifies(true)
	p.presses("passkey-submit", "account-page")

	p.presses("factor-add", "enrol-form")
	p.presses("passkey-submit", "enrol-error") // the browser knows that it is there already
	p.open("/account")
	p.presses("remove-factor-0", "account-notice")
	p.leaves()
	p.signsIn("alice", "correct-horse", "account-page")
}

// enrolsApp sets up an app on the account page, and returns its key and the recovery
// codes.
func (p *person) enrolsApp() (key, codes string) {
	p.Helper()
	p.presses("factor-add", "enrol-form")
	key = p.shownKey()
	p.enters("code", p.codeOf(key, 0))
	p.presses("enrol-submit", "codes")
	codes = p.reads("codes")
	p.presses("continue", "factors")
	return key, codes
}

// shownKey is the key on the page, as an app scans it.
func (p *person) shownKey() string {
	p.Helper()
	return strings.ReplaceAll(p.reads("key"), " ", "")
}

// codeOf is what the app shows in so many steps; each is taken once.
func (p *person) codeOf(key string, steps int) string {
	p.Helper()
	code, err := totp.GenerateCode(key, time.Now().Add(time.Duration(steps)*30*time.Second))
	require.NoError(p, err)
	return code
}

// faveo asks whether the old app gets a token for alice with the password.
func (d *local) faveo(t *testing.T, password string) (status int, token string) {
	t.Helper()
	form := url.Values{"username": {"alice"}, "password": {password}, "api_key": {"DEMO-FAVEO-API-KEY"}}
	status, header, body := d.post(t, "/api/v1/authenticate", form.Encode())
	return status, tokenInBody(header, body)
}

// TestTwoStepsWithoutScripts is somebody whose browser runs no JavaScript, and who has an old
// app as well.
func TestTwoStepsWithoutScripts(t *testing.T) {
	browser, d := startBrowser(t), startLocal(t, func(c *config.Config) {
		for i := range c.Systems {
			if c.Systems[i].Template == "faveo" {
				c.Systems[i].SecondFactor = "appended"
			}
		}
	})
	_, token := d.faveo(t, "correct-horse")
	require.NotEmpty(t, token, "before she has set anything up")
	p := newPerson(browser, t, d.URL)
	p.runsNoScripts()
	p.open("/account")
	p.signsIn("alice", "correct-horse", "factor-add")
	key, codes := p.enrolsApp()

	p.leaves()
	p.signsIn("alice", "correct-horse", "factor-form")
	p.open("/account")
	p.enters("code", "000000")
	p.presses("factor-submit", "factor-error")
	p.enters("code", p.codeOf(key, 1))
	p.presses("factor-submit", "account-page")

	p.leaves()
	p.signsIn("alice", "correct-horse", "factor-form")
	p.do(chromedp.Click(chromedp.CSS("summary")))
	p.enters("recovery-code", codes[:19])
	p.presses("recovery-submit", "account-page")
	require.Contains(t, p.reads("factors-left"), "9")

	wrong, token := d.faveo(t, "wrong-horse")
	require.Empty(t, token)
	for name, password := range map[string]string{
		"without a code": "correct-horse", "with a wrong one": "correct-horse000000", "with one that was used": "correct-horse" + p.codeOf(key, 0),
		"with a right one behind a wrong password": "wrong-horse" + p.codeOf(key, 0),
	} {
		status, token := d.faveo(t, password)
		require.Empty(t, token, name)
		require.Equal(t, wrong, status, name)
	}
	app := p.makesAppFor("faveo")
	_, token = d.faveo(t, app)
	require.NotEmpty(t, token, "app passwords need no code")
}

func (p *person) makesAppFor(system string) string {
	p.Helper()
	p.open("/account")
	return p.makesApp(system, "Gateway")
}

// TestAnOldCallIsRefusedInItsOwnShape is the outcome second_factor on the wire.
func TestAnOldCallIsRefusedInItsOwnShape(t *testing.T) {
	d := startLocal(t, func(c *config.Config) { c.SecondFactor.Mode = "required" })
	status, token := d.faveo(t, "correct-horse")
	require.Empty(t, token)
	wrong, _ := d.faveo(t, "wrong-horse")
	require.Equal(t, wrong, status, "Faveo has no shape of its own for it")
	for range 20 { // an old app that goes on calling
		_, token = d.faveo(t, "correct-horse")
		require.Empty(t, token)
	}
	p := newPerson(startBrowser(t), t, d.URL)
	p.open("/account")
	p.signsIn("alice", "correct-horse", "enrol-form") // has locked nobody out
}

// TestTwoStepPagesInEveryLook examines the pages of two-step sign-in.
func TestTwoStepPagesInEveryLook(t *testing.T) {
	browser, d := startBrowser(t), startLocal(t, nil)
	alice, err := d.program.findUser(t.Context(), "default", "alice")
	require.NoError(t, err)
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
			p.holdsPasskeys()
			p.twoStepPages(l)
			_, err := d.program.store.ResetFactors(t.Context(), alice.Subject)
			require.NoError(t, err)
		})
	}
}

func (p *person) twoStepPages(l look) {
	p.Helper()
	p.open("/account")
	p.signsIn("alice", "correct-horse", "factor-add")
	p.looks(l, "account-page", "factors-none")
	p.presses("factor-add", "enrol-form")
	p.looks(l, "enrol-page")
	p.enters("code", "000000")
	p.presses("enrol-submit", "enrol-error")
	p.looks(l, "enrol-page", "error")
	p.enters("code", p.codeOf(p.shownKey(), 0))
	p.presses("enrol-submit", "codes")
	p.looks(l, "recovery-page")
	p.presses("continue", "factors")
	p.presses("factor-add", "enrol-form")
	p.presses("passkey-submit", "factors")
	p.looks(l, "account-page", "factors")
	p.leaves()
	p.signsIn("alice", "correct-horse", "factor-form")
	p.looks(l, "factor-page")
	p.do(chromedp.Click(chromedp.CSS("summary")))
	p.enters("recovery-code", "aaaa-bbbb-cccc-dddd")
	p.presses("recovery-submit", "factor-error")
	p.looks(l, "factor-page", "error")
}
