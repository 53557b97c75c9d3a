package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/adapter/contract"
	"keyway/config"
	"keyway/provider/identity"
	"keyway/provider/upstream/database/mariadbtest"
	"keyway/templates"
)

// oldDatabase is a program whose only people are in the MariaDB of an old system.
type oldDatabase struct {
	*program
	clock *clock
	said  *output // the log
}

// openOldDatabase takes the settings of an example of the system.
func openOldDatabase(t *testing.T, server *mariadbtest.Server, system string, e contract.Example, change ...func(*config.Config)) *oldDatabase {
	t.Helper()
	cfg := testConfig(t, t.TempDir())
	cfg.Systems = []config.System{{
		Name: system, Template: system, Profile: e.Given.Profile, SiteURL: e.Given.SiteURL, Settings: byReference(e.Given.Settings), Scopes: []string{"openid"},
	}}
	cfg.Connectors = []config.Connector{{
		ID: "old", Type: "database", Issuer: "https://" + system + ".example", Directory: "default", Create: true,
		Database: config.ConnectorDatabase{DSN: config.NewSecret(server.DSN(system)), Preset: system, Timeout: 2 * time.Second},
		Guard:    config.Guard{Timeout: 5 * time.Second, Parallel: 8, Failures: 2, Rest: 100 * time.Millisecond},
	}}
	cfg.Verifiers = []config.VerifierRule{{Steps: []config.VerifierStep{{Verifier: "old"}}}}
	for _, f := range change {
		f(cfg)
	}
	cfg.Log.Level = "debug"
	d := &oldDatabase{said: &output{}, clock: &clock{now: time.Unix(1_800_000_000, 0)}}
	var err error
	d.program, err = openAt(t.Context(), cfg, d.said, d.clock.Now)
	require.NoError(t, err)
	t.Cleanup(d.close)
	return d
}

// answers replays an example, whose people are those of the old database.
func (d *oldDatabase) answers(t *testing.T, e contract.Example) {
	t.Helper()
	if e.Given.Now != "" {
		at, err := time.Parse(time.RFC3339, e.Given.Now)
		require.NoError(t, err)
		d.clock.advance(at.Sub(d.clock.Now()))
	}
	require.Empty(t, contract.Run(t.Context(), e, func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		d.handler.ServeHTTP(w, r)
		return w.Result(), nil
	}), e.File)
}

func exampleOf(t *testing.T, system, name string) contract.Example {
	t.Helper()
	all, err := contract.Load(templates.Systems(), system+"/examples")
	require.NoError(t, err)
	for _, e := range all {
		if e.File == system+"/examples/"+name+".txtar" {
			return e
		}
	}
	t.Fatalf("%s has no example %s", system, name)
	return contract.Example{}
}

