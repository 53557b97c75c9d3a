package provider_test

import (
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

const deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"

// seedDevices saves the clients of devices.
func (w *world) seedDevices(t *testing.T) {
	t.Helper()
	w.seedApps(t)
	scopes := []string{"openid", "profile", "email", "offline_access", "read"}
	for _, c := range []provider.Client{
		{ID: "tv", Name: "TV <b>app</b>", AuthMethod: provider.AuthNone, GrantTypes: []string{deviceGrant, "refresh_token"}, Scopes: scopes, SkipConsent: true},
		{ID: "console", AuthMethod: provider.AuthSecretBasic, GrantTypes: []string{deviceGrant}, Scopes: scopes, Audience: []string{"https://api.example.com"}, AccessTokenFormat: provider.FormatATJWT},
	} {
		if c.AuthMethod != provider.AuthNone {
			secret, hash := client.NewSecret()
			w.secrets[c.ID], c.SecretHashes = secret, []string{hash}
		}
		require.NoError(t, w.SaveClient(t.Context(), &c))
	}
}

// begin is a device that asks to be let in.
func (w *world) begin(t *testing.T, client string, more ...string) answer {
	t.Helper()
	a := w.beginWith(client, more...)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return a
}

func (w *world) beginWith(client string, more ...string) answer {
	form := url.Values{"scope": {"openid email offline_access"}}
	for i := 0; i+1 < len(more); i += 2 {
		if form.Set(more[i], more[i+1]); more[i+1] == "-" {
			form.Del(more[i])
		}
	}
	return w.post("/oauth2/device", client, form)
}

func (w *world) poll(client string, begun answer) answer {
	return w.post("/oauth2/token", client, url.Values{"grant_type": {deviceGrant}, "device_code": {begun.str("device_code")}})
}

func asksCode(a answer) bool { return strings.Contains(a.raw, `id="device-form"`) }

func asksDevice(a answer) bool { return strings.Contains(a.raw, `id="device-confirm-form"`) }

func isDone(a answer) bool { return strings.Contains(a.raw, `id="device-allowed"`) }

// toCode opens a device's page and signs alice in if nobody is.
func (b *browser) toCode(t *testing.T, target string) answer {
	t.Helper()
	a := b.get(target)
	if isLogin(a) {
		a = b.submit(t, a, "username", "alice", "password", password)
	}
	require.True(t, asksCode(a), "%d %s", a.status, a.raw)
	return a
}

// decides types the code and answers what is asked.
func (b *browser) decides(t *testing.T, begun answer, decision string) answer {
	t.Helper()
	a := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", begun.str("user_code"))
	require.True(t, asksDevice(a), "%d %s", a.status, a.raw)
	return b.submit(t, a, "decision", decision)
}

func (w *world) eventKinds(t *testing.T) map[string]int {
	t.Helper()
	events, err := w.store.ListEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	kinds := map[string]int{}
	for _, e := range events {
		kinds[e.Kind]++
	}
	return kinds
}

func TestDeviceIsLetIn(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t)
		begun := w.begin(t, "tv")
		require.Equal(t, "no-store", begun.header.Get("Cache-Control"))
		require.Regexp(t, `^kw_dc_[\w-]{40,}$`, begun.str("device_code"))
		require.Regexp(t, `^[B-Z]{4}-[B-Z]{4}$`, begun.str("user_code"))
		require.Equal(t, issuer+"/device", begun.str("verification_uri"))
		require.Equal(t, issuer+"/device?user_code="+begun.str("user_code"), begun.str("verification_uri_complete"))
		require.Equal(t, []any{600.0, 5.0}, []any{begun.body["expires_in"], begun.body["interval"]})
		wantError(t, w.poll("tv", begun), http.StatusBadRequest, "authorization_pending")

		b := w.newBrowser()
		a := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", strings.ToLower(strings.ReplaceAll(begun.str("user_code"), "-", " ")))
		require.True(t, asksDevice(a), a.raw)
		for _, want := range []string{"TV &lt;b&gt;app", begun.str("user_code"), "alice@example.com", "192.0.2.1", "See your e-mail address", "only if you started it yourself"} {
			require.Contains(t, a.raw, want)
		}
		w.clock.add(5 * time.Second)
		wantError(t, w.poll("tv", begun), http.StatusBadRequest, "authorization_pending")
		require.True(t, isDone(b.submit(t, a, "decision", "allow")))

		signedIn := w.clock.Now().Add(-5 * time.Second).Unix()
		got := w.poll("tv", begun)
		require.Equal(t, http.StatusOK, got.status, got.raw)
		require.Equal(t, "no-store", got.header.Get("Cache-Control"))
		require.Equal(t, "openid email offline_access", got.str("scope"))
		require.Equal(t, []any{"Bearer", 900.0}, []any{got.body["token_type"], got.body["expires_in"]})
		id := w.idToken(t, got)
		require.Equal(t, w.alice, id["sub"])
		require.Equal(t, []any{"tv"}, asList(id["aud"]))
		require.EqualValues(t, signedIn, number(t, id["auth_time"]))
		require.Equal(t, []any{"pwd"}, asList(id["amr"]))
		require.NotEmpty(t, id["acr"])
		require.NotEmpty(t, id["at_hash"])
		require.NotContains(t, id, "nonce")
		sessions, err := w.store.ListSessions(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, sessions[0].ID, id["sid"])
		require.Equal(t, "alice@example.com", w.userinfo(got.str("access_token")).str("email"))
		require.Equal(t, true, w.introspect(got.str("access_token")).body["active"])
		next := w.refresh("tv", got.str("refresh_token"))
		require.Equal(t, http.StatusOK, next.status, next.raw)
		require.Equal(t, id["auth_time"], w.idToken(t, next)["auth_time"])

		kinds := w.eventKinds(t)
		require.Equal(t, 1, kinds["device_authorized"])
		require.Zero(t, kinds["device_denied"])
		require.NotContains(t, w.log.text(), begun.str("device_code"))
		require.NotContains(t, w.log.text(), begun.str("user_code"))
	})
}

