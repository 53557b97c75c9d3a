package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

// Conformance attack 9: guess user codes fast.
func TestGuessesOfUserCodesAreLimited(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t)
		begun, b := w.begin(t, "tv"), w.newBrowser()
		page := b.toCode(t, issuer+"/device")
		for i := range 10 {
			a := b.submit(t, page, "user_code", []string{"BBBB-BBBB", "nonsense", ""}[i%3])
			require.Equal(t, http.StatusBadRequest, a.status)
			require.Contains(t, a.raw, "No device is waiting with this code")
			require.Contains(t, a.raw, `role="alert"`)
		}
		for _, code := range []string{"BBBB-BBBB", begun.str("user_code")} {
			a := b.submit(t, page, "user_code", code)
			require.Equal(t, http.StatusBadRequest, a.status)
			require.Contains(t, a.raw, "too many wrong codes")
		}
		again := w.newBrowser() // another session of the same person
		a := again.submit(t, again.toCode(t, issuer+"/device"), "user_code", begun.str("user_code"))
		require.Contains(t, a.raw, "too many wrong codes")

		w.seedBob(t)
		bob := w.newBrowser()
		a = bob.submit(t, bob.get(issuer+"/device"), "username", "bob", "password", password)
		require.True(t, asksDevice(bob.submit(t, a, "user_code", begun.str("user_code"))), "others go on")
		require.Equal(t, 10, w.eventKinds(t)["device_code_refused"], "what is locked leaves no more rows")

		w.clock.add(15*time.Minute + time.Second)
		fresh := w.begin(t, "tv")
		require.True(t, asksDevice(b.submit(t, b.toCode(t, issuer+"/device"), "user_code", fresh.str("user_code"))))
	})
}

func TestOneAddressGuessesForManyPeople(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	keys := []string{"device source:192.0.2.1"}
	for range 100 {
		require.NoError(t, w.store.RecordFailure(t.Context(), keys, identity.Event{Kind: "device_code_refused"}))
	}
	b := w.newBrowser()
	a := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", w.begin(t, "tv").str("user_code"))
	require.Contains(t, a.raw, "too many wrong codes")
	require.True(t, isLogin(w.newBrowser().get(issuer+"/device")), "signing in is not locked by it")
}

// Dex #4928: what happens at the browser is bound to the request and the client
// that it was begun for, and to the browser.
func TestDexDeviceCallbackIsBoundToItsRequest(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	begun, b := w.begin(t, "tv"), w.newBrowser()
	code := b.toCode(t, issuer+"/device")
	confirm := b.submit(t, code, "user_code", begun.str("user_code"))
	require.True(t, asksDevice(confirm))
	_, values := fields(t, confirm)
	target := issuer + "/device?interaction=" + values.Get("interaction")

	thief := w.newBrowser()
	wantPage(t, thief.get(target), http.StatusForbidden)
	wantPage(t, thief.submit(t, confirm, "decision", "allow"), http.StatusForbidden)
	thief.toCode(t, issuer+"/device") // signed in as well
	wantPage(t, thief.submit(t, confirm, "decision", "allow"), http.StatusForbidden)

	for name, csrf := range map[string]string{"none": "", "made up": "AAAA", "of the sign-in page": formTokenOf(t, w.newBrowser().get(issuer+"/device"))} {
		wantPage(t, b.submit(t, confirm, "decision", "allow", "csrf", csrf), http.StatusForbidden)
		wantPage(t, b.submit(t, code, "user_code", begun.str("user_code"), "csrf", csrf), http.StatusForbidden)
		require.Equal(t, "authorization_pending", w.pollLater(begun).str("error"), name)
	}
	require.True(t, asksDevice(b.get(target)), "the one who began it goes on")
	require.Equal(t, "authorization_pending", w.pollLater(begun).str("error"), "a GET decides nothing")
	require.Equal(t, "authorization_pending", func() string { b.get(target + "&decision=allow"); return w.pollLater(begun).str("error") }())
	require.True(t, isDone(b.submit(t, confirm, "decision", "allow")))
}

