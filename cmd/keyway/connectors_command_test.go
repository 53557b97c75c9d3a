package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const triedConfig = `
users_file: users.jsonl
database: keyway.db
connectors:
- id: corp
  issuer: https://corp.example
  client_id: k
  mapping:
    allow: '"staff" in (claims.groups ?? [])'
    roles: 'filter(claims.groups, # startsWith "app-")'
    claims: {given_name: claims.first}
    accounts: [{system: faveo, id: claims.agent.id, attributes: {role: '"agent"'}}]
- {id: git, type: oauth, client_id: k, oauth: {preset: github}, mapping: {login_name: claims.login}}
`

// tries runs connectors try on an answer.
func tries(t *testing.T, id, answer string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	dir := t.TempDir()
	file := writeConfig(t, dir, triedConfig)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "users.jsonl"), nil, 0o600))
	said := filepath.Join(dir, "answer.json")
	require.NoError(t, os.WriteFile(said, []byte(answer), 0o600))
	code, stdout, stderr = runKeyway(t, append([]string{"connectors", "try", id, said, "--config", file}, args...)...)
	_, err := os.Stat(filepath.Join(dir, "keyway.db"))
	require.ErrorIs(t, err, os.ErrNotExist, "no database is opened")
	return code, stdout, stderr
}

func TestAnAnswerIsTriedWithoutAskingAnybody(t *testing.T) {
	const full = `{"sub":"u1","email":"ann@corp.example","email_verified":true,"groups":["staff","app-payroll"],"first":"Ann","agent":{"id":9007199254740993}}`
	t.Run("who may come in is shown as they would be", func(t *testing.T) {
		code, stdout, stderr := tries(t, "corp", full, "-o", "json")
		require.Zero(t, code, stderr)
		var got tried
		require.NoError(t, json.Unmarshal([]byte(stdout), &got))
		require.Equal(t, []string{"allowed", "https://corp.example", "u1"}, []string{got.Outcome, got.Issuer, got.Subject})
		require.Equal(t, &triedUser{
			Directory: "default", LoginName: "ann@corp.example", Email: "ann@corp.example", EmailVerified: true, Roles: []string{"app-payroll"},
			Claims: map[string]any{"given_name": "Ann"}, Accounts: []triedAccount{{System: "faveo", ID: "9007199254740993", Attributes: map[string]any{"role": "agent"}}},
		}, got.User)
	})
	t.Run("who is refused is no failure of the command", func(t *testing.T) {
		code, stdout, _ := tries(t, "corp", `{"sub":"u1","groups":[]}`)
		require.Zero(t, code)
		require.Regexp(t, `outcome +refused +the mapping does not let`, stdout)
		require.Regexp(t, `login_name +"u1"`, stdout, "the rest is shown all the same")
	})
	t.Run("each expression that fails says why", func(t *testing.T) {
		code, stdout, stderr := tries(t, "corp", `{"sub":"u1","groups":["staff",7],"agent":true}`)
		require.Equal(t, 1, code)
		require.Regexp(t, `roles +.*interface conversion`, stdout)
		require.Regexp(t, `accounts\.faveo\.id +cannot fetch id from bool`, stdout)
		require.Regexp(t, `login_name +"u1"`, stdout)
		require.Contains(t, stderr, "connector corp: ")
	})
	t.Run("an answer of plain OAuth 2 is read as its connector reads it", func(t *testing.T) {
		code, stdout, stderr := tries(t, "git", `{"id":9007199254740993,"login":"octo","avatar_url":"https://img.example/1"}`)
		require.Zero(t, code, stderr)
		require.Regexp(t, `subject +9007199254740993`, stdout)
		require.Regexp(t, `issuer +https://github.com`, stdout)
		require.Regexp(t, `login_name +"octo"`, stdout)
		code, _, stderr = tries(t, "git", `{"login":"octo"}`)
		require.Equal(t, 1, code)
		require.Contains(t, stderr, "no stable id")
	})
	for name, c := range map[string]struct {
		id, answer, why string
		args            []string
		code            int
	}{
		"a connector that is not there":      {"none", full, `there is no connector "none"`, nil, 1},
		"an answer that is no JSON":          {"corp", "<html>", "not JSON", nil, 1},
		"an answer that says things twice":   {"corp", `{"sub":"a","sub":"b"}`, "stands twice", nil, 1},
		"an answer about nobody":             {"corp", `{}`, "--subject", nil, 2},
		"an answer that is no object":        {"corp", `[]`, "not an object", nil, 1},
		"an answer about whom the flag says": {"corp", `{}`, "", []string{"--subject", "u1"}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, stderr := tries(t, c.id, c.answer, c.args...)
			require.Equal(t, c.code, code, stderr)
			require.Contains(t, stderr, c.why)
		})
	}
}

func TestCheckNamesAConnectorThatCannotBeMade(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.pem"), []byte("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n"), 0o600))
	file := writeConfig(t, dir, `
connectors:
- {id: corp, issuer: "https://corp.example", client_id: k, key: "file:`+dir+`/key.pem"}
- {id: old, type: oauth, issuer: "https://old.example", client_id: k,
   oauth: {authorization_url: "https://old.example/a", token_url: "https://old.example/t", userinfo_url: "https://old.example/u", subject: data.login}}
- {id: lying, type: oauth, client_id: k, oauth: {preset: github, claims: {acr: login}}}
`)
	code, _, stderr := runKeyway(t, "serve", "--config", file)
	require.Equal(t, 1, code)
	require.Contains(t, stderr, "connector corp: key: must be a private key")
	code, _, stderr = runKeyway(t, "check", "--config", file)
	require.Equal(t, 1, code)
	for _, problem := range []string{
		"connector corp: key: must be a private key", `connector old: upstream: subject "data.login": people can change it`, "connector lying: upstream: claims.acr",
	} {
		require.Contains(t, stderr, problem)
	}
	require.NotContains(t, stderr, "c2Vj", "nothing of the key")
}
