package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
)

// TestDevicesInABrowser lets devices in as people do, in Chromium.
func TestDevicesInABrowser(t *testing.T) {
	browser, d := startBrowser(t), startDemo(t)
	for _, c := range []struct {
		name string
		do   func(p *person)
	}{
		{"a person types the code, sees what is let in, and the device gets its tokens", letDeviceIn},
		{"the link of a device fills the code in and asks all the same", followDeviceLink},
		{"a wrong code is told, and can be mended", wrongDeviceCode},
		{"a device that was refused gets nothing", refuseDevice},
		{"JavaScript is not needed", deviceWithoutScripts},
		{"in German, in the dark, on a narrow phone", deviceInGerman},
	} {
		t.Run(c.name, func(t *testing.T) { c.do(newPerson(browser, t, d.URL)) })
	}
}

// deviceAnswer is what the endpoints tell a device.
type deviceAnswer struct {
	DeviceCode string `json:"device_code"`
	UserCode   string `json:"user_code"`
	Page       string `json:"verification_uri"`
	Complete   string `json:"verification_uri_complete"`
	Access     string `json:"access_token"`
	Refresh    string `json:"refresh_token"`
	ID         string `json:"id_token"`
	Error      string `json:"error"`
}

// asDevice posts a form as the demo's device.
func (p *person) asDevice(path string, form url.Values) deviceAnswer {
	p.Helper()
	form.Set("client_id", "demo-device")
	r, err := http.PostForm(p.url+path, form)
	require.NoError(p, err)
	defer r.Body.Close() //nolint:errcheck // nothing to lose
	body, err := io.ReadAll(r.Body)
	require.NoError(p, err)
	var a deviceAnswer
	require.NoError(p, json.Unmarshal(body, &a), "%s", body)
	return a
}

func (p *person) beginDevice() deviceAnswer {
	p.Helper()
	a := p.asDevice("/oauth2/device", url.Values{"scope": {"openid profile email offline_access"}})
	require.NotEmpty(p, a.DeviceCode, a.Error)
	return a
}

func (p *person) pollDevice(begun deviceAnswer) deviceAnswer {
	p.Helper()
	return p.asDevice("/oauth2/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.DeviceCode}})
}

// opensDevice goes to a device's page and signs in.
func (p *person) opensDevice(target string) {
	p.Helper()
	p.open(strings.TrimPrefix(target, p.url))
	p.signsIn("alice", "correct-horse", "device-form")
}

func letDeviceIn(p *person) {
	begun := p.beginDevice()
	require.Equal(p, "authorization_pending", p.pollDevice(begun).Error)
	p.opensDevice(begun.Page)
	require.Equal(p, "user_code", answerOf(p, chromedp.Evaluate[string](`document.activeElement.id`)))
	require.Empty(p, answerOf(p, chromedp.Value(chromedp.ID("user_code"))))
	p.enters("user_code", strings.ToLower(begun.UserCode))
	p.presses("device-submit", "device-confirm-form")
	page := p.reads("device_confirm-page")
	for _, want := range []string{"Demo device", begun.UserCode, "Alice Example", "See your e-mail address", "127.0.0.1", "only if you started it yourself"} {
		require.Contains(p, page, want)
	}
	p.presses("device-allow", "device-allowed")
	got := p.pollDevice(begun)
	require.NotEmpty(p, got.Access, got.Error)
	require.NotEmpty(p, got.Refresh)
	require.NotEmpty(p, got.ID)
	require.Equal(p, "invalid_grant", p.pollDevice(begun).Error)
	p.do(chromedp.Reload())
	p.sees("device-allowed") // loading it again does nothing again
	p.presses("device-account", "account-page")
	require.Contains(p, p.reads("consents"), "Demo device")
}

func followDeviceLink(p *person) {
	begun := p.beginDevice()
	p.opensDevice(begun.Complete)
	require.Equal(p, begun.UserCode, answerOf(p, chromedp.Value(chromedp.ID("user_code"))))
	p.presses("device-submit", "device-confirm-form")
	require.Equal(p, "authorization_pending", p.pollDevice(begun).Error)
	p.presses("device-allow", "device-allowed")
	require.NotEmpty(p, p.pollDevice(begun).Access)
}

func wrongDeviceCode(p *person) {
	begun := p.beginDevice()
	p.opensDevice("/device")
	p.enters("user_code", "BBBB-BBBB")
	p.presses("device-submit", "device-error")
	require.Contains(p, p.reads("device-error"), "No device is waiting")
	require.True(p, strings.HasPrefix(answerOf(p, chromedp.Title()), "Error:"))
	require.Equal(p, "BBBB-BBBB", answerOf(p, chromedp.Value(chromedp.ID("user_code"))))
	p.enters("user_code", begun.UserCode)
	p.presses("device-submit", "device-confirm-form")
}

func refuseDevice(p *person) {
	begun := p.beginDevice()
	p.opensDevice(begun.Complete)
	p.presses("device-submit", "device-confirm-form")
	p.presses("device-deny", "device-denied")
	require.Equal(p, "access_denied", p.pollDevice(begun).Error)
}

func deviceWithoutScripts(p *person) {
	p.runsNoScripts()
	begun := p.beginDevice()
	p.opensDevice("/device")
	p.enters("user_code", begun.UserCode)
	p.presses("device-submit", "device-confirm-form")
	p.presses("device-allow", "device-allowed")
	require.NotEmpty(p, p.pollDevice(begun).Access)
}

func deviceInGerman(p *person) {
	l := look{"dark on a 360 pixel phone in German", "de", "dark", 360}
	p.speaks(l.language)
	p.prefers(l.scheme)
	p.holds(l.width)
	begun := p.beginDevice()
	p.opensDevice(begun.Complete)
	p.looks(l, "device-page")
	p.enters("user_code", "nonsense")
	p.presses("device-submit", "device-error")
	p.looks(l, "device-page", "error")
	p.enters("user_code", begun.UserCode)
	p.presses("device-submit", "device-confirm-form")
	p.looks(l, "device_confirm-page")
	require.Contains(p, p.reads("device-caution"), "nur, wenn Sie es selbst begonnen haben")
	p.presses("device-allow", "device-allowed")
	p.looks(l, "device_done-page")
	refused := p.beginDevice()
	p.open(strings.TrimPrefix(refused.Complete, p.url))
	p.presses("device-submit", "device-confirm-form")
	p.presses("device-deny", "device-denied")
	p.looks(l, "device_done-page", "denied")
}

func TestDemoPrintsHowADeviceBegins(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		giveUp(t, "curl is not installed")
	}
	d := startDemo(t)
	line := expandDemo(demoDevice, d.URL)
	require.Contains(t, d.Stdout.String(), "\n"+line+"\n")
	out, err := exec.CommandContext(t.Context(), "sh", "-c", line).Output()
	require.NoError(t, err)
	var begun deviceAnswer
	require.NoError(t, json.Unmarshal(out, &begun), "%s", out)
	require.NotEmpty(t, begun.DeviceCode)
	require.Equal(t, d.URL+"/device", begun.Page)
	r := (&person{T: t, url: d.URL}).pollDevice(begun)
	require.Equal(t, "authorization_pending", r.Error)
}
