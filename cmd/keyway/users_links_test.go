package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/store"
)

const linksConfig = `
users_file: users.jsonl
database: keyway.db
passwords: {argon2: {memory_kib: 8, iterations: 1}}
connectors:
- id: corp
  issuer: https://corp.example
  client_id: k
  disabled: true
  mapping:
    allow: claims.guest != true
    accounts: [{system: faveo, id: claims.agent}]
- {id: closed, issuer: https://closed.example, client_id: k, create: false}
- {id: entra, issuer: "https://login.example/common/v2.0", client_id: k, tenants: [t1]}
- {id: git, type: oauth, client_id: k, oauth: {preset: github}}
- {id: old-desk, type: legacy, directory: desk, legacy: {url: "https://desk.example", preset: faveo}}
`

// linksProgram returns what runs a command on a database with alice, who has a password,
// and zoe, who has none.
func linksProgram(t *testing.T) (keyway func(args ...string) (code int, stdout, stderr string), dir string) {
	t.Helper()
	dir = t.TempDir()
	file := writeConfig(t, dir, linksConfig)
	people := `{"login_names":["alice","alice@corp.example"],"password":"correct-horse","accounts":{"faveo":{"id":"7"}}}` + "\n" + `{"login_names":["zoe"]}` + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users.jsonl"), []byte(people), 0o600))
	keyway = func(args ...string) (int, string, string) {
		t.Helper()
		return runKeyway(t, append(args, "--config", file)...)
	}
	code, _, stderr := keyway("users", "import", filepath.Join(dir, "users.jsonl"))
	require.Zero(t, code, stderr)
	return keyway, dir
}

func TestAnAdministratorLinksAndUnlinksUsers(t *testing.T) {
	keyway, dir := linksProgram(t)
	code, stdout, stderr := keyway("users", "link", "alice", "--connector", "corp", "--subject", "u1")
	require.Zero(t, code, stderr)
	require.Equal(t, "alice is linked to u1 at corp\n", stdout)
	code, _, stderr = keyway("users", "link", "zoe", "--connector", "corp", "--subject", "u1")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "u1 at corp is linked already, to the user alice alice@corp.example")
	code, stdout, _ = keyway("users", "show", "alice")
	require.Zero(t, code)
	require.Regexp(t, `link\s+corp u1, admin at [^,\n]*\n`, stdout)

	for _, c := range []struct {
		args []string
		code int
		why  string
	}{
		{[]string{"link", "alice", "--connector", "corp"}, exitUsage, "--connector and --subject are needed"},
		{[]string{"link", "alice", "--connector", "none", "--subject", "u2"}, exitFailed, `there is no connector "none"`},
		{[]string{"link", "nobody", "--connector", "corp", "--subject", "u2"}, exitFailed, `the login name "nobody"`},
		{[]string{"link", "alice", "--connector", "entra", "--subject", "u2"}, exitUsage, "--issuer"},
		{[]string{"link", "alice", "--connector", "entra", "--subject", "u2", "--issuer", "https://login.example/t1/v2.0"}, exitDone, ""},
		{[]string{"link", "alice", "--connector", "git", "--subject", "42"}, exitDone, ""},
		{[]string{"link", "alice", "--connector", "old-desk", "--subject", "7"}, exitDone, ""},
		{[]string{"link", "zoe", "--connector", "corp", "--subject", "z1"}, exitDone, ""},
		{[]string{"link", "zoe", "--connector", "corp", "--subject", "z2"}, exitDone, ""},
		{[]string{"unlink", "zoe"}, exitUsage, "--connector is needed"},
		{[]string{"unlink", "zoe", "--connector", "git"}, exitFailed, "there is no such link"},
		{[]string{"unlink", "zoe", "--connector", "corp"}, exitUsage, "there are several links"},
		{[]string{"unlink", "zoe", "--connector", "corp", "--subject", "z1"}, exitFailed, "--last"}, // the other one's connector is disabled
		{[]string{"unlink", "zoe", "--connector", "corp", "--subject", "z1", "--last"}, exitDone, ""},
		{[]string{"unlink", "alice", "--connector", "corp"}, exitDone, ""},
	} {
		code, _, stderr := keyway(append([]string{"users"}, c.args...)...)
		require.Equal(t, c.code, code, "%v: %s", c.args, stderr)
		require.Contains(t, stderr, c.why)
	}
	code, stdout, _ = keyway("users", "show", "alice", "-o", "json")
	require.Zero(t, code)
	var shown userRow
	require.NoError(t, json.Unmarshal([]byte(stdout), &shown))
	require.Len(t, shown.Links, 3)
	require.Equal(t, []string{"entra", "https://login.example/t1/v2.0", "git", "https://github.com", "42", "admin", "old-desk", "https://desk.example"},
		[]string{
			shown.Links[0].Connector, shown.Links[0].Issuer, shown.Links[1].Connector, shown.Links[1].Issuer, shown.Links[1].Subject, shown.Links[1].Origin,
			shown.Links[2].Connector, shown.Links[2].Issuer,
		})

	cfg := testConfig(t, dir)
	p, err := open(t.Context(), cfg, t.Output())
	require.NoError(t, err)
	defer p.close()
	for kind, n := range map[string]int{"user_linked": 6, "user_unlinked": 2} {
		events, err := p.store.ListEvents(t.Context(), store.EventQuery{Kind: kind})
		require.NoError(t, err)
		require.Len(t, events, n, kind)
		require.NotEmpty(t, events[0].Connector)
	}
}

