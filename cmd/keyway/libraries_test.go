package main

import (
	"bytes"
	"cmp"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

// library is an app of docs/examples, and where it has its pages.
type library struct {
	name    string
	start   func(t *testing.T) *exec.Cmd
	byHand  bool                        // needs what a package registry has; see docs/connect.md
	login   string                      // "/login" where it is empty
	show    string                      // "/"
	refresh func(g *guest, self string) // goes to "/refresh"
	logout  string                      // "/logout"
	hears   string                      // where it is told that somebody signed out elsewhere
	noPKCE  bool                        // it is registered to do without
}

// libraries are the stacks of docs/connect.md. Those that are tried by hand are
// run where KEYWAY_LIBRARIES names them.
func libraries() []library {
	return []library{
		{name: "go", start: startGo},
		{name: "python-authlib", start: startPython},
		{name: "openid-client", start: startNode("openid-client.mjs"), byHand: true},
		{name: "oauth4webapi", start: startNode("oauth4webapi.mjs"), byHand: true},
		{name: "spring", start: startSpring, byHand: true, login: "/oauth2/authorization/keyway"},
		apache(),
	}
}

func apache() library {
	return library{
		name: "apache", start: startApache, login: "/private/", show: "/callback?info=json", refresh: refreshByApache,
		logout: "/callback?logout=", hears: "/callback?logout=backchannel",
	}
}

var printedClient = regexp.MustCompile(`(?m)^issuer (\S+), client id (\S+), (?:secret (\S+)|no secret), redirect URI (\S+)`)

// TestTheDemoPrintsAllThatAnAppNeeds signs in with each client that the demo
// prints, and with nothing else.
func TestTheDemoPrintsAllThatAnAppNeeds(t *testing.T) {
	d := startDemo(t)
	printed := printedClient.FindAllStringSubmatch(d.Stdout.String(), -1)
	require.Len(t, printed, 2)
	for _, p := range printed {
		t.Run(p[2], func(t *testing.T) {
			op, err := coreosoidc.NewProvider(t.Context(), p[1])
			require.NoError(t, err)
			app := oauth2.Config{
				ClientID: p[2], ClientSecret: p[3], Endpoint: op.Endpoint(), RedirectURL: strings.ReplaceAll(p[4], "PORT", "1"),
				Scopes: []string{"openid", "profile", "email", "offline_access"},
			}
			verifier := oauth2.GenerateVerifier()
			g := newGuest(t)
			g.ends = app.RedirectURL
			g.goes(app.AuthCodeURL("a state", oauth2.S256ChallengeOption(verifier)))
			g.signsIn("alice", "correct-horse")
			require.Equal(t, "a state", g.at.Query().Get("state"), g.at)
			tokens, err := app.Exchange(t.Context(), g.at.Query().Get("code"), oauth2.VerifierOption(verifier))
			require.NoError(t, err)
			fresh, err := app.TokenSource(t.Context(), &oauth2.Token{RefreshToken: tokens.RefreshToken}).Token()
			require.NoError(t, err)
			require.NotEqual(t, tokens.AccessToken, fresh.AccessToken)
			person, err := op.UserInfo(t.Context(), oauth2.StaticTokenSource(fresh))
			require.NoError(t, err)
			require.Equal(t, "alice@example.com", person.Email)
		})
	}
}

// examples is where the apps are.
const examples = "../../docs/examples"

// TestEachLibraryConnectsWithNothingButTheIssuer runs the apps of docs/examples
// as they are against the demo: sign-in, userinfo, refresh, logout.
func TestEachLibraryConnectsWithNothingButTheIssuer(t *testing.T) {
	asked := strings.Split(os.Getenv("KEYWAY_LIBRARIES"), ",")
	d := startDemo(t)
	for _, l := range libraries() {
		if l.byHand && !slices.Contains(asked, l.name) {
			continue
		}
		t.Run(l.name, func(t *testing.T) { l.connects(t, d) })
	}
}

// TestALibraryThatSendsNoPKCEConnectsWhereItMay takes the line for PKCE out of
// two of the apps, as people have them who never heard of it.
func TestALibraryThatSendsNoPKCEConnectsWhereItMay(t *testing.T) {
	d := startDemo(t)
	python := library{name: "python-plain", noPKCE: true, start: func(t *testing.T) *exec.Cmd {
		dir := copyWithout(t, "python-authlib", "app.py", `, "code_challenge_method": "S256"`)
		return pythonOf(t, filepath.Join(dir, "app.py"))
	}}
	site := apache()
	site.name, site.noPKCE = "apache-plain", true
	site.start = func(t *testing.T) *exec.Cmd {
		return apacheOf(t, copyWithout(t, "apache", "app.conf", "OIDCPKCEMethod S256\n"))
	}
	for _, l := range []library{python, site} {
		t.Run(l.name, func(t *testing.T) { l.connects(t, d) })
	}
}

func (l library) connects(t *testing.T, d *demo) {
	self := l.serve(t, d)
	g := newGuest(t)
	g.goes(self + cmp.Or(l.login, "/login"))
	g.signsIn("alice", "correct-horse")
	require.True(t, strings.HasPrefix(g.at.String(), self+"/"), g.at)

	g.goes(self + cmp.Or(l.show, "/"))
	before := g.claims()
	require.Equal(t, "alice@example.com", before["email"])
	require.Equal(t, "Alice Example", before["name"])
	require.Equal(t, true, before["email_verified"])

	if l.refresh == nil {
		g.goes(self + "/refresh")
	} else {
		l.refresh(g, self)
	}
	require.Equal(t, before["sub"], g.claims()["sub"])

	g.goes(self + cmp.Or(l.logout, "/logout"))
	if strings.Contains(g.page, "<form") { // Spring asks
		g.submits()
	}
	require.Equal(t, self+"/", g.at.String(), "Keyway returns people to the app")
	g.goes(self + cmp.Or(l.login, "/login"))
	g.sees("login-form") // nobody is signed in at Keyway either
}

// TestALibraryHearsOfASignOutElsewhere signs out at Keyway, and finds the site
// behind Apache closed.
func TestALibraryHearsOfASignOutElsewhere(t *testing.T) {
	d := startDemo(t)
	self := apache().serve(t, d)
	g := newGuest(t)
	g.goes(self + "/private/")
	g.signsIn("alice", "correct-horse")
	g.goes(self + "/private/")
	require.Contains(t, g.page, "Only people who signed in see this")
	g.goes(d.URL + "/oauth2/logout")
	g.submits("decision", "logout")
	for range 300 {
		if g.goes(self + "/private/"); g.at.Host != strings.TrimPrefix(self, "http://") {
			g.sees("login-form")
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the site still lets them in: %s", g.page)
}

// serve registers the app and runs it until the test ends. It returns its URL.
func (l library) serve(t *testing.T, d *demo) string {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	_, port, err := net.SplitHostPort(free.Addr().String())
	require.NoError(t, err)
	require.NoError(t, free.Close())
	self := "http://127.0.0.1:" + port
	secret := d.register(t, l, self)
	cmd := l.start(t)
	cmd.Env = append(os.Environ(), "ISSUER="+d.URL, "CLIENT_ID="+l.name, "CLIENT_SECRET="+secret, "PORT="+port)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // so that what it starts ends with it
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		kill := time.AfterFunc(10*time.Second, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		defer kill.Stop()
		if err := <-done; t.Failed() {
			t.Logf("%s ended with %v and said:\n%s", l.name, err, &out)
		}
	})
	for range 600 {
		if resp, err := http.Get(self + cmp.Or(l.show, "/")); err == nil {
			_ = resp.Body.Close()
			return self
		}
		select {
		case err := <-done:
			done <- err
			t.Fatalf("%s ended: %v", l.name, err)
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatalf("%s did not start", l.name)
	return ""
}

// register adds a client to the running demo, as its operator would.
func (d *demo) register(t *testing.T, l library, self string) (secret string) {
	t.Helper()
	file := filepath.Join(d.Dir, "keyway.yaml")
	text := "issuer: " + d.URL + "\ndatabase: " + filepath.Join(d.Dir, "keyway.db") + "\nsecret: file:" + filepath.Join(d.Dir, "secret") + "\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	args := []string{
		"clients", "add", l.name, "--config", file, "--name", l.name,
		"--grant", "authorization_code,refresh_token", "--scope", "openid,profile,email,offline_access",
		"--redirect-uri", self + "/callback", "--post-logout-redirect-uri", self + "/",
	}
	if l.hears != "" {
		args = append(args, "--backchannel-logout-uri", self+l.hears)
	}
	if l.noPKCE {
		args = append(args, "--pkce-optional")
	}
	code, out, stderr := runKeyway(t, args...)
	require.Zero(t, code, stderr)
	_, rest, _ := strings.Cut(out, "client_secret: ")
	secret, _, _ = strings.Cut(rest, "\n")
	require.NotEmpty(t, secret, out)
	return secret
}
