package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// leakRows come last: they look for every secret that went over the wire in
// whatever the program wrote.
func leakRows(t *testing.T, s *site) {
	s.row(t, "attack 26: secrets, tokens, passwords in logs, the database and error pages: none", func(v *visitor) {
		code := v.code("web")
		v.redeem("web", code, "code_verifier", "wrong")
		broken := v.get(s.ask("web", "client_id", "nobody", "login_hint", sitePassword, "state", code))
		require.NotContains(v, broken.body, sitePassword)
		require.NotContains(v, broken.body, code)
		v.send("POST", "/oauth2/token?client_secret="+siteSecret+"&code="+code, nil)
		v.send("POST", "/oauth2/userinfo?access_token="+code, nil)

		written := map[string][]byte{"the log": []byte(s.log.String())}
		for _, pattern := range []string{"keyway.db*", "*.log", "core*"} {
			files, err := filepath.Glob(filepath.Join(s.Dir, pattern))
			require.NoError(v, err)
			for _, file := range files {
				written[filepath.Base(file)], err = os.ReadFile(file)
				require.NoError(v, err)
			}
		}
		require.NotEmpty(v, written["keyway.db"])
		s.mu.Lock()
		defer s.mu.Unlock()
		require.Greater(v, len(s.secrets), 100)
		s.secrets[siteSecret], s.secrets[sitePassword], s.secrets[siteVerifier] = "client secret", "password", "verifier"
		for where, text := range written {
			for secret, kind := range s.secrets {
				require.False(v, bytes.Contains(text, []byte(secret)), "%s has a %s: %s", where, kind, secret)
			}
		}
	})
}

func readSite(t *testing.T, s *site, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(s.Dir, name))
	require.NoError(t, err)
	return string(b)
}
