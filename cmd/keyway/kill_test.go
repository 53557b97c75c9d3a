package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/store/storetest"
)

// runAsProgram makes the test binary the program itself, so that a test can
// start it as a process and kill it.
const runAsProgram = "KEYWAY_TEST_RUN_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(runAsProgram) != "" {
		main()
		return
	}
	storetest.Main(m)
}

// startProcess runs `keyway serve` as a process of its own.
func startProcess(t *testing.T, file, url string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "serve", "--config", file)
	cmd.Env = append(os.Environ(), runAsProgram+"=1")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	require.Eventually(t, func() bool {
		resp, err := http.Get(url + "/readyz")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	}, time.Minute, 20*time.Millisecond)
	return cmd
}

func TestATokenThatWasAnsweredSurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KEYWAY_TEST_FAVEO", demoFaveoSecret)
	t.Setenv("KEYWAY_TEST_SERVICE", "demo-service-secret-0b9e3c7a51d24f68")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := l.Addr().String()
	require.NoError(t, l.Close())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users.jsonl"), demoUsers, 0o600))
	file := writeConfig(t, dir, "issuer: http://"+address+"\nlisten: "+address+`
users_file: users.jsonl
clients:
  - {client_id: demo-service, secret: env:KEYWAY_TEST_SERVICE, grant_types: [client_credentials], may_introspect: true, may_revoke_legacy: true}
systems:
  - {name: faveo, template: faveo, settings: {jwt_secret: env:KEYWAY_TEST_FAVEO}}
`)
	d := &demo{URL: "http://" + address}
	authorization, service := serviceAuth(t)
	var alive, revoked []string
	for range 3 {
		cmd := startProcess(t, file, d.URL)
		for i := range 4 {
			_, header, body := d.post(t, "/api/v1/authenticate", "username=alice&password=correct-horse")
			token := tokenInBody(header, body)
			require.NotEmpty(t, token, "%s", body)
			if i%2 == 0 {
				alive = append(alive, token)
				continue
			}
			status, _, _ := d.post(t, "/oauth2/revoke", "token="+token, authorization, service)
			require.Equal(t, http.StatusOK, status)
			revoked = append(revoked, token)
		}
		require.NoError(t, cmd.Process.Kill()) // SIGKILL, right after the last answer
		_ = cmd.Wait()
	}
	startProcess(t, file, d.URL)
	for _, token := range alive {
		require.Equal(t, true, d.introspect(t, token)["active"], "no token is lost")
	}
	for _, token := range revoked {
		require.Equal(t, false, d.introspect(t, token)["active"], "no token is revived")
	}
}
