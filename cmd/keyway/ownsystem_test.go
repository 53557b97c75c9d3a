package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A fifth system, as an operator would describe it.
const (
	intranetSystem = `system: intranet
profile: "1"
title: The intranet of a company
json: {style: compact}
headers: {Content-Type: application/json}
input: {form: true, json: exact}
token: {format: opaque, lifetime: lifetime, from: ["header:X-Session"]}
settings:
  lifetime: {type: duration, default: 1h, comment: how long a session lives}
replies:
  wrong_password: {status: 403, json: '{"ok":false}'}
  invalid_token: {status: 403, json: '{"ok":false,"session":null}'}
  unavailable: {status: 503, json: '{"ok":null}'}
  internal: {status: 500, json: '{"ok":null}'}
routes:
  login:
    path: /intranet/login
    methods: [POST]
    action: login
    fields:
      username: {from: [user]}
      password: {from: [pass]}
    replies:
      success: {body: success.json.tmpl}
  me:
    path: /intranet/me
    methods: [GET]
    action: whoami
    replies:
      success: {json: '{"ok":true,"mail":{{ .User.Email }}}'}
`
	intranetSuccess = `{"ok":true,"mail":{{ .User.Email }},"session":{{ .Token.Value }}}
`
	intranetExample = `A right password is let in.
-- given.yaml --
profile: "1"
users:
  - {directory: default, login_names: [bob], email: bob@example.com, status: active, password: hunter2-hunter2}
-- request --
POST /intranet/login HTTP/1.1
Content-Type: application/x-www-form-urlencoded

user=bob&pass=hunter2-hunter2
-- response --
HTTP/1.1 200 OK
Content-Type: application/json

{"ok":true,"mail":"bob@example.com","session":"<<*>>"}
`
)

func writeFolder(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		file := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
	}
}

func TestAFolderOfOnesOwnAnswersAfterARestart(t *testing.T) {
	dir := t.TempDir()
	writeFolder(t, filepath.Join(dir, "systems", "intranet"), map[string]string{
		"system.yaml": intranetSystem, "success.json.tmpl": intranetSuccess, "examples/login.txtar": intranetExample,
	})
	writeFolder(t, dir, map[string]string{
		"users.jsonl": `{"login_names":["bob"],"email":"bob@example.com","status":"active","password":"hunter2-hunter2"}` + "\n",
	})
	text := "users_file: users.jsonl\ntemplates_dir: systems\nsystems:\n  - {name: intranet, template: intranet}\n"
	code, stdout, stderr := runKeyway(t, "check", "--config", writeConfig(t, dir, text))
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "ok: systems configured: 1")

	d := startServe(t, dir, text)
	status, _, body := d.post(t, "/intranet/login", "user=bob&pass=hunter2-hunter2")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, string(body), `{"ok":true,"mail":"bob@example.com","session":"kw_at_`)
	token := string(body[len(`{"ok":true,"mail":"bob@example.com","session":"`) : len(body)-2])
	status, _, body = d.do(t, http.MethodGet, "/intranet/me", "", "X-Session", token)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, `{"ok":true,"mail":"bob@example.com"}`, string(body))
	status, _, body = d.post(t, "/intranet/login", "user=bob&pass=wrong")
	require.Equal(t, http.StatusForbidden, status)
	require.Equal(t, `{"ok":false}`, string(body))
}

func TestAnExampleThatDoesNotHoldFailsTheCheck(t *testing.T) {
	dir := t.TempDir()
	writeFolder(t, filepath.Join(dir, "intranet"), map[string]string{
		"system.yaml": intranetSystem, "success.json.tmpl": `{"ok":1}`, "examples/login.txtar": intranetExample,
	})
	code, _, stderr := runKeyway(t, "check", "--templates", dir)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "intranet/examples/login.txtar: exchange 1: body: differs at byte")
}
