package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

// explains runs keyway explain with the configuration of a file.
func explains(t *testing.T, file, stdin string, args ...string) (code int, e explanation, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	root := rootCommand()
	root.SetIn(strings.NewReader(stdin))
	root.SetOut(&out)
	root.SetErr(&errs)
	root.SetArgs(append([]string{"explain", "--config", file, "-o", "json"}, args...))
	if err := root.ExecuteContext(t.Context()); err != nil {
		code = 1
		_, _ = fmt.Fprintln(&errs, err)
	} else {
		require.NoError(t, json.Unmarshal(out.Bytes(), &e), out.String())
	}
	return code, e, out.String(), errs.String()
}

// office is the file of a Keyway with a helpdesk for some networks, whose people at
// corp.example have their passwords at an upstream.
func explainedFile(t *testing.T, issuer string) string {
	t.Helper()
	t.Setenv("KEYWAY_TEST_SECRET", strings.Repeat("0123456789abcdef", 4))
	file := filepath.Join(t.TempDir(), "keyway.yaml")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, `secret: env:KEYWAY_TEST_SECRET
log: {level: error}
outbound: {allow_loopback: true}
lockout: {failures: 3}
passwords: {argon2: {memory_kib: 8, iterations: 1}}
systems:
- {name: desk, template: faveo, networks: [192.0.2.0/24], settings: {jwt_secret: env:KEYWAY_TEST_SECRET}}
- {name: crm, template: crmcom}
connectors:
- id: corp
  issuer: %q
  client_id: keyway
  client_secret: env:KEYWAY_TEST_SECRET
  password_grant: true
  mapping: {accounts: [{system: faveo, when: subject == %q, id: '"77"'}]}
verifiers:
- {domains: [corp.example], steps: [{verifier: corp, next: [unavailable]}, {verifier: local}]}
`, issuer, carol), 0o600))
	return file
}