func TestAReportSaysWhatANewConnectorWouldDo(t *testing.T) {
	keyway, dir := linksProgram(t)
	code, _, stderr := keyway("users", "link", "zoe", "--connector", "corp", "--subject", "z1")
	require.Zero(t, code, stderr)
	lines := []string{
		`{"sub":"z1","email":"zoe@corp.example"}`,
		`{"sub":"n1","email":"new@corp.example","agent":8}`,
		``,
		`{"sub":"a1","email":"Alice@Corp.Example"}`,
		`{"sub":"a2","email":"a2@corp.example","agent":7}`,
		`{"sub":"n2","email":"NEW@corp.example"}`,
		`{"sub":"n1","email":"new@corp.example","agent":8}`,
		`{"sub":"n3","email":"n3@corp.example","agent":8}`,
		`{"sub":"g1","email":"g1@corp.example","guest":true}`,
		`{"sub":"b1","email":["x"]}`,
		`{"sub":"o1","email":"o1@corp.example","iss":"https://corp.example/"}`,
		`{"email":"nobody@corp.example"}`,
		`<html>`,
	}
	file := filepath.Join(dir, "people.jsonl")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(lines, "\n")), 0o600))
	before, err := os.ReadFile(filepath.Join(dir, "keyway.db"))
	require.NoError(t, err)
	code, stdout, stderr := keyway("connectors", "report", "corp", file, "-o", "json")
	require.Equal(t, exitFailed, code, "two lines are bad")
	require.Contains(t, stderr, "linked: 1\ncreated: 2\ncollision: 4\nrefused: 2\nuntrusted: 1\nbad: 2\n")
	var got []reported
	require.NoError(t, json.Unmarshal([]byte(stdout), &got))
	want := []struct {
		line                              int
		subject, outcome, name, user, why string
	}{
		{1, "z1", "linked", "zoe@corp.example", "zoe", ""},
		{2, "n1", "created", "new@corp.example", "", ""},
		{4, "a1", "collision", "Alice@Corp.Example", "alice alice@corp.example", "the login name is that user's"},
		{5, "a2", "collision", "a2@corp.example", "alice alice@corp.example", "the account in faveo is that user's"},
		{6, "n2", "collision", "NEW@corp.example", "", "the login name would be that of n1"},
		{7, "n1", "created", "new@corp.example", "", ""},
		{8, "n3", "collision", "n3@corp.example", "", "the account in faveo would be that of n1"},
		{9, "g1", "refused", "", "", "does not let this person in"},
		{10, "b1", "untrusted", "", "", "login_name: not a text"},
		{11, "o1", "refused", "", "", "of another issuer"},
		{12, "", "bad", "", "", "no sub"},
		{13, "", "bad", "", "", "not JSON"},
	}
	require.Len(t, got, len(want))
	for i, w := range want {
		g := got[i]
		require.Equal(t, []any{w.line, w.subject, w.outcome, w.name, w.user}, []any{g.Line, g.Subject, g.Outcome, g.LoginName, g.User})
		require.Contains(t, g.Why, w.why)
	}
	after, err := os.ReadFile(filepath.Join(dir, "keyway.db"))
	require.NoError(t, err)
	require.Equal(t, before, after, "nothing was changed")

	require.NoError(t, os.WriteFile(file, []byte(`{"sub":"c1","email":"c1@corp.example"}`), 0o600))
	code, stdout, stderr = keyway("connectors", "report", "closed", file)
	require.Zero(t, code, stderr)
	require.Regexp(t, `1 +c1 +unknown +c1@corp.example`, stdout)
	require.NoError(t, os.WriteFile(file, []byte(`{"sub":"`+strings.Repeat("a", maxUpstreamAnswer)), 0o600))
	for why, args := range map[string][]string{"too long": {"corp", file}, "no such file": {"corp", file + "x"}, "there is no connector": {"none", file}} {
		code, _, stderr = keyway(append([]string{"connectors", "report"}, args...)...)
		require.Equal(t, exitFailed, code)
		require.Contains(t, stderr, why)
	}
}