func formTokenOf(t *testing.T, a answer) string {
	t.Helper()
	_, values := fields(t, a)
	return values.Get("csrf")
}

func TestDeviceDecisionCountsOnce(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	w.seedBob(t)
	begun, alice, bob := w.begin(t, "tv"), w.newBrowser(), w.newBrowser()
	mine := alice.submit(t, alice.toCode(t, issuer+"/device"), "user_code", begun.str("user_code"))
	his := bob.submit(t, bob.get(issuer+"/device"), "username", "bob", "password", password)
	his = bob.submit(t, his, "user_code", begun.str("user_code"))
	require.True(t, asksDevice(his))
	require.True(t, isDone(alice.submit(t, mine, "decision", "allow")))
	require.True(t, isDone(alice.submit(t, mine, "decision", "allow")), "a second click is told the same")
	require.True(t, isDone(alice.submit(t, mine, "decision", "deny")), "what was decided is decided")
	wantPage(t, bob.submit(t, his, "decision", "allow"), http.StatusBadRequest)
	wantPage(t, bob.submit(t, his, "decision", "deny"), http.StatusBadRequest)
	got := w.poll("tv", begun)
	require.Equal(t, w.alice, w.idToken(t, got)["sub"])
	require.True(t, isDone(alice.submit(t, mine, "decision", "allow")), "also after the device got its tokens")
	require.Equal(t, 1, w.eventKinds(t)["device_authorized"])
}

func TestDeviceGrantEndsBeforeItsRedemption(t *testing.T) {
	for name, end := range map[string]func(t *testing.T, w *world, b *browser){
		"by signing out everywhere": func(t *testing.T, _ *world, b *browser) {
			b.post(issuer+"/account/signout-everywhere", url.Values{"csrf": {formTokenOf(t, b.get(issuer+"/account"))}})
		},
		"by taking the consent back": func(t *testing.T, _ *world, b *browser) {
			b.post(issuer+"/account/consents/revoke", url.Values{"csrf": {formTokenOf(t, b.get(issuer+"/account"))}, "client": {"tv"}})
		},
		"by disabling the user": func(t *testing.T, w *world, _ *browser) {
			require.NoError(t, w.Directory(w.store).SetStatus(t.Context(), w.alice, identity.StatusDisabled))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.seedDevices(t)
			begun, b := w.begin(t, "tv"), w.newBrowser()
			require.True(t, isDone(b.decides(t, begun, "allow")))
			end(t, w, b)
			wantError(t, w.poll("tv", begun), http.StatusBadRequest, "invalid_grant")
		})
		t.Run("afterwards the tokens end, "+name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t))
			w.seedDevices(t)
			begun, b := w.begin(t, "tv"), w.newBrowser()
			require.True(t, isDone(b.decides(t, begun, "allow")))
			got := w.poll("tv", begun)
			end(t, w, b)
			wantError(t, w.refresh("tv", got.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
			require.Equal(t, http.StatusUnauthorized, w.userinfo(got.str("access_token")).status)
		})
	}
}

func TestSignOutEndsADeviceWithoutOfflineAccess(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	short, long, b := w.begin(t, "tv", "scope", "openid"), w.begin(t, "tv"), w.newBrowser()
	require.True(t, isDone(b.decides(t, short, "allow")))
	require.True(t, isDone(b.decides(t, long, "allow")))
	brief, lasting := w.poll("tv", short), w.poll("tv", long)
	b.post(issuer+"/account/signout", url.Values{"csrf": {formTokenOf(t, b.get(issuer+"/account"))}})
	require.Equal(t, http.StatusUnauthorized, w.userinfo(brief.str("access_token")).status)
	require.Equal(t, http.StatusOK, w.userinfo(lasting.str("access_token")).status)
}

