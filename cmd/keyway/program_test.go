package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/config"
)

// output is a command's output that a test may read while it runs.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// runKeyway runs one command to its end.
func runKeyway(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// demo is a running `keyway demo`.
type demo struct {
	URL    string
	Dir    string
	Stdout *output
	Stderr *output
}

// startDemo starts `keyway demo` on a free port and ends it with the test.
func startDemo(t *testing.T) *demo {
	t.Helper()
	d := &demo{Dir: t.TempDir(), Stdout: &output{}, Stderr: &output{}}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, []string{"demo", "--listen", "127.0.0.1:0", "--data", d.Dir}, d.Stdout, d.Stderr)
	}()
	t.Cleanup(func() {
		stop()
		require.Zero(t, <-done, d.Stderr.String())
	})
	for range 600 {
		if _, rest, ok := strings.Cut(d.Stdout.String(), "listens on "); ok {
			d.URL, _, _ = strings.Cut(rest, "\n")
			return d
		}
		select {
		case code := <-done:
			done <- code
			t.Fatalf("the demo ended with %d: %s", code, d.Stderr.String())
		case <-time.After(100 * time.Millisecond):
		}
	}
	t.Fatal("the demo did not start")
	return nil
}

// post posts a form, or JSON when the body begins with a brace.
func (d *demo) post(t *testing.T, path, body string, head ...string) (int, http.Header, []byte) {
	t.Helper()
	return d.do(t, http.MethodPost, path, body, head...)
}

func (d *demo) do(t *testing.T, method, path, body string, head ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, d.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if strings.HasPrefix(body, "{") {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(head); i += 2 {
		req.Header.Set(head[i], head[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // only read from
	b, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, resp.Header, b
}

// serviceAuth is the Authorization header of demo-service.
func serviceAuth(t *testing.T) (name, value string) {
	t.Helper()
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("demo-service", "demo-service-secret-0b9e3c7a51d24f68")
	return "Authorization", r.Header.Get("Authorization")
}

// introspect returns the answer of the introspection endpoint.
func (d *demo) introspect(t *testing.T, token string) map[string]any {
	t.Helper()
	name, value := serviceAuth(t)
	status, _, body := d.post(t, "/oauth2/introspect", url.Values{"token": {token}}.Encode(), name, value)
	require.Equal(t, http.StatusOK, status, "%s", body)
	var out map[string]any
	require.NoError(t, json.Unmarshal(body, &out))
	return out
}

// startServe starts `keyway serve` with the configuration and returns its
// URL. The configuration's issuer and address are made for it.
func startServe(t *testing.T, dir, text string) *demo {
	t.Helper()
	return startServeAt(t, freeAddress(t), dir, text)
}

// freeAddress is one that nobody listens on.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

func startServeAt(t *testing.T, address, dir, text string) *demo {
	t.Helper()
	file := writeConfig(t, dir, "issuer: http://"+address+"\nlisten: "+address+"\n"+text)
	d := &demo{URL: "http://" + address, Dir: dir, Stdout: &output{}, Stderr: &output{}}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan int, 1)
	go func() { done <- run(ctx, []string{"serve", "--config", file}, d.Stdout, d.Stderr) }()
	t.Cleanup(func() {
		stop()
		require.Zero(t, <-done, d.Stderr.String())
	})
	for range 600 {
		if resp, err := http.Get(d.URL + "/readyz"); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return d
			}
		}
		select {
		case code := <-done:
			done <- code
			t.Fatalf("serve ended with %d: %s", code, d.Stderr.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("serve did not get ready")
	return nil
}

func writeConfig(t testing.TB, dir, text string) string {
	t.Helper()
	t.Setenv("KEYWAY_TEST_SECRET", strings.Repeat("0123456789abcdef", 4))
	file := filepath.Join(dir, "keyway.yaml")
	require.NoError(t, os.WriteFile(file, []byte("secret: env:KEYWAY_TEST_SECRET\n"+text), 0o600))
	return file
}

// testConfig is a configuration over a fresh SQLite with cheap hashes.
func testConfig(t *testing.T, dir string) *config.Config {
	t.Helper()
	c := config.Default()
	c.Secret = config.NewSecret(strings.Repeat("0123456789abcdef", 4))
	c.Database = config.NewDSN(filepath.Join(dir, "keyway.db"))
	c.Passwords.Argon2 = config.Argon2{MemoryKiB: 8, Iterations: 1, Parallelism: 1}
	c.Log.Level = "error"
	return &c
}
