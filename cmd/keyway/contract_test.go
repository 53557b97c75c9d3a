package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/adapter/contract"
	"keyway/config"
	"keyway/templates"
)

// clock stands still until it is told to go on.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// TestContracts sends every example of every system to the real program over a real
// database. Those that need a broken provider are left to the stage.
func TestContracts(t *testing.T) {
	f, err := openFolders("")
	require.NoError(t, err)
	prepared := preparedDatabase(t)
	count := 0
	for _, name := range f.names() {
		examples, err := contract.Load(templates.Systems(), name+"/examples")
		require.NoError(t, err)
		for _, e := range examples {
			if e.Given.Fail != "" {
				continue
			}
			count++
			t.Run(strings.TrimSuffix(e.File, ".txtar"), func(t *testing.T) { replayExample(t, prepared, name, e) })
		}
	}
	require.Greater(t, count, 100)
}

// preparedDatabase is a migrated database with signing keys, to be copied.
func preparedDatabase(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	p, err := open(t.Context(), testConfig(t, dir), io.Discard)
	require.NoError(t, err)
	p.close()
	b, err := os.ReadFile(filepath.Join(dir, "keyway.db"))
	require.NoError(t, err)
	return b
}

func replayExample(t *testing.T, prepared []byte, system string, e contract.Example) {
	t.Parallel()
	dir := t.TempDir()
	cfg := testConfig(t, dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keyway.db"), prepared, 0o600))
	cfg.UsersFile = filepath.Join(dir, "users.jsonl")
	var users bytes.Buffer
	for _, u := range e.Given.Users {
		require.NoError(t, json.NewEncoder(&users).Encode(u))
	}
	require.NoError(t, os.WriteFile(cfg.UsersFile, users.Bytes(), 0o600))
	cfg.Systems = []config.System{{
		Name: system, Template: system, Profile: e.Given.Profile, BasePath: e.Given.BasePath, SiteURL: e.Given.SiteURL,
		Settings: byReference(e.Given.Settings), UniformErrors: e.Given.UniformErrors, Scopes: []string{"openid"},
	}}
	start, err := time.Parse(time.RFC3339, e.Given.Now)
	require.NoError(t, err)
	c := &clock{now: start}
	p, err := openAt(t.Context(), cfg, t.Output(), c.Now)
	require.NoError(t, err)
	t.Cleanup(p.close)
	problems := contract.Run(t.Context(), e, func(r *http.Request) (*http.Response, error) {
		c.advance(contract.Wait(r))
		w := httptest.NewRecorder()
		p.handler.ServeHTTP(w, r)
		return w.Result(), nil
	})
	for _, m := range problems {
		t.Errorf("%s", m)
	}
}

// byReference is settings as they are where each text came from env:NAME.
func byReference(settings map[string]any) map[string]any {
	out := make(map[string]any, len(settings))
	for name, v := range settings {
		if text, ok := v.(string); ok {
			v = config.NewSecret(text)
		}
		out[name] = v
	}
	return out
}