func TestDevicePageNeedsTheSession(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	begun, b := w.begin(t, "tv"), w.newBrowser()
	confirm := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", begun.str("user_code"))
	_, err := w.store.EndSessions(t.Context(), provider.SessionQuery{Subject: w.alice})
	require.NoError(t, err)
	a := b.submit(t, confirm, "decision", "allow")
	require.True(t, isLogin(a), "who was signed out elsewhere signs in anew")
	require.Equal(t, "authorization_pending", w.pollLater(begun).str("error"))
	a = b.submit(t, a, "username", "alice", "password", password)
	require.True(t, asksDevice(a), "and is asked again")
	require.True(t, isDone(b.submit(t, a, "decision", "allow")))
	require.Equal(t, http.StatusOK, w.poll("tv", begun).status)
}

func TestDeviceClientLosesWhatItLost(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), func(o *provider.Options) { o.Lifetimes.ClientCache = time.Nanosecond })
	w.seedDevices(t)
	change := func(f func(c *provider.Client)) {
		c, err := w.store.FindClient(t.Context(), "tv")
		require.NoError(t, err)
		f(c)
		require.NoError(t, w.SaveClient(t.Context(), c))
	}
	begun, other, b := w.begin(t, "tv"), w.begin(t, "tv"), w.newBrowser()
	require.True(t, isDone(b.decides(t, begun, "allow")))
	confirm := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", other.str("user_code"))
	change(func(c *provider.Client) { c.Scopes = []string{"openid"} })
	got := w.poll("tv", begun)
	require.Equal(t, http.StatusOK, got.status, got.raw)
	require.Equal(t, "openid", got.str("scope"))
	require.Empty(t, got.str("refresh_token"))
	change(func(c *provider.Client) { c.Disabled = true })
	wantPage(t, b.submit(t, confirm, "decision", "allow"), http.StatusBadRequest)
	wantError(t, w.poll("tv", other), http.StatusUnauthorized, "invalid_client")
}

func TestDeviceAuthorizationRequestsAreJudged(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	for name, c := range map[string]struct {
		a      answer
		status int
		code   string
	}{
		"an unknown client":                    {w.beginWith("nobody"), http.StatusUnauthorized, "invalid_client"},
		"no client":                            {w.beginWith(""), http.StatusUnauthorized, "invalid_client"},
		"a client without the grant type":      {w.beginWith("web"), http.StatusBadRequest, "unauthorized_client"},
		"a legacy system's client":             {w.beginWith(legacyID), http.StatusUnauthorized, "invalid_client"},
		"a confidential client without secret": {w.beginWith("", "client_id", "console"), http.StatusUnauthorized, "invalid_client"},
		"a wrong secret":                       {w.beginWith("", "client_id", "console", "client_secret", "wrong"), http.StatusUnauthorized, "invalid_client"},
		"a scope that is not the client's":     {w.beginWith("tv", "scope", "openid admin"), http.StatusBadRequest, "invalid_scope"},
		"a resource that is not the client's":  {w.beginWith("tv", "resource", "https://elsewhere.example"), http.StatusBadRequest, "invalid_target"},
		"a parameter twice":                    {w.post("/oauth2/device", "", url.Values{"client_id": {"tv"}, "scope": {"openid", "email"}}), http.StatusBadRequest, "invalid_request"},
		"a body that is too large":             {w.beginWith("tv", "scope", strings.Repeat("x", 100_000)), http.StatusRequestEntityTooLarge, "invalid_request"},
		"GET":                                  {w.do(httptest.NewRequest(http.MethodGet, "/tenant/oauth2/device?client_id=tv", nil)), http.StatusMethodNotAllowed, "invalid_request"},
		"a poll without a code":                {w.post("/oauth2/token", "tv", url.Values{"grant_type": {deviceGrant}}), http.StatusBadRequest, "invalid_request"},
		"a poll with an unknown code":          {w.post("/oauth2/token", "tv", url.Values{"grant_type": {deviceGrant}, "device_code": {"kw_dc_unknown"}}), http.StatusBadRequest, "invalid_grant"},
		"a poll with the user code":            {w.post("/oauth2/token", "tv", url.Values{"grant_type": {deviceGrant}, "device_code": {w.begin(t, "tv").str("user_code")}}), http.StatusBadRequest, "invalid_grant"},
		"a poll with a code that is too long":  {w.post("/oauth2/token", "tv", url.Values{"grant_type": {deviceGrant}, "device_code": {strings.Repeat("x", 20_000)}}), http.StatusBadRequest, "invalid_request"},
	} {
		require.Equal(t, c.status, c.a.status, "%s: %s", name, c.a.raw)
		require.Equal(t, c.code, c.a.str("error"), name)
		require.Equal(t, "no-store", c.a.header.Get("Cache-Control"), name)
	}
}

