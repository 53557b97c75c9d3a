package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/provider/apppassword"
	"keyway/provider/identity"
)

// fourCalls are the four legacy calls: who signs in where, and what the password is
// wrapped in.
var fourCalls = []struct{ system, path, kind, body string }{
	{"faveo", "/api/v1/authenticate", "application/x-www-form-urlencoded", "username=NAME&password=PASSWORD"},
	{"ossn", "/api/v1.0/user_authenticate", "application/x-www-form-urlencoded", "username=NAME&password=PASSWORD&api_key_token=" + demoOSSNKey},
	{"crmcom", "/crmapi/rest/v2/authentication/token", "application/json", `{"username":"NAME","password":"PASSWORD","organisation":"CRMDEMO","unit":"` + demoUnit + `"}`},
	{"payhub", "/user/login", "application/json", `{"emailId":"NAME@example.com","password":"PASSWORD"}`},
}

// appsProgram is the program with the demo's systems, of which CRM.COM asks the
// common directory, and somebody who has no password.
type appsProgram struct {
	*program
	t     *testing.T
	clock *clock
	fay   string
}

func newAppsProgram(t *testing.T) *appsProgram {
	t.Helper()
	cfg, err := demoConfig("127.0.0.1:1", t.TempDir())
	require.NoError(t, err)
	for i := range cfg.Systems {
		switch s := &cfg.Systems[i]; s.Template {
		case "faveo":
			s.Settings["rate_limit"] = 0
		case "crmcom":
			s.Directory = "default"
		}
	}
	cfg.Log.Level = "error"
	cfg.Database = config.NewDSN(filepath.Join(t.TempDir(), "apps.db"))
	cfg.Passwords.Argon2 = config.Argon2{MemoryKiB: 8, Iterations: 1, Parallelism: 1}
	a := &appsProgram{t: t, clock: &clock{now: time.Now().UTC().Truncate(time.Second)}}
	a.program, err = openAt(t.Context(), cfg, io.Discard, a.clock.Now)
	require.NoError(t, err)
	t.Cleanup(a.close)
	done, err := a.store.SaveFederated(t.Context(), &identity.Federated{
		Connector: "corp", Issuer: "https://corp.example", Subject: "42", Email: "fay@example.com", EmailVerified: true,
		LoginName: identity.LoginName{Directory: "default", Name: "fay@example.com"}, Claims: map[string]any{"name": "Fay Example"},
		Accounts: []identity.Account{
			{System: "faveo", ID: "70", Attributes: map[string]any{"user_name": "fay", "role": "user"}},
			{System: "ossn", ID: "20", Attributes: map[string]any{}},
			{System: "crmcom", ID: "CRMDEMO/fay", Attributes: map[string]any{"organisation": "CRMDEMO", "unit": demoUnit}},
			{System: "payhub", ID: "fay@example.com", Attributes: map[string]any{"apiKey": "DEMO-PAYHUB-APIKEY-FAY"}},
		},
	}, true)
	require.NoError(t, err)
	a.fay = done.Subject
	return a
}

func (a *appsProgram) subject(name string) string {
	a.t.Helper()
	l, err := a.store.FindLogin(a.t.Context(), "default", name)
	require.NoError(a.t, err)
	return l.User.Subject
}

// make makes an app password.
func (a *appsProgram) make(subject, system string, change ...func(*apppassword.Wish)) *apppassword.Made {
	a.t.Helper()
	w := apppassword.Wish{Subject: subject, System: system, Name: "gateway"}
	for _, f := range change {
		f(&w)
	}
	made, err := a.makeApp(a.t.Context(), w)
	require.NoError(a.t, err)
	return made
}

// call makes the legacy call of a system.
func (a *appsProgram) call(system, name, password string) *httptest.ResponseRecorder {
	a.t.Helper()
	for _, c := range fourCalls {
		if c.system == system {
			if name == "fay" && system != "payhub" {
				name = "fay@example.com" // an upstream gave her one name
			}
			body := strings.NewReplacer("NAME", name, "PASSWORD", password).Replace(c.body)
			return ask(a.program, http.MethodPost, c.path, c.kind, body)
		}
	}
	a.t.Fatalf("there is no call of %s", system)
	return nil
}

