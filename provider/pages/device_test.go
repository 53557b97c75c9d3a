package pages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/pages"
)

func TestDevicePagesAskForTheCode(t *testing.T) {
	site, err := newPages(t, "/tenant", nil)
	require.NoError(t, err)
	form := pages.Form{Action: "/tenant/device", CSRF: "csrf-token", Interaction: "interaction-id"}
	body := shown(t, site, &pages.DevicePage{Form: form}, "en").Body.String()
	for _, want := range []string{
		`<label for="user_code">`, `name="user_code"`, `autocomplete="off"`, `inputmode="text"`, `autocapitalize="characters"`, `aria-describedby="device-hint"`,
		`action="/tenant/device"`, `name="csrf" value="csrf-token"`, `name="interaction" value="interaction-id"`, "your command line shows",
	} {
		require.Contains(t, body, want)
	}
	require.Equal(t, 1, strings.Count(body, `type="submit"`))
	require.NotContains(t, body, `role="alert"`)

	linked := shown(t, site, &pages.DevicePage{Form: form, Code: "WDJB-MJHT"}, "en").Body.String()
	require.Contains(t, linked, `value="WDJB-MJHT"`)
	require.Contains(t, linked, "show this very code")

	wrong := shown(t, site, &pages.DevicePage{Form: form, Code: `"><b>`, Error: "invalid"}, "de").Body.String()
	require.Contains(t, wrong, `role="alert"`)
	require.Contains(t, wrong, `aria-describedby="device-error device-hint"`)
	require.Contains(t, wrong, "<title>Fehler: Gerät verbinden")
	require.Contains(t, wrong, `value="&#34;&gt;&lt;b&gt;"`)
}

func TestDevicePagesNameWhatIsLetIn(t *testing.T) {
	site, err := newPages(t, "", nil)
	require.NoError(t, err)
	visit := pages.Visit{ClientName: `TV <script>alert(1)</script>`}
	page := &pages.DeviceConfirmPage{
		Visit: visit, User: pages.User{Username: "alice"}, Code: "WDJB-MJHT", Scopes: []string{"email", "own.scope"},
		Address: "192.0.2.7", Asked: time.Date(2026, 11, 21, 12, 30, 0, 0, time.UTC),
	}
	body := shown(t, site, page, "en").Body.String()
	for _, want := range []string{
		"WDJB-MJHT", "alice", "See your e-mail address", "own.scope", "192.0.2.7", "21 November 2026, 12:30 UTC",
		"TV &lt;script&gt;", "Allow this only if you started it yourself", `value="allow"`, `value="deny"`,
	} {
		require.Contains(t, body, want)
	}
	require.NotContains(t, body, "<script")
	require.Equal(t, 1, strings.Count(body, `class="quiet" type="submit"`), "one button of two is emphasised")
	page.Address = ""
	require.NotContains(t, shown(t, site, page, "en").Body.String(), "from the address")

	allowed := shown(t, site, &pages.DeviceDonePage{Visit: visit, Allowed: true}, "en").Body.String()
	require.Contains(t, allowed, "Your device is connected")
	require.Contains(t, allowed, `href="/account"`)
	denied := shown(t, site, &pages.DeviceDonePage{Visit: visit}, "en").Body.String()
	require.Contains(t, denied, "was not let in")
	require.NotContains(t, denied, "connected")
}
