package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/adapter/contract"
	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/upstream"
	"keyway/templates"
)

// shipped are what the descriptions that come with Keyway have to be told.
var shipped = map[string]map[string]any{
	"faveo": nil, "ossn": {"api_key_token": config.NewSecret(demoOSSNKey)}, "crmcom": {"organisation": "CRMDEMO"}, "payhub": nil,
}

// oldServer is the connector of an old server that is one of those.
func oldServer(system, url string) config.Connector {
	return config.Connector{
		ID: "old-" + system, Type: "legacy", Directory: system, Create: true, Guard: config.Guard{Timeout: 5 * time.Second, Parallel: 8, Failures: 1000, Rest: time.Second},
		Legacy: config.ConnectorLegacy{URL: url, Preset: system, Settings: shipped[system]},
	}
}

// inFront is a program in front of old servers of all four kinds at url, whose people
// it knows nothing of.
func inFront(t *testing.T, url string) *program {
	t.Helper()
	cfg, err := demoConfig("127.0.0.1:1", t.TempDir())
	require.NoError(t, err)
	cfg.UsersFile, cfg.Systems, cfg.Connectors, cfg.Log.Level = "", cfg.Systems[:4], nil, "error"
	for i := range cfg.Systems {
		s := &cfg.Systems[i]
		c := oldServer(s.Name, url)
		if s.Directory = s.Name; s.Name == "crmcom" {
			s.Directory, c.Directory = "", "crmcom/CRMDEMO"
		}
		cfg.Connectors = append(cfg.Connectors, c)
		cfg.Verifiers = append(cfg.Verifiers, config.VerifierRule{Systems: []string{s.Name}, Steps: []config.VerifierStep{{Verifier: c.ID}}})
	}
	cfg.Systems[0].Settings["rate_limit"], cfg.Systems[1].Settings["url"] = 0, url+"/"
	p, err := open(t.Context(), cfg, t.Output())
	require.NoError(t, err)
	t.Cleanup(p.close)
	return p
}

// changing is what is another one in each answer.
var changing = regexp.MustCompile(`"token":"[^"]*"|"time_token": ?\d+|"expiry":"\d+"|"(created|updated)_at":"[^"]*"`)

// Keyway is the best old server that there is: it answers to the byte as those that
// were recorded. A second one in front of it has to answer its calls as it does.
func TestKeywayInFrontOfAnOldServer(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	cfg, err := demoConfig(l.Addr().String(), t.TempDir())
	require.NoError(t, err)
	cfg.Passwords.Argon2.MemoryKiB = 8
	cfg.Systems[0].Settings["rate_limit"] = 0
	old, err := open(t.Context(), cfg, t.Output())
	require.NoError(t, err)
	t.Cleanup(old.close)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: old.handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	front := inFront(t, cfg.Issuer)

	for _, login := range legacyLogins() {
		if strings.Contains(login.system, "-") {
			continue
		}
		for _, c := range [][2]string{
			{"the right password", login.body},
			{"again", login.body},
			{"a wrong one", strings.Replace(login.body, "correct-horse", "wrong", 1)},
			{"a name that nobody has", strings.Replace(login.body, "alice", "nobody-at-all", 1)},
			{"no password", strings.Replace(login.body, "correct-horse", "", 1)},
		} {
			name, body := c[0], c[1]
			t.Run(login.system+": "+name, func(t *testing.T) {
				kind := "application/x-www-form-urlencoded"
				if strings.HasPrefix(body, "{") {
					kind = "application/json"
				}
				said, want := ask(front, http.MethodPost, login.path, kind, body), ask(old, http.MethodPost, login.path, kind, body)
				require.Equal(t, want.Code, said.Code)
				require.Equal(t, changing.ReplaceAllString(want.Body.String(), "-"), changing.ReplaceAllString(said.Body.String(), "-"))
				if name == "the right password" || name == "again" {
					require.NotEmpty(t, login.token(want.Header(), want.Body.Bytes()))
					require.NotEmpty(t, login.token(said.Header(), said.Body.Bytes()))
				}
			})
		}
	}
	users, err := front.store.ListUsers(t.Context(), "", "", 100)
	require.NoError(t, err)
	require.Len(t, users, 4, "one for each server: an address makes nobody the same")
	for _, u := range users {
		links, err := front.store.ListLinks(t.Context(), u.Subject)
		require.NoError(t, err)
		require.Equal(t, cfg.Issuer, links[0].Issuer)
		if links[0].Connector != "old-payhub" { // which has no other id
			require.NotContains(t, links[0].UpstreamSubject, "@")
		}
	}

	server.Close()
	for _, login := range legacyLogins() {
		if strings.Contains(login.system, "-") {
			continue
		}
		w := ask(front, http.MethodPost, login.path, map[bool]string{true: "application/json", false: "application/x-www-form-urlencoded"}[login.body[0] == '{'], login.body)
		require.Equal(t, unavailable[login.system], w.Code, "%s: %s", login.system, w.Body)
		require.Empty(t, tokenInBody(nil, w.Body.Bytes()))
	}
}