// shape is an answer without what differs from one login to the next.
func shape(w *httptest.ResponseRecorder) string {
	h := w.Header().Clone()
	for name := range h {
		if name != "Content-Type" && name != "Cache-Control" {
			h[name] = []string{"present"}
		}
	}
	head, _ := json.Marshal(h)
	return http.StatusText(w.Code) + "\n" + string(head) + "\n" + masked(w.Body.String(), "http://127.0.0.1:1")
}

func TestAnAppPasswordIsAnsweredAsThePersonsOwn(t *testing.T) {
	a := newAppsProgram(t)
	alice := a.subject("alice")
	for _, c := range fourCalls {
		t.Run(c.system, func(t *testing.T) {
			own := a.call(c.system, "alice", "correct-horse")
			require.NotEmpty(t, tokenInAnswer(own), own.Body.String())
			app := a.make(alice, c.system)
			require.Contains(t, app.Usernames, "alice")
			with := a.call(c.system, "alice", app.Password)
			require.Empty(t, cmp.Diff(shape(own), shape(with)))
			require.NotEmpty(t, tokenInAnswer(with))
			require.Empty(t, cmp.Diff(shape(own), shape(a.call(c.system, "alice", strings.ToUpper(" "+app.Password)))), "somebody had to copy it")
			wrong := a.call(c.system, "alice", "wrong")
			require.Empty(t, tokenInAnswer(wrong))

			for _, other := range fourCalls {
				if other.system != c.system {
					require.Equal(t, shape(a.call(other.system, "alice", "wrong")), shape(a.call(other.system, "alice", app.Password)), "it opens %s alone", c.system)
					require.NotEmpty(t, tokenInAnswer(a.call(other.system, "alice", "correct-horse"))) // so that nobody is locked
				}
			}
			short := a.make(alice, c.system, func(w *apppassword.Wish) { w.Days = 1 })
			far := a.make(alice, c.system, func(w *apppassword.Wish) { w.Networks = "192.0.2.0/24" })
			near := a.make(alice, c.system, func(w *apppassword.Wish) { w.Networks = "192.0.2.0/24 127.0.0.1" })
			require.NotEmpty(t, tokenInAnswer(a.call(c.system, "alice", short.Password)))
			require.Equal(t, shape(wrong), shape(a.call(c.system, "alice", far.Password)))
			require.NotEmpty(t, tokenInAnswer(a.call(c.system, "alice", near.Password)))
			a.clock.advance(25 * time.Hour)
			require.Equal(t, shape(wrong), shape(a.call(c.system, "alice", short.Password)), "it has expired")
			require.NotEmpty(t, tokenInAnswer(a.call(c.system, "alice", app.Password)), "this one has not")
		})
	}
}

// tokenInAnswer is the access token of a reply, "" where there is none. OSSN's
// is its cookie, which a refused login has too.
func tokenInAnswer(w *httptest.ResponseRecorder) string {
	if strings.Contains(w.Body.String(), `"code": "100"`) {
		return tokenInCookie(w.Header(), nil)
	}
	return tokenInBody(w.Header(), w.Body.Bytes())
}

func TestWhoSignsInElsewhereKeepsTheirOldAppsByAppPasswords(t *testing.T) {
	a := newAppsProgram(t)
	for _, c := range fourCalls {
		require.Empty(t, tokenInAnswer(a.call(c.system, "fay", "correct-horse")), "she has no password")
		app := a.make(a.fay, c.system)
		granted := a.call(c.system, "fay", app.Password)
		token := tokenInAnswer(granted)
		require.NotEmpty(t, token, granted.Body.String())
		require.Equal(t, true, a.introspected(token)["active"])
		require.Equal(t, a.fay, a.introspected(token)["sub"])

		desk, err := a.appDesk(nil)
		require.NoError(t, err)
		require.NoError(t, desk.Remove(t.Context(), a.fay, app.ID))
		require.Empty(t, tokenInAnswer(a.call(c.system, "fay", app.Password)), "taken back")
		a.clock.advance(time.Second) // what was read is believed for less
		require.Equal(t, false, a.introspected(token)["active"], "and what it opened ends with it")
	}
	require.NoError(t, a.store.SetStatus(t.Context(), a.fay, identity.StatusActive))
	app := a.make(a.fay, "faveo")
	require.NoError(t, a.store.SetStatus(t.Context(), a.fay, identity.StatusDisabled))
	require.Empty(t, tokenInAnswer(a.call("faveo", "fay", app.Password)), "who is disabled has no way in")
}