func TestExplainSaysWhatBecomesOfALogin(t *testing.T) {
	e := newElsewhere(t) // for its upstream
	file := explainedFile(t, e.idp.URL)
	var stdout bytes.Buffer
	require.Zero(t, run(t.Context(), []string{"users", "list", "--config", file}, &stdout, &stdout), stdout.String()) // makes the database
	events := func() []identity.Event {
		db, err := store.Open(t.Context(), store.Options{DSN: filepath.Join(filepath.Dir(file), "keyway.db"), SealKey: make([]byte, 32), Now: e.now})
		require.NoError(t, err)
		defer db.Close() //nolint:errcheck // only read from
		all, err := db.ListEvents(t.Context(), store.EventQuery{})
		require.NoError(t, err)
		return all
	}

	t.Run("without a password it asks nobody and counts nothing", func(t *testing.T) {
		var code int
		var got explanation
		require.Zero(t, e.asked(func() { code, got, _, _ = explains(t, file, "", "desk", carol) }))
		require.Zero(t, code)
		require.Equal(t, explanation{
			System: "desk", Directory: "default", From: "192.0.2.0", Networks: []string{"192.0.2.0/24"}, Rule: 1, Missing: true, Gate: "open",
			Steps: []explanationStep{{Verifier: "app_password", Next: []string{"unknown_user"}}, {Verifier: "corp", Next: []string{"unavailable"}}, {Verifier: "local", Next: []string{"unknown_user"}}},
		}, got)
		require.Empty(t, events())
	})
	t.Run("with it, it says who came of it, and by whose word", func(t *testing.T) {
		code, got, stdout, stderr := explains(t, file, carolsPassword+"\n", "desk", carol, "--password-stdin")
		require.Zero(t, code)
		require.NotContains(t, stdout+stderr, carolsPassword)
		require.Equal(t, []string{"", "unknown_user", "yes", ""}, []string{got.Outcome.Reason, got.Steps[0].Answer, got.Steps[1].Answer, got.Steps[2].Answer})
		require.Equal(t, []string{"corp", "77"}, []string{got.Outcome.Connector, got.Outcome.Account})
		require.NotEmpty(t, got.Outcome.Subject)
		last := events()[len(events())-1]
		require.Equal(t, []string{"login_explained", got.Outcome.Subject, "desk", "corp", "corp"}, []string{last.Kind, last.Subject, last.System, last.Connector, last.Verifier})
		_, got, _, _ = explains(t, file, "", "desk", carol)
		require.Equal(t, []string{"active", "77", "corp"}, []string{got.Status, got.Account, strings.Join(got.Links, " ")})
		require.False(t, got.Missing)
	})
	t.Run("a wrong one is a guess like any other, up to the lock", func(t *testing.T) {
		for range 3 {
			_, got, stdout, _ := explains(t, file, "a guess", "desk", carol, "--password-stdin", "--from", "192.0.2.9")
			require.Equal(t, []string{"wrong_password", "wrong_password"}, []string{got.Outcome.Reason, got.Steps[1].Answer})
			require.Contains(t, got.Steps[1].Because, "invalid_grant")
			require.NotContains(t, stdout, "a guess")
		}
		_, got, _, _ := explains(t, file, "", "desk", carol)
		require.Equal(t, "locked: too many failures of this user", got.Gate)
		_, got, _, _ = explains(t, file, carolsPassword, "desk", carol, "--password-stdin")
		require.Equal(t, "locked", got.Outcome.Reason)
		require.Empty(t, got.Steps[1].Answer)
	})
	t.Run("a network is judged as at the system", func(t *testing.T) {
		_, got, _, _ := explains(t, file, "", "desk", "alice", "--from", "203.0.113.1")
		require.Contains(t, got.Gate, "invalid_client")
		require.Equal(t, 2, got.Rule)
	})
	t.Run("who has no account in a system that needs one is nobody there, and somebody at the login page", func(t *testing.T) {
		const eve = "eve@corp.example"
		_, got, _, _ := explains(t, file, "eves-own-password", "desk", eve, "--password-stdin")
		require.Equal(t, []string{"unknown_user", "yes"}, []string{got.Outcome.Reason, got.Steps[1].Answer})
		_, got, _, _ = explains(t, file, "eves-own-password", "browser", eve, "--password-stdin")
		require.Equal(t, "corp", got.Outcome.Connector)
		require.Empty(t, got.Networks)
	})
	t.Run("an outage is said as one", func(t *testing.T) {
		e.idp.Change(func() { e.idp.Status["/token"] = 503 })
		_, got, _, _ := explains(t, file, "x", "browser", "dora@corp.example", "--password-stdin")
		require.Equal(t, []string{"unavailable", "unavailable", "unknown_user"}, []string{got.Outcome.Reason, got.Steps[1].Answer, got.Steps[2].Answer})
	})
}

func TestExplainAsATable(t *testing.T) {
	e := newElsewhere(t)
	file := explainedFile(t, e.idp.URL)
	code, stdout, stderr := runKeyway(t, "explain", "desk", carol, "--config", file)
	require.Zero(t, code, stderr)
	for _, line := range []string{
		"networks    192.0.2.0/24\n", "user        none\n", "account     none, and without one nobody comes in\n", "rule        1\n",
		"verifier 2  corp, the next one on unavailable\n", "verifier 3  local\n",
	} {
		require.Contains(t, stdout, line)
	}
	end := explanationEnd{Subject: "s1", Account: "77", Connector: "corp"}
	require.Equal(t, "signed in as s1, account 77, by the word of corp", end.text())
	end = explanationEnd{Reason: "disabled", Because: `status is "disabled"`}
	require.Equal(t, `disabled, status is "disabled"`, end.text())
}

func TestExplainRefusesWhatItCannotExplain(t *testing.T) {
	e := newElsewhere(t)
	file := explainedFile(t, e.idp.URL)
	for want, args := range map[string][]string{
		`there is no system "nowhere"`:             {"nowhere", "alice"},
		"give one SYSTEM and one USERNAME":         {"desk"},
		"no password on standard input":            {"desk", "alice", "--password-stdin"},
		"--from must be an address":                {"desk", "alice", "--from", "here"},
		"makes the directory from the request, as": {"crm", "alice"},
	} {
		code, _, _, stderr := explains(t, file, "\n", args...)
		require.Equal(t, 1, code, args)
		require.Contains(t, stderr, want)
	}
	_, got, _, _ := explains(t, file, "", "crm", "alice", "--directory", "crmcom/X")
	require.Equal(t, "crmcom/X", got.Directory)
}
