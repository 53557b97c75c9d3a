package provider_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/apppassword"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

var shownPassword = regexp.MustCompile(`id="app-password"[^>]* value="([a-z2-7-]{23})"`)

// withDesk lets people make app passwords for two systems.
func withDesk(t *testing.T) func(*provider.Options) {
	return func(o *provider.Options) {
		storage, ok := o.Storage.(identity.AppPasswordStorage)
		require.True(t, ok)
		desk, err := apppassword.New(apppassword.Options{Storage: storage, Users: o.Users, Now: o.Now, Systems: []apppassword.System{
			{Name: "faveo", Title: "Help <desk>", Accounts: "faveo", NeedAccount: true, Directories: []string{"default"}},
			{Name: "social", Title: "OSSN", Accounts: "ossn", NeedAccount: true, Directories: []string{"default"}},
		}})
		require.NoError(t, err)
		o.AppPasswords = desk
	}
}

// accountForm posts a form of the account page.
func (b *browser) accountForm(t *testing.T, action string, more ...string) answer {
	t.Helper()
	_, values := fields(t, b.get(issuer+"/account"))
	form := url.Values{"csrf": values["csrf"]}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return b.post(issuer+"/account"+action, form)
}

// TestAppPasswordsOnTheAccountPage is what people do with them in a browser.
func TestAppPasswordsOnTheAccountPage(t *testing.T) {
	for name, dsn := range map[string]func(testing.TB) string{"SQLite": storetest.SQLite, "PostgreSQL": storetest.Postgres} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, dsn(t), withDesk(t))
			w.seedApps(t)
			b := w.newBrowser()
			b.tokens(t, "web")
			page := b.get(issuer + "/account")
			require.Contains(t, page.raw, `id="apps-form"`)
			require.Contains(t, page.raw, "Help &lt;desk&gt;")
			require.NotContains(t, page.raw, "OSSN", "she has no account there")

			a := b.accountForm(t, "/apps/add", "system", "faveo", "name", "Gate <way>", "days", "30", "networks", "192.0.2.0/24")
			require.Equal(t, http.StatusOK, a.status, a.raw)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
			require.Empty(t, a.header.Get("Location"))
			shown := shownPassword.FindStringSubmatch(a.raw)
			require.NotNil(t, shown, a.raw)
			require.Contains(t, a.raw, "Gate &lt;way&gt;")
			require.Contains(t, a.raw, "<strong>alice</strong>")

			page = b.get(issuer + "/account")
			require.NotContains(t, page.raw, shown[1], "it is shown once")
			require.NotContains(t, w.log.text(), shown[1])
			for _, text := range []string{"Gate &lt;way&gt;", "192.0.2.0/24", "Never used", "Works until", "Your app passwords stay"} {
				require.Contains(t, page.raw, text)
			}

			granted, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			require.Equal(t, true, w.introspect(granted.AccessToken).body["active"])
			id := regexp.MustCompile(`name="id" value="([0-9a-f]{32})">\s*<button id="remove-app-0"`).FindStringSubmatch(page.raw)
			require.NotNil(t, id, page.raw)
			a = b.accountForm(t, "/apps/remove", "id", id[1])
			require.Contains(t, a.raw, "no longer works")
			require.NotContains(t, a.raw, "remove-app-0")
			require.Equal(t, false, w.introspect(granted.AccessToken).body["active"], "what it opened ends at once")
		})
	}
}

func TestAppPasswordsNeedASignInOfJustNow(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withDesk(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.tokens(t, "web")
	w.clock.add(15 * time.Minute)
	page := b.get(issuer + "/account")
	require.NotContains(t, page.raw, `id="apps-form"`)
	require.Contains(t, page.raw, `id="apps-again"`)
	a := b.accountForm(t, "/apps/add", "system", "faveo", "name", "Gateway", "days", "0")
	require.Equal(t, http.StatusBadRequest, a.status)
	require.Contains(t, a.raw, "sign in again first")
	made, err := w.store.ListAppPasswords(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, made)

	a = b.accountForm(t, "/apps/again")
	require.True(t, isLogin(a), a.raw)
	again := b.last
	a = b.get(issuer + "/account")
	require.Contains(t, a.raw, `id="apps-again"`, "to come back without a sign-in is none")
	a = b.submit(t, b.get("https://id.example.com"+again), "username", "alice", "password", password)
	require.Contains(t, a.raw, `id="apps-form"`, "%d %s", a.status, b.last)
	a = b.accountForm(t, "/apps/add", "system", "faveo", "name", "Gateway", "days", "0")
	require.Equal(t, http.StatusOK, a.status)
}

func TestWhatCannotBeMadeIsSaidOnTheAccountPage(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withDesk(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.tokens(t, "web")
	for want, form := range map[string][]string{
		"needs a name":                 {"system", "faveo", "name", " ", "days", "0"},
		"cannot have an app password":  {"system", "social", "name", "x", "days", "0"},
		"how long":                     {"system", "faveo", "name", "x"},
		"The networks could not be re": {"system", "faveo", "name", `"><script>`, "days", "90", "networks", "home"},
	} {
		a := b.accountForm(t, "/apps/add", form...)
		require.Equal(t, http.StatusBadRequest, a.status, want)
		require.Contains(t, a.raw, want)
		require.NotContains(t, a.raw, "<script>")
		if form[3] != " " {
			require.Contains(t, a.raw, `value="`+html.EscapeString(form[3])+`"`, "what was entered is kept")
		}
	}
	a := b.accountForm(t, "/apps/remove", "id", "nothing")
	require.Equal(t, http.StatusOK, a.status)
	for _, action := range []string{"add", "remove", "again"} {
		wantPage(t, b.post(issuer+"/account/apps/"+action, url.Values{"system": {"faveo"}, "name": {"x"}, "days": {"0"}}), http.StatusForbidden)
		wantPage(t, b.send(http.MethodGet, issuer+"/account/apps/"+action, nil), http.StatusMethodNotAllowed)
		a := w.newBrowser().post(issuer+"/account/apps/"+action, url.Values{"csrf": {"x"}})
		require.True(t, isLogin(a), "nobody is signed in")
	}
	made, err := w.store.ListAppPasswords(t.Context(), w.alice)
	require.NoError(t, err)
	require.Empty(t, made)
}

func TestSigningOutEverywhereLeavesAppPasswords(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withDesk(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.tokens(t, "web")
	b.accountForm(t, "/apps/add", "system", "faveo", "name", "Gateway", "days", "0")
	b.accountForm(t, "/signout-everywhere")
	made, err := w.store.ListAppPasswords(t.Context(), w.alice)
	require.NoError(t, err)
	require.Len(t, made, 1, "as the page says")
}