func (a *appsProgram) introspected(token string) map[string]any {
	a.t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/oauth2/introspect", strings.NewReader("token="+token))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", serviceHeader())
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, r)
	var out map[string]any
	require.NoError(a.t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	return out
}

func TestFiftyGuessesOfAnAppPasswordLockTheOwnOneToo(t *testing.T) {
	a := newAppsProgram(t)
	app := a.make(a.subject("alice"), "faveo")
	for range 50 {
		guess, _ := identity.NewAppPassword()
		require.Empty(t, tokenInAnswer(a.call("faveo", "alice", guess)))
	}
	require.Empty(t, tokenInAnswer(a.call("faveo", "alice", app.Password)))
	require.Empty(t, tokenInAnswer(a.call("ossn", "alice", "correct-horse")), "the lockout is the person's")
	a.clock.advance(16 * time.Minute)
	require.NotEmpty(t, tokenInAnswer(a.call("faveo", "alice", app.Password)))
	require.NotEmpty(t, tokenInAnswer(a.call("ossn", "alice", "correct-horse")))
}

func TestAppPasswordsAreMadeListedAndRemovedByCommands(t *testing.T) {
	dir := t.TempDir()
	file := writeConfig(t, dir, "passwords: {argon2: {memory_kib: 8, iterations: 1}}\nsystems:\n"+
		"  - {name: helpdesk, template: faveo, settings: {jwt_secret: env:KEYWAY_TEST_SECRET}}\n  - {name: social, template: ossn, settings: {api_key_token: env:KEYWAY_TEST_SECRET, url: 'https://social.example/'}}\n")
	people := filepath.Join(dir, "people.jsonl")
	require.NoError(t, os.WriteFile(people, []byte(`{"login_names":["alice"],"status":"active","accounts":{"faveo":{"id":"7"}}}`+"\n"), 0o600))
	code, _, stderr := runKeyway(t, "users", "import", people, "--config", file)
	require.Equal(t, exitDone, code, stderr)

	code, stdout, stderr := runKeyway(t, "apps", "add", "alice", "--config", file, "--system", "helpdesk", "--name", "gateway", "--days", "30", "--network", "192.0.2.7", "-o", "json")
	require.Equal(t, exitDone, code, stderr)
	var made appRow
	require.NoError(t, json.Unmarshal([]byte(stdout), &made))
	require.Regexp(t, `^[a-z2-7]{5}(-[a-z2-7]{5}){3}$`, made.Password)
	require.Equal(t, []string{"192.0.2.7/32"}, made.Networks)
	require.Equal(t, made.CreatedAt.AddDate(0, 0, 30), made.ExpiresAt)

	for _, args := range [][]string{{"apps", "list"}, {"apps", "list", "alice"}} {
		code, stdout, stderr = runKeyway(t, append(args, "--config", file, "-o", "json")...)
		require.Equal(t, exitDone, code, stderr)
		require.NotContains(t, stdout, made.Password, "it is shown once")
		var all []appRow
		require.NoError(t, json.Unmarshal([]byte(stdout), &all))
		require.Len(t, all, 1)
		require.Equal(t, made.ID, all[0].ID)
		require.Equal(t, "helpdesk", all[0].System)
	}
	for want, args := range map[string][]string{
		"no account or no login name there": {"--system", "social", "--name", "x"},
		"there is no system":                {"--system", "bogus", "--name", "x"},
		"--name must have":                  {"--system", "helpdesk"},
		"--days must be":                    {"--system", "helpdesk", "--name", "x", "--days", "-1"},
		"--network must be":                 {"--system", "helpdesk", "--name", "x", "--network", "home"},
	} {
		code, _, stderr = runKeyway(t, append([]string{"apps", "add", "alice", "--config", file}, args...)...)
		require.NotEqual(t, exitDone, code)
		require.Contains(t, stderr, want)
	}
	code, stdout, stderr = runKeyway(t, "apps", "remove", "alice", made.ID, "--config", file)
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, made.ID)
	code, _, stderr = runKeyway(t, "apps", "remove", "alice", made.ID, "--config", file)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "no app password")
	code, _, _ = runKeyway(t, "apps", "remove", "alice", "--config", file)
	require.Equal(t, exitUsage, code)
}