func number(t *testing.T, v any) int64 {
	t.Helper()
	switch n := v.(type) {
	case float64:
		return int64(n)
	case json.Number:
		i, err := n.Int64()
		require.NoError(t, err)
		return i
	}
	require.Fail(t, "no number", "%T", v)
	return 0
}

// In fosite the session of a device outlived its redemption, for it was deleted
// under another key than it was stored under (hydra, 2026-07-16).
func TestHydra20260716DeviceSessionIsDeadAfterRedemption(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t)
		begun, b := w.begin(t, "tv"), w.newBrowser()
		require.True(t, isDone(b.decides(t, begun, "allow")))
		require.Equal(t, http.StatusOK, w.poll("tv", begun).status)
		for range 3 {
			wantError(t, w.poll("tv", begun), http.StatusBadRequest, "invalid_grant")
		}
		a := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", begun.str("user_code"))
		require.Equal(t, http.StatusBadRequest, a.status, "nobody can be let in with it again")
		require.True(t, asksCode(a))
		w.clock.add(2 * time.Hour)
		_, err := w.store.Sweep(t.Context())
		require.NoError(t, err)
		_, err = w.store.FindDeviceGrant(t.Context(), provider.HashToken(begun.str("device_code")))
		require.ErrorIs(t, err, identity.ErrNotFound)
	})
}

func TestDeviceIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t)
		begun, b := w.begin(t, "tv"), w.newBrowser()
		a := b.decides(t, begun, "deny")
		require.Contains(t, a.raw, `id="device-denied"`)
		wantError(t, w.poll("tv", begun), http.StatusBadRequest, "access_denied")
		wantError(t, w.poll("tv", begun), http.StatusBadRequest, "access_denied")
		require.Equal(t, 1, w.eventKinds(t)["device_denied"])

		other := w.begin(t, "tv")
		a = b.submit(t, b.toCode(t, issuer+"/device"), "user_code", other.str("user_code"))
		a = b.submit(t, a, "decision", "whatever")
		require.Contains(t, a.raw, `id="device-denied"`, "what is not yes is no")

		third := w.begin(t, "tv")
		page := b.toCode(t, issuer+"/device")
		require.True(t, asksDevice(b.submit(t, page, "user_code", third.str("user_code"))))
		a = b.submit(t, page, "user_code", third.str("user_code"))
		require.True(t, asksDevice(a), "who clicks twice where the code is asked for has not refused: %s", a.raw)
		require.True(t, isDone(b.submit(t, a, "decision", "allow")))
	})
}