// The old systems' own recorded exchanges, answered from their own tables.
func TestPeopleOfAnOldDatabaseAreAnsweredToTheByte(t *testing.T) {
	server := mariadbtest.Start(t)
	server.OSSN(t)
	server.Faveo(t)
	dsn, err := url.Parse(server.DSN("ossn"))
	require.NoError(t, err)
	secret, _ := dsn.User.Password()
	recorded := map[string][]string{
		"ossn": {
			"recorded-11-wrong-password-post", "recorded-16-unknown-user-post", "recorded-22-unvalidated-right-password", // of people who never came before
			"recorded-55-admin-success", "recorded-03-success-post-username", "recorded-50-unicode-profile",
		},
		"faveo": {"recorded-01-success", "recorded-06-unicode", "recorded-07-json", "recorded-10-wrong-password", "recorded-29-user"},
	}
	old := map[string]*oldDatabase{}
	for system, names := range recorded {
		d := openOldDatabase(t, server, system, exampleOf(t, system, names[0]))
		for range 2 { // who comes for the first time, and who came before
			for _, name := range names {
				d.answers(t, exampleOf(t, system, name))
			}
		}
		old[system] = d
	}
	t.Run("who is disabled there is refused, and what they have here is not looked at", func(t *testing.T) {
		const form = "application/x-www-form-urlencoded"
		faveo := func(name string) string {
			return ask(old["faveo"].program, http.MethodPost, "/api/v1/authenticate", form, "username="+name+"&password=correct-horse").Body.String()
		}
		require.Equal(t, `{"error":"invalid_credentials","status_code":401}`, faveo("gone"))
		require.Contains(t, faveo("frank"), `"user_name":"frank"`)
		server.Execute(t, "faveo", "UPDATE users SET active = 0 WHERE user_name = 'frank'")
		require.Equal(t, `{"error":"invalid_credentials","status_code":401}`, faveo("frank"))
	})
	t.Run("nobody has a password here", func(t *testing.T) {
		l, err := old["ossn"].store.FindLogin(t.Context(), "default", "adminuser")
		require.NoError(t, err)
		require.Nil(t, l.Credential)
		links, err := old["ossn"].store.ListLinks(t.Context(), l.User.Subject)
		require.NoError(t, err)
		require.Equal(t, "1", links[0].UpstreamSubject)
		require.Equal(t, identity.LinkCreated, links[0].Origin)
	})
	t.Run("names are HTML to the old system, and none to new apps", func(t *testing.T) {
		w := ask(old["ossn"].program, http.MethodPost, "/api/v1.0/user_authenticate", "application/x-www-form-urlencoded",
			"api_key_token=c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00&username=dave&password=correct-horse")
		require.Contains(t, w.Body.String(), `"last_name": "O&#039;Hara"`)
		l, err := old["ossn"].store.FindLogin(t.Context(), "default", "dave")
		require.NoError(t, err)
		require.Equal(t, "O'Hara", l.User.Claims["family_name"])
		require.Equal(t, "en", l.User.Claims["locale"])
	})
	t.Run("guesses count, whatever the name", func(t *testing.T) { guessesCount(t, old["ossn"]) })
	t.Run("the database is away", func(t *testing.T) {
		server.Stop()
		for range 3 { // the third answer is the breaker's
			for system, d := range old {
				e := exampleOf(t, system, "unavailable")
				e.Given.Now = ""
				d.answers(t, e)
			}
		}
		server.Resume(t)
		time.Sleep(150 * time.Millisecond) // the breaker's rest
		old["ossn"].answers(t, exampleOf(t, "ossn", "recorded-55-admin-success"))
		old["faveo"].answers(t, exampleOf(t, "faveo", "recorded-06-unicode"))
		for _, word := range []string{secret, "correct-horse", "Adm1n-Secret", "$2y$"} {
			require.NotContains(t, old["ossn"].said.String()+old["faveo"].said.String(), word)
		}
		require.Contains(t, old["ossn"].said.String(), "connection refused", "but why there was no answer")
	})
}

// guessesCount locks alice by guesses at her name and at her address.
func guessesCount(t *testing.T, d *oldDatabase) {
	login := func(name, password string) string {
		return ask(d.program, http.MethodPost, "/api/v1.0/user_authenticate", "application/x-www-form-urlencoded",
			"api_key_token=c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00&username="+name+"&password="+password).Body.String()
	}
	d.clock.advance(time.Hour)
	for range d.cfg.Lockout.Failures / 2 {
		for _, name := range []string{"alice", "alice.mixed@example.com"} {
			require.Contains(t, login(name, "guess"), `"code": "105"`)
		}
	}
	for _, name := range []string{"alice", "alice.mixed@example.com", "ALICE"} {
		require.NotContains(t, login(name, "correct-horse"), `"code": "100"`, name)
	}
	d.clock.advance(time.Hour)
	require.Contains(t, login("alice", "correct-horse"), `"code": "100"`)
}

// Everybody who signs in while both are there can do so when the old database is gone.
func TestAnOldDatabaseIsSwitchedOff(t *testing.T) {
	server := mariadbtest.Start(t)
	server.OSSN(t)
	unicode := exampleOf(t, "ossn", "recorded-50-unicode-profile")
	d := openOldDatabase(t, server, "ossn", unicode, func(c *config.Config) {
		c.Connectors[0].Database.Import = true
		c.Verifiers[0].Steps = []config.VerifierStep{{Verifier: "local"}, {Verifier: "old"}}
	})
	d.answers(t, exampleOf(t, "ossn", "recorded-11-wrong-password-post"))
	_, err := d.store.FindLogin(t.Context(), "default", "alice")
	require.ErrorIs(t, err, identity.ErrNotFound, "a wrong password makes nobody")
	d.answers(t, unicode)
	d.answers(t, exampleOf(t, "ossn", "recorded-03-success-post-username"))
	l, err := d.store.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	require.Contains(t, l.Credential.Hash, "$argon2id$", "and no md5")

	server.Stop()
	d.answers(t, unicode)
	d.answers(t, exampleOf(t, "ossn", "recorded-03-success-post-username"))
	d.answers(t, exampleOf(t, "ossn", "recorded-11-wrong-password-post"))
}
