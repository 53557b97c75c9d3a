package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		require.NotEmpty(t, c.Short, c.CommandPath())
		require.Contains(t, c.Example, c.Root().Name()+" ", c.CommandPath())
		for _, sub := range c.Commands() {
			visit(sub)
		}
	}
	visit(rootCommand())
}

func TestMistakesInHowACommandIsCalledExitWithTwo(t *testing.T) {
	for _, args := range [][]string{
		{"bogus"},
		{"users", "bogus"},
		{"users", "import"},
		{"users", "list", "-o", "xml"},
		{"users", "show"},
		{"serve", "extra"},
		{"serve", "--bogus"},
		{"clients", "add"},
		{"keys", "rotate", "now"},
	} {
		code, _, stderr := runKeyway(t, args...)
		require.Equal(t, exitUsage, code, "%v: %s", args, stderr)
		require.Regexp(t, `See 'keyway( [a-z]+){0,2} --help'\.`, stderr)
	}
}

func TestUsersAreImportedListedShownAndDisabled(t *testing.T) {
	dir := t.TempDir()
	file := writeConfig(t, dir, "passwords: {argon2: {memory_kib: 8, iterations: 1}}\n")
	people := filepath.Join(dir, "people.jsonl")
	lines := string(demoUsers) + "{\"login_names\":[]}\nrubbish\n{\"login_names\":[\"x\"],\"colour\":\"red\"}\n"
	require.NoError(t, os.WriteFile(people, []byte(lines), 0o600))
	for _, created := range []float64{8, 0} {
		code, stdout, stderr := runKeyway(t, "users", "import", people, "--config", file, "-o", "json")
		require.Equal(t, exitFailed, code, "bad lines fail the command")
		for _, line := range []string{"line 9", "line 10", "line 11"} {
			require.Contains(t, stderr, line)
		}
		var sum map[string]any
		require.NoError(t, json.Unmarshal([]byte(stdout), &sum))
		require.InDelta(t, created, sum["created"], 0)
		require.InDelta(t, 8-created, sum["unchanged"], 0)
		require.InDelta(t, 0, sum["updated"], 0)
	}
	code, stdout, _ := runKeyway(t, "users", "list", "--match", "zoe", "--config", file, "-o", "json")
	require.Zero(t, code)
	var users []userRow
	require.NoError(t, json.Unmarshal([]byte(stdout), &users))
	require.Len(t, users, 1)
	require.NotContains(t, stdout, "argon2")

	enrolFor(t, file, "alice")
	code, stdout, _ = runKeyway(t, "users", "show", "alice", "--config", file)
	require.Zero(t, code)
	require.Regexp(t, `second factor\s+totp "Phone"`, stdout)
	require.NotContains(t, stdout, "canary")
	code, stdout, _ = runKeyway(t, "users", "reset-factor", "alice", "--config", file)
	require.Zero(t, code)
	require.Equal(t, "removed 1 second factor(s) of alice\n", stdout)
	code, stdout, _ = runKeyway(t, "users", "disable", "alice", "--config", file)
	require.Zero(t, code)
	require.Equal(t, "alice is disabled\n", stdout)
	code, _, _ = runKeyway(t, "users", "import", people, "--config", file)
	require.Equal(t, exitFailed, code)
	code, stdout, _ = runKeyway(t, "users", "show", "alice", "--config", file)
	require.Zero(t, code)
	require.Regexp(t, `status\s+disabled`, stdout, "an import does not undo it")
	require.Regexp(t, `account\s+faveo 7`, stdout)
	code, _, stderr := runKeyway(t, "users", "show", "nobody", "--config", file)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, `there is no user with the login name "nobody"`)
}

func TestClientsAreAddedOnceListedAndDeleted(t *testing.T) {
	file := writeConfig(t, t.TempDir(), "")
	code, stdout, stderr := runKeyway(t, "clients", "add", "reports", "--scope", "reports.read", "--config", file)
	require.Zero(t, code, stderr)
	_, secret, _ := strings.Cut(stdout, "client_secret: ")
	secret, _, _ = strings.Cut(secret, "\n")
	require.True(t, strings.HasPrefix(secret, "kw_cs_"), stdout)
	for _, args := range [][]string{
		{"reports"},
		{"legacy-x"},
		{"a b"},
		{"ü"},
		{"x", "--grant", "password"},
		{"x", "--grant", "refresh_token"},
		{"x", "--grant", "authorization_code"},
		{"x", "--public"},
		{"x", "--public", "--introspect", "--grant", "authorization_code", "--redirect-uri", "https://app.example.com/"},
		{"x", "--cors-origin", "https://app.example.com/path"},
		{"x", "--grant", "authorization_code", "--redirect-uri", "https://app.example.com/", "--frontchannel-logout-uri", "https://other.example.com/out"},
	} {
		code, _, stderr = runKeyway(t, append([]string{"clients", "add", "--config", file}, args...)...)
		require.NotZero(t, code, "%v", args)
		require.NotEmpty(t, stderr)
	}
	code, _, stderr = runKeyway(t, "clients", "add", "tv", "--public", "--grant", "urn:ietf:params:oauth:grant-type:device_code", "--config", file)
	require.Zero(t, code, stderr)
	code, _, stderr = runKeyway(t, "clients", "add", "shop", "--grant", "authorization_code", "--redirect-uri", "https://shop.example.com/", "--skip-consent",
		"--frontchannel-logout-uri", "https://shop.example.com/out", "--cors-origin", "https://pages.example.com", "--config", file)
	require.Zero(t, code, stderr)
	_, stdout, _ = runKeyway(t, "clients", "show", "shop", "--config", file)
	for _, want := range []string{`"skip_consent": true`, `"frontchannel_logout_uri": "https://shop.example.com/out"`, `"https://pages.example.com"`} {
		require.Contains(t, stdout, want)
	}
	code, stdout, _ = runKeyway(t, "clients", "list", "--config", file)
	require.Zero(t, code)
	require.Contains(t, stdout, "reports")
	require.Contains(t, stdout, "device_code")
	require.NotContains(t, stdout, secret)
	code, _, _ = runKeyway(t, "clients", "delete", "reports", "--config", file)
	require.Zero(t, code)
	code, _, stderr = runKeyway(t, "clients", "delete", "reports", "--config", file)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, `there is no client "reports"`)
}

func TestKeysAreListedAndRotated(t *testing.T) {
	dir := t.TempDir()
	p, err := open(t.Context(), testConfig(t, dir), t.Output())
	require.NoError(t, err)
	p.close()
	file := writeConfig(t, dir, "database: keyway.db\n")
	states := func(stdout string) map[string]int {
		var rows []keyRow
		require.NoError(t, json.Unmarshal([]byte(stdout), &rows))
		n := map[string]int{}
		for _, r := range rows {
			n[r.State+" "+r.Algorithm]++
		}
		return n
	}
	code, before, stderr := runKeyway(t, "keys", "list", "-o", "json", "--config", file)
	require.Zero(t, code, stderr)
	require.NotContains(t, before, `"d"`, "no private part")
	code, after, stderr := runKeyway(t, "keys", "rotate", "-o", "json", "--config", file)
	require.Zero(t, code, stderr)
	require.Equal(t, 1, states(after)["active RS256"])
	require.Equal(t, 1, states(after)["retired RS256"])
	require.NotEqual(t, before, after)
}