func TestDeviceThatPollsTooFastIsSlowedDown(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t)
		begun := w.begin(t, "tv")
		for i, c := range []struct {
			after time.Duration
			want  string
		}{
			{0, "authorization_pending"},
			{5 * time.Second, "authorization_pending"},
			{4600 * time.Millisecond, "authorization_pending"}, // networks do not keep time
			{4 * time.Second, "slow_down"},                     // now it is 10 s
			{9 * time.Second, "slow_down"},                     // now 15
			{10 * time.Second, "slow_down"},                    // now 20
			{20 * time.Second, "authorization_pending"},
			{20 * time.Second, "authorization_pending"},
		} {
			w.clock.add(c.after)
			a := w.poll("tv", begun)
			require.Equal(t, c.want, a.str("error"), "%d: %s", i, a.raw)
			require.Equal(t, http.StatusBadRequest, a.status)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		}
		w.poll("tv", begun)
		require.True(t, isDone(w.newBrowser().decides(t, begun, "allow")))
		require.Equal(t, http.StatusOK, w.poll("tv", begun).status, "who was let in need not wait")
	})
}

func TestDeviceCodesExpire(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t)
		begun, allowed, b := w.begin(t, "tv"), w.begin(t, "tv"), w.newBrowser()
		shown := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", begun.str("user_code"))
		require.True(t, asksDevice(shown))
		require.True(t, isDone(b.decides(t, allowed, "allow")))
		w.clock.add(10 * time.Minute)
		wantError(t, w.poll("tv", begun), http.StatusBadRequest, "expired_token")
		wantError(t, w.poll("tv", allowed), http.StatusBadRequest, "expired_token")
		wantPage(t, b.submit(t, shown, "decision", "allow"), http.StatusBadRequest)
		require.Equal(t, http.StatusBadRequest, b.submit(t, b.toCode(t, issuer+"/device"), "user_code", begun.str("user_code")).status)
		wantError(t, w.poll("tv", begun), http.StatusBadRequest, "expired_token")
	})
}

// Conformance attack 9: a device code of another client.
func TestDeviceCodeOfAnotherClientIsRefused(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t)
		begun := w.begin(t, "tv")
		for range 3 {
			wantError(t, w.poll("console", begun), http.StatusBadRequest, "invalid_grant")
		}
		wantError(t, w.poll("tv", begun), http.StatusBadRequest, "authorization_pending") // a stranger's polls slow nobody down
		require.True(t, isDone(w.newBrowser().decides(t, begun, "allow")))
		wantError(t, w.poll("console", begun), http.StatusBadRequest, "invalid_grant")
		wantError(t, w.poll("narrow", begun), http.StatusBadRequest, "unauthorized_client")
		require.Equal(t, http.StatusOK, w.poll("tv", begun).status)
	})
}

// Conformance attack 15: somebody is mailed the complete link.
func TestCompleteLinkOfADeviceNeverAllowsByItself(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t) // the client skips consent; a device is asked about all the same
		b := w.newBrowser()
		for _, signedIn := range []bool{false, true} {
			begun := w.begin(t, "tv")
			a := b.get(begun.str("verification_uri_complete"))
			require.Equal(t, !signedIn, isLogin(a))
			if !signedIn {
				a = b.submit(t, a, "username", "alice", "password", password)
			}
			require.True(t, asksCode(a), a.raw)
			require.Contains(t, a.raw, `value="`+begun.str("user_code")+`"`)
			wantError(t, w.poll("tv", begun), http.StatusBadRequest, "authorization_pending")
			a = b.submit(t, a, "user_code", begun.str("user_code"))
			require.True(t, asksDevice(a))
			require.Contains(t, a.raw, "TV &lt;b&gt;app")
			require.Equal(t, "authorization_pending", w.pollLater(begun).str("error"))
			require.True(t, isDone(b.submit(t, a, "decision", "allow")))
			require.Equal(t, http.StatusOK, w.poll("tv", begun).status)
		}
		consents, err := w.store.ListConsents(t.Context(), w.alice)
		require.NoError(t, err)
		require.Len(t, consents, 1)
		require.True(t, asksDevice(b.submit(t, b.toCode(t, issuer+"/device"), "user_code", w.begin(t, "tv").str("user_code"))), "a consent that is remembered does not answer")
	})
}

func (w *world) pollLater(begun answer) answer {
	w.clock.add(10 * time.Second)
	return w.poll("tv", begun)
}

var userCodeField = regexp.MustCompile(`name="user_code" type="text" value="([^"]*)"`)

func TestDevicePageFillsInOnlyCodes(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	b := w.newBrowser()
	for given, want := range map[string]string{
		"wdjb mjht": "WDJB-MJHT", "": "", `"><script>alert(1)</script>`: "", strings.Repeat("B", 10_000): "", "WDJB-MJH": "",
	} {
		a := b.toCode(t, issuer+"/device?user_code="+url.QueryEscape(given))
		require.Equal(t, want, html.UnescapeString(userCodeField.FindStringSubmatch(a.raw)[1]), "%.20q", given)
		require.NotContains(t, a.raw, "<script")
	}
}
