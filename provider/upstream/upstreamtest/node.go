//go:build upstreams

package upstreamtest

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"embed"
	"encoding/json"
	"html"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"
)

//go:embed node/package.json node/package-lock.json node/.npmrc node/provider.mjs
var nodeFiles embed.FS

// Node is Node.js's oidc-provider, running. It knows two clients of ours: [ClientID],
// with [Secret], and "signed", with Key.
type Node struct {
	URL string
	Key *jose.JSONWebKey // private
}

// StartNode installs what package-lock.json says, to the byte, and runs it until the
// test ends. redirect is where its clients may be answered.
func StartNode(t *testing.T, redirect string) *Node {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"package.json", "package-lock.json", ".npmrc", "provider.mjs"} {
		text, err := nodeFiles.ReadFile(path.Join("node", name))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
	}
	install := exec.CommandContext(t.Context(), "npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts")
	install.Dir = dir
	out, err := install.CombinedOutput()
	require.NoError(t, err, "%s", out)

	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	n := &Node{URL: "http://" + l.Addr().String(), Key: signing(t, "ours")}
	require.NoError(t, l.Close())
	n.run(t, dir, redirect)
	return n
}

func (n *Node) run(t *testing.T, dir, redirect string) {
	t.Helper()
	run := exec.CommandContext(context.WithoutCancel(t.Context()), "node", "provider.mjs") // it outlives the test's context by the clean-up
	run.Dir, run.Stderr = dir, os.Stderr
	run.Env = append(os.Environ(), "NODE_ENV=production", "ISSUER="+n.URL, "REDIRECT="+redirect,
		"JWKS="+text(t, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{n.Key.Public()}}), "KEYS="+text(t, providerKeys(t)))
	said, err := run.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, run.Start())
	t.Cleanup(func() {
		_ = run.Process.Kill()
		_ = run.Wait()
	})
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(said)
		for lines.Scan() {
			if lines.Text() == "ready" {
				ready <- true
			}
		}
		close(ready)
	}()
	select {
	case ok := <-ready:
		require.True(t, ok, "oidc-provider did not start")
	case <-time.After(30 * time.Second):
		t.Fatal("oidc-provider did not get ready")
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

func signing(t *testing.T, kid string) *jose.JSONWebKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &jose.JSONWebKey{Key: key, KeyID: kid, Algorithm: "ES256", Use: "sig"}
}

// providerKeys are the provider's own, for ID tokens by RS256 and ES256.
func providerKeys(t *testing.T) []jose.JSONWebKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	return []jose.JSONWebKey{{Key: key, KeyID: "rs", Algorithm: "RS256", Use: "sig"}, *signing(t, "es")}
}

// Leaves takes somebody's account away.
func (n *Node) Leaves(t *testing.T, who string) {
	t.Helper()
	res, err := visit(t, http.DefaultClient, n.URL+"/leaves?who="+url.QueryEscape(who), nil)
	require.NoError(t, err)
	_ = res.Body.Close()
	require.Equal(t, http.StatusNoContent, res.StatusCode)
}

// visit opens a page, or posts values to it.
func visit(t *testing.T, browser *http.Client, to string, values url.Values) (*http.Response, error) {
	t.Helper()
	method := http.MethodGet
	if values != nil {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, to, strings.NewReader(values.Encode()))
	require.NoError(t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return browser.Do(r)
}

var (
	nodeForm   = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)".*?</form>`)
	nodeHidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// SignIn fills in its pages for somebody, beginning at to, and returns the answer that
// the browser is sent to redirect with.
func (n *Node) SignIn(t *testing.T, to, redirect, who string) url.Values {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	var answer url.Values
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), redirect+"?") {
			answer = r.URL.Query()
			return http.ErrUseLastResponse
		}
		return nil
	}}
	res, err := visit(t, browser, to, nil)
	for range 4 { // the name, then the consent
		require.NoError(t, err)
		page, readErr := io.ReadAll(res.Body)
		_ = res.Body.Close()
		require.NoError(t, readErr)
		if answer != nil {
			return answer
		}
		action, values := NodeForm(string(page), who)
		require.NotEmpty(t, action, "%s\n%s", res.Request.URL, page)
		target, parseErr := res.Request.URL.Parse(action)
		require.NoError(t, parseErr)
		res, err = visit(t, browser, target.String(), values)
	}
	t.Fatal("the provider goes round in circles")
	return nil
}

// NodeForm is the form of one of its pages, filled in; "" where there is none.
func NodeForm(page, who string) (action string, values url.Values) {
	found := nodeForm.FindStringSubmatch(page)
	if found == nil {
		return "", nil
	}
	values = url.Values{"login": {who}, "password": {"of no interest"}}
	for _, f := range nodeHidden.FindAllStringSubmatch(found[0], -1) {
		values.Set(html.UnescapeString(f[1]), html.UnescapeString(f[2]))
	}
	return html.UnescapeString(found[1]), values
}
