package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// canary is a password that must be found nowhere afterwards.
const canary = "canary-S3cret-9f27c1"

// TestNoSecretIsLoggedOrStored logs in rightly and wrongly through every
// system with the most talkative log, and looks for every secret in the log
// and in each file that was written.
func TestNoSecretIsLoggedOrStored(t *testing.T) {
	dir := t.TempDir()
	cfg, err := demoConfig("127.0.0.1:1", dir)
	require.NoError(t, err)
	cfg.Log.Level = "debug"
	users := strings.ReplaceAll(string(demoUsers), `"correct-horse"`, `"`+canary+`"`)
	require.NoError(t, os.WriteFile(cfg.UsersFile, []byte(users), 0o600))
	var log bytes.Buffer
	p, err := open(t.Context(), cfg, &log)
	require.NoError(t, err)
	require.NoError(t, os.Remove(cfg.UsersFile))

	var secrets []string
	for _, l := range legacyLogins() {
		contentType := "application/x-www-form-urlencoded"
		if strings.HasPrefix(l.body, "{") {
			contentType = "application/json"
		}
		good := strings.ReplaceAll(l.body, "correct-horse", canary)
		w := ask(p, http.MethodPost, l.path, contentType, good)
		token := l.token(w.Header(), w.Body.Bytes())
		require.NotEmpty(t, token, "%s: %s", l.system, w.Body)
		secrets = append(secrets, token)
		ask(p, http.MethodPost, l.path, contentType, strings.ReplaceAll(good, "alice", "nobody"))
		ask(p, http.MethodPost, l.path, contentType, good+"x")
		ask(p, http.MethodPost, l.path+"?password="+canary+"&username=alice&token="+token, contentType, "{"+good)
		ask(p, http.MethodGet, l.path+"?password="+canary+"&username="+canary, "", "")
		// People type their password where the name belongs.
		ask(p, http.MethodPost, l.path, contentType, strings.ReplaceAll(good, "alice", canary))
	}
	_, service := serviceAuth(t)
	askAs(p, service, "/oauth2/token", "grant_type=password&username=alice&password="+canary)
	askAs(p, service, "/oauth2/introspect", "token="+secrets[0])
	askAs(p, service, "/oauth2/userinfo?access_token="+secrets[0], "")
	p.close()

	require.NotZero(t, log.Len(), "something was logged")
	secrets = append(secrets, canary, demoFaveoSecret, demoPayhubSecret, "demo-service-secret-0b9e3c7a51d24f68", demoOSSNKey)
	for _, s := range secrets {
		require.NotContains(t, log.String(), s, "in the log")
	}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, s := range secrets {
			require.NotContains(t, string(b), s, "in %s", filepath.Base(path))
		}
		return err
	}))
}