// recorded serves the response of an exchange, byte for byte.
func recorded(t *testing.T, system, file string, number int) string {
	t.Helper()
	source, err := templates.Systems().Open(system + "/examples/" + file + ".txtar")
	require.NoError(t, err)
	text, err := io.ReadAll(source)
	require.NoError(t, err)
	e, err := contract.Parse(file+".txtar", text)
	require.NoError(t, err)
	response := strings.ReplaceAll(e.Exchanges[number-1].Response, "<<*>>", "1")
	answer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		res, err := http.ReadResponse(bufio.NewReader(strings.NewReader(strings.ReplaceAll(response, "\n\n", "\r\n\r\n"))), r)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			return
		}
		defer res.Body.Close() //nolint:errcheck // only read from
		for name := range res.Header {
			w.Header().Set(name, res.Header.Get(name))
		}
		w.WriteHeader(res.StatusCode)
		_, _ = io.Copy(w, res.Body)
	}))
	t.Cleanup(answer.Close)
	return answer.URL
}

func TestDescriptionsReadWhatWasRecorded(t *testing.T) {
	for _, c := range []struct {
		system, file string
		number       int
		kind         upstream.Kind
		subject      string
	}{
		{"faveo", "recorded-01-success", 1, "", "7"},
		{"faveo", "recorded-06-unicode", 1, "", "11"},
		{"faveo", "recorded-10-wrong-password", 1, upstream.Wrong, ""},
		{"faveo", "document", 1, "", "1"},
		{"faveo", "account-2.0", 1, "", "7"},
		{"faveo", "profile-1.9", 1, "", "7"},
		{"faveo", "profile-pro", 1, "", "7"},
		{"faveo", "internal", 1, upstream.Unavailable, ""},
		{"faveo", "recorded-31-no-token", 1, upstream.Unavailable, ""},
		{"ossn", "recorded-03-success-post-username", 1, "", "2"},
		{"ossn", "recorded-11-wrong-password-post", 1, upstream.Wrong, ""},
		{"ossn", "recorded-16-unknown-user-post", 1, upstream.Unknown, ""},
		{"ossn", "recorded-22-unvalidated-right-password", 1, upstream.Unverified, ""},
		{"ossn", "recorded-25-missing-key-post", 1, upstream.Unavailable, ""},
		{"ossn", "recorded-55-admin-success", 1, "", "1"},
		{"crmcom", "document-example", 1, "", "CRMDEMO/alice"},
		{"crmcom", "r10-login", 1, "", "CRMDEMO/alice"},
		{"crmcom", "refused-user", 1, upstream.Wrong, ""},
		{"crmcom", "unavailable", 1, upstream.Unavailable, ""},
		{"payhub", "success", 1, "", "merchant@example.com"},
		{"payhub", "wrong-password", 1, upstream.Wrong, ""},
		{"payhub", "unknown-email", 1, upstream.Unknown, ""},
		{"payhub", "unavailable", 1, upstream.Unavailable, ""},
	} {
		t.Run(c.system+" "+c.file, func(t *testing.T) {
			cfg := config.Default()
			cfg.Outbound.AllowLoopback = true
			p := &program{cfg: &cfg, log: newLog(cfg.Log, t.Output()), now: time.Now}
			t.Cleanup(p.close)
			connector, one := oldServer(c.system, recorded(t, c.system, c.file, c.number)), &federation.Connector{}
			require.NoError(t, p.legacyConnector(&connector, one))
			person, err := one.Verifier.Verify(t.Context(), &upstream.Login{Username: " Alice", Password: "x"})
			if c.kind != "" {
				require.Equal(t, c.kind, upstream.KindOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.subject, person.Subject)
			require.Equal(t, connector.Legacy.URL, person.Issuer)
		})
	}
}

func TestADescriptionOfOnesOwn(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KEYWAY_TEST_SECRET", strings.Repeat("0123456789abcdef", 4))
	file, own := filepath.Join(dir, "keyway.yaml"), filepath.Join(dir, "forum.yaml")
	require.NoError(t, os.WriteFile(file, []byte("secret: env:KEYWAY_TEST_SECRET\nconnectors:\n- {id: forum, type: legacy, legacy: {url: \"https://forum.example.com\", file: forum.yaml}}\nverifiers: [{steps: [{verifier: forum}]}]\n"), 0o600))
	for want, text := range map[string]string{
		"":                                "request: {path: /login, fields: {u: username, p: password}}\nsuccess: json.id != nil\nsubject: json.id\nwrong: status == 401\nmapping: {login_name: username}\n",
		"connector forum: legacy: wrong:": "request: {path: /login}\nsuccess: json.id != nil\nsubject: json.id\n",
		"unknown field":                   "reqest: {path: /login}\n",
		"is larger than":                  strings.Repeat("# long\n", 10_000),
	} {
		if want == "" {
			text = strings.Replace(text, "username}", "subject}", 1)
		}
		require.NoError(t, os.WriteFile(own, []byte(text), 0o600))
		code, _, stderr := runKeyway(t, "check", "--config", file)
		require.Equal(t, want != "", code != 0, stderr)
		require.Contains(t, stderr, want)
	}
	cfg := config.Default()
	cfg.Connectors = []config.Connector{{ID: "a", Type: "legacy", Legacy: config.ConnectorLegacy{Preset: "zabbix"}}, {ID: "b", Type: "legacy", Legacy: config.ConnectorLegacy{Preset: "nothing"}}}
	err := applyPresets(&cfg)
	require.ErrorContains(t, err, "connector a: legacy: the folder of zabbix has no upstream.yaml")
	require.ErrorContains(t, err, `connector b: legacy: there is no legacy system "nothing"`)
	require.Equal(t, identity.ReasonUnverified, federation.ReasonOf(upstream.Unverified))
}
