package main

import (
	"context"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/store"
)

// surfer is a browser that follows every redirect, without scripts.
type surfer struct {
	*testing.T
	client *http.Client
	at     string // the URL of the last page
	status int
	page   string

	recovery string // a code for where a second factor is asked for
}

func newSurfer(t *testing.T) *surfer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &surfer{T: t, client: &http.Client{Jar: jar, Timeout: 20 * time.Second}}
}

func (s *surfer) send(r *http.Request) {
	s.Helper()
	res, err := s.client.Do(r)
	require.NoError(s, err)
	defer res.Body.Close() //nolint:errcheck // only read from
	body, err := io.ReadAll(res.Body)
	require.NoError(s, err)
	s.at, s.status, s.page = res.Request.URL.String(), res.StatusCode, string(body)
}

func (s *surfer) open(to string) {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), http.MethodGet, to, nil)
	require.NoError(s, err)
	s.send(r)
}

var (
	wholeForm   = regexp.MustCompile(`(?s)<form id="([^"]*)"[^>]* action="([^"]*)".*?</form>`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// submit fills in a form of the page.
func (s *surfer) submit(id string, fields ...string) {
	s.Helper()
	for _, f := range wholeForm.FindAllStringSubmatch(s.page, -1) {
		if f[1] != id {
			continue
		}
		values := url.Values{}
		for _, h := range hiddenField.FindAllStringSubmatch(f[0], -1) {
			values.Set(html.UnescapeString(h[1]), html.UnescapeString(h[2]))
		}
		for i := 0; i < len(fields); i += 2 {
			values.Set(fields[i], fields[i+1])
		}
		base, err := url.Parse(s.at)
		require.NoError(s, err)
		to, err := base.Parse(html.UnescapeString(f[2]))
		require.NoError(s, err)
		r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, to.String(), strings.NewReader(values.Encode()))
		require.NoError(s, err)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		s.send(r)
		return
	}
	s.Fatalf("no form %s at %s (%d):\n%s", id, s.at, s.status, s.page)
}

// isAt requires that the browser is below a path, on a page with the texts.
func (s *surfer) isAt(prefix string, texts ...string) {
	s.Helper()
	require.True(s, strings.HasPrefix(s.at, prefix), "at %s, not %s:\n%s", s.at, prefix, s.page)
	for _, text := range texts {
		require.Contains(s, s.page, text)
	}
}

// signsInAtCorp signs in on the page of Example Corp, which must be open.
func (s *surfer) signsInAtCorp(d *demo) {
	s.Helper()
	s.isAt(d.URL+"/corp/login", "<span>Example Corp</span>")
	s.submit("login-form", "username", "alice", "password", "correct-horse")
}

// events are the kinds of what was recorded with a connector.
func (d *demo) upstreamEvents(t *testing.T) []string {
	t.Helper()
	db, err := store.Open(context.Background(), store.Options{DSN: filepath.Join(d.Dir, "keyway.db"), SealKey: make([]byte, 32), Now: time.Now})
	require.NoError(t, err)
	defer db.Close() //nolint:errcheck // only read from
	all, err := db.ListEvents(t.Context(), store.EventQuery{Limit: 1000})
	require.NoError(t, err)
	var kinds []string
	for _, e := range all {
		if e.Connector == "corp" {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func TestSigningInAtAnotherKeyway(t *testing.T) {
	d := startDemo(t)
	t.Run("a button leads there, and back to the app", func(t *testing.T) {
		s := newSurfer(t)
		s.open(d.URL + "/demo/login")
		s.isAt(d.URL+"/login", "Sign in with Example Corp")
		s.submit("upstream-form", "connector", "corp")
		s.signsInAtCorp(d)
		s.isAt(d.URL+"/consent", "Alice Corp")
		s.submit("consent-form", "decision", "allow")
		s.isAt(d.URL+"/demo", "alice@corp.example", "Alice Corp")
		s.open(d.URL + "/account")
		s.isAt(d.URL+"/account", "alice@corp.example")
		require.NotContains(t, s.page, "alice@example.com", "an alice of ours is somebody else")
	})
	t.Run("an address leads there, and nobody looks at a password", func(t *testing.T) {
		s := newSurfer(t)
		s.open(d.URL + "/demo/login")
		s.submit("login-form", "username", "Alice@Corp.example", "password", "of no interest to anybody")
		s.isAt(d.URL+"/corp/login", `value="Alice@Corp.example"`)
		require.NotContains(t, s.at+s.page, "of no interest")
	})
	t.Run("a name alone is asked for its password", func(t *testing.T) {
		s := newSurfer(t)
		s.open(d.URL + "/demo/login")
		s.submit("login-form", "username", "alice", "password", "")
		s.isAt(d.URL+"/login", `value="alice"`)
		require.NotContains(t, s.page, `id="login-error"`)
		s.submit("login-form", "username", "alice", "password", "correct-horse")
		s.isAt(d.URL+"/consent", "Alice Example")
	})
	t.Run("who breaks it off there is told so, and can go another way", func(t *testing.T) {
		s := newSurfer(t)
		s.open(d.URL + "/demo/login")
		s.submit("upstream-form", "connector", "corp")
		away, err := url.Parse(s.at)
		require.NoError(t, err)
		require.Equal(t, "/corp/login", away.Path)
		s.open(d.URL + "/login/callback/corp?error=access_denied&state=unknown")
		require.Equal(t, http.StatusBadRequest, s.status)
		require.Contains(t, s.page, "We could not believe that answer")
	})
	require.Subset(t, d.upstreamEvents(t), []string{"user_provisioned", "login"})
}

func TestCheckNamesAMappingThatDoesNotCompile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "keyway.yaml")
	t.Setenv("KEYWAY_TEST_SECRET", strings.Repeat("0123456789abcdef", 4))
	text := "secret: env:KEYWAY_TEST_SECRET\nconnectors:\n- {id: corp, issuer: \"https://corp.example\", client_id: k, mapping: {roles: 'claims.groups +', claims: {sub: subject}}}\n"
	require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	for _, command := range []string{"check", "serve"} {
		code, _, stderr := runKeyway(t, command, "--config", file)
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "connector corp: mapping: ")
		require.Contains(t, stderr, "roles: ")
		require.Contains(t, stderr, "claims.sub: not a claim that a mapping may set")
	}
}