func TestConfidentialDeviceClientGetsWhatItRegistered(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	begun := w.begin(t, "console", "scope", "-")
	b := w.newBrowser()
	a := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", begun.str("user_code"))
	require.Contains(t, a.raw, "console", "a client without a name is called by its id")
	require.NotContains(t, a.raw, "while you are away", "offline access is not given where nobody asked for it")
	require.True(t, isDone(b.submit(t, a, "decision", "allow")))
	got := w.poll("console", begun)
	require.Equal(t, "openid profile email read", got.str("scope"))
	require.Empty(t, got.str("refresh_token"))
	access := header(t, got.str("access_token"))
	require.Equal(t, "at+jwt", access["typ"])
	require.Equal(t, []any{"https://api.example.com"}, asList(w.introspect(got.str("access_token")).body["aud"]))
}

func TestDeviceTokensAreBoundToAKey(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedDevices(t)
	h, begun := w.newHolder(t), w.begin(t, "tv")
	poll := func() answer {
		return w.postWith("/oauth2/token", "tv", url.Values{"grant_type": {deviceGrant}, "device_code": {begun.str("device_code")}},
			"DPoP", h.proof(t, "POST", "/oauth2/token"))
	}
	wantError(t, poll(), http.StatusBadRequest, "authorization_pending")
	require.True(t, isDone(w.newBrowser().decides(t, begun, "allow")))
	got := poll()
	require.Equal(t, http.StatusOK, got.status, got.raw)
	require.Equal(t, "DPoP", got.str("token_type"))
	require.Equal(t, h.thumbprint(t), cnf(w.introspect(got.str("access_token")).body))
	require.Equal(t, http.StatusUnauthorized, w.userinfo(got.str("access_token")).status, "it is no bearer token")
	require.Equal(t, http.StatusOK, h.userinfo(t, got.str("access_token")).status)
	require.Equal(t, http.StatusBadRequest, w.refresh("tv", got.str("refresh_token")).status, "nor is the refresh token")
	next := w.postWith("/oauth2/token", "tv", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {got.str("refresh_token")}},
		"DPoP", h.proof(t, "POST", "/oauth2/token"))
	require.Equal(t, http.StatusOK, next.status, next.raw)
}

func TestMetadataNamesTheDeviceEndpoint(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	a := w.do(httptest.NewRequest(http.MethodGet, "/tenant/.well-known/openid-configuration", nil))
	require.Equal(t, issuer+"/oauth2/device", a.str("device_authorization_endpoint"))
	require.Contains(t, a.body["grant_types_supported"], deviceGrant)
}

func TestManyRedeemOneDeviceCode(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedDevices(t)
		begun := w.begin(t, "tv")
		require.True(t, isDone(w.newBrowser().decides(t, begun, "allow")))
		var wait sync.WaitGroup
		answers := make([]answer, 50)
		for i := range answers {
			wait.Go(func() { answers[i] = w.poll("tv", begun) })
		}
		wait.Wait()
		won := 0
		for _, a := range answers {
			if a.status == http.StatusOK {
				won++
				require.Equal(t, http.StatusOK, w.userinfo(a.str("access_token")).status)
				continue
			}
			wantError(t, a, http.StatusBadRequest, "invalid_grant")
		}
		require.Equal(t, 1, won)
	})
}
