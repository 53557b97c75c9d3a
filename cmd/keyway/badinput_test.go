package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// legacyPaths is one login call of each system of the demo, with the names
// of its two fields.
var legacyPaths = []struct{ path, user, password, extra string }{
	{"/api/v1/authenticate", "username", "password", ""},
	{"/faveo-pro/api/v1/authenticate", "username", "password", ""},
	{"/api/v1.0/user_authenticate", "username", "password", "api_key_token=" + demoOSSNKey},
	{"/crmapi/rest/v2/authentication/token", "username", "password", "organisation=CRMDEMO"},
	{"/user/login", "emailId", "password", ""},
}

// hostile are values that belong in no request. Each is given as the JSON of
// a field's value and as its form.
var hostile = []struct{ name, asJSON, asForm string }{
	{"NUL", `"a\u0000b"`, "a%00b"},
	{"invalid UTF-8", "\"\xff\xfe\"", "%FF%FE"},
	{"an array", `["x","y"]`, "x"},
	{"an object", `{"$ne":""}`, "x"},
	{"a number", `12345678901234567890`, "1"},
	{"null", `null`, ""},
	{"true", `true`, "true"},
	{"nested 100 deep", strings.Repeat("[", 100) + strings.Repeat("]", 100), "x"},
	{"nested 10000 deep", strings.Repeat("[", 10000) + strings.Repeat("]", 10000), "x"},
	{"markup", `"<script>alert(1)</script>"`, "%3Cscript%3E"},
	{"a line break", `"a\r\nSet-Cookie: x=y"`, "a%0D%0ASet-Cookie:+x=y"},
	{"SQL", `"' OR '1'='1' -- "`, "'+OR+'1'='1'+--+"},
	{"a template", `"{{ .Settings.jwt_secret }}"`, "%7B%7B+.Settings.jwt_secret+%7D%7D"},
	{"a long name", `"` + strings.Repeat("x", 30000) + `"`, strings.Repeat("x", 30000)},
	{"a lone surrogate", `"\ud800"`, "%ED%A0%80"},
}

func demoProgram(t *testing.T) *program {
	t.Helper()
	cfg, err := demoConfig("127.0.0.1:1", t.TempDir())
	require.NoError(t, err)
	for i := range cfg.Systems {
		if cfg.Systems[i].Template == "faveo" {
			cfg.Systems[i].Settings["rate_limit"] = 0
		}
	}
	cfg.Lockout.Failures, cfg.Lockout.SourceFailures = 1_000_000, 1_000_000
	cfg.Passwords.Argon2.MemoryKiB = 8
	p, err := open(t.Context(), cfg, t.Output())
	require.NoError(t, err)
	t.Cleanup(p.close)
	return p
}

func ask(p *program, method, path, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.RemoteAddr = "127.0.0.1:40000"
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}

// requireRefused wants an answer in some documented shape, without a token
// and without a word of the inside.
func requireRefused(t *testing.T, w *httptest.ResponseRecorder, path string) {
	t.Helper()
	body := w.Body.String()
	require.Less(t, w.Code, 500, "%s", body)
	require.NotContains(t, body, `"token":"`)
	require.NotContains(t, body, demoFaveoSecret)
	for _, inside := range []string{".go:", "panic", "sql", "goroutine", "runtime error", "provider/", "fosite"} {
		require.NotContains(t, strings.ToLower(body), inside)
	}
	require.Empty(t, w.Header().Values("X"), path)
	if strings.Contains(w.Header().Get("Content-Type"), "json") && body != "" {
		require.True(t, json.Valid(w.Body.Bytes()), "%s", body)
	}
}

func TestHostileValuesGetTheSystemsOwnRefusal(t *testing.T) {
	p := demoProgram(t)
	for _, l := range legacyPaths {
		for _, h := range hostile {
			t.Run(l.path+" "+h.name, func(t *testing.T) {
				extra := ""
				if name, value, ok := strings.Cut(l.extra, "="); ok {
					extra = fmt.Sprintf(",%q:%q", name, value)
				}
				for _, field := range []string{l.user, l.password} {
					other := map[string]string{l.user: l.password, l.password: l.user}[field]
					body := fmt.Sprintf(`{%q:%s,%q:"alice"%s}`, field, h.asJSON, other, extra)
					requireRefused(t, ask(p, http.MethodPost, l.path, "application/json", body), l.path)
					form := field + "=" + h.asForm + "&" + other + "=alice&" + l.extra
					requireRefused(t, ask(p, http.MethodPost, l.path, "application/x-www-form-urlencoded", form), l.path)
					requireRefused(t, ask(p, http.MethodPost, l.path+"?"+form, "", ""), l.path)
				}
			})
		}
	}
}

func TestBodiesThatDoNotParse(t *testing.T) {
	p := demoProgram(t)
	bodies := []string{"", "{", "[]", "null", `"x"`, "\x00\x01\x02", `{"username":"a","username":"b"}`, "%zz=%", "&&&===", "a=1;b=2"}
	types := []string{
		"", "application/json", "application/json; charset=utf-16", "text/plain", "text/xml", "multipart/form-data",
		"multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "////", "application/vnd.api+json",
	}
	for _, l := range legacyPaths {
		for _, ct := range types {
			for _, b := range bodies {
				w := ask(p, http.MethodPost, l.path, ct, b)
				requireRefused(t, w, l.path)
			}
		}
	}
}

func TestBodiesOver64KiBGet413(t *testing.T) {
	p := demoProgram(t)
	big := strings.Repeat("x", 1<<20)
	paths := []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke", "/oauth2/userinfo"}
	for _, l := range legacyPaths {
		paths = append(paths, l.path)
	}
	for _, path := range paths {
		w := ask(p, http.MethodPost, path, "application/x-www-form-urlencoded", "password="+big)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, "%s: %s", path, w.Body)
		if strings.HasPrefix(path, "/oauth2") {
			continue
		}
		w = ask(p, http.MethodPost, path, "application/json", `{"password":"`+big+`"}`)
		require.Equal(t, http.StatusRequestEntityTooLarge, w.Code, "%s: %s", path, w.Body)
	}
}

func TestEveryMethodIsAnsweredOnEveryPath(t *testing.T) {
	p := demoProgram(t)
	for _, l := range legacyPaths {
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"} {
			requireRefused(t, ask(p, method, l.path, "", ""), l.path)
		}
	}
	for _, path := range []string{"/oauth2/token", "/oauth2/introspect", "/oauth2/revoke"} {
		w := ask(p, http.MethodGet, path, "", "")
		require.Equal(t, http.StatusMethodNotAllowed, w.Code, path)
	}
}

func TestSlowClientsAreCutOff(t *testing.T) {
	cfg := testConfig(t, t.TempDir())
	cfg.Limits.ReadHeaderTimeout, cfg.Limits.ReadTimeout = 200*time.Millisecond, 300*time.Millisecond
	p, err := open(t.Context(), cfg, t.Output())
	require.NoError(t, err)
	t.Cleanup(p.close)
	ctx, stop := context.WithCancel(t.Context())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- p.serve(ctx, l, nil) }()
	t.Cleanup(func() { stop(); require.NoError(t, <-done) })
	for name, head := range map[string]string{
		"in the head": "POST /oauth2/token HTTP/1.1\r\nHost: x\r\n",
		"in the body": "POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\ngrant",
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", l.Addr().String())
			require.NoError(t, err)
			defer conn.Close() //nolint:errcheck // the test is over
			_, err = io.WriteString(conn, head)
			require.NoError(t, err)
			require.NoError(t, conn.SetReadDeadline(time.Now().Add(10*time.Second)))
			_, err = io.Copy(io.Discard, bufio.NewReader(conn))
			require.NoError(t, err, "the server closes the connection")
		})
	}
}

func TestAMistakeInASystemOfOnesOwnIsReportedAtStart(t *testing.T) {
	dir := t.TempDir()
	writeFolder(t, filepath.Join(dir, "systems", "intranet"), map[string]string{
		"system.yaml":       strings.Replace(intranetSystem, "action: login", "action: log-in", 1),
		"success.json.tmpl": strings.Replace(intranetSuccess, ".User.Email", ".User.Mail", 1),
	})
	file := writeConfig(t, dir, "templates_dir: systems\nsystems:\n  - {name: intranet, template: intranet}\n")
	code, _, stderr := runKeyway(t, "serve", "--config", file)
	require.Equal(t, exitFailed, code)
	require.Regexp(t, `intranet/system\.yaml:\d+`, stderr)
	require.Contains(t, stderr, "log-in")
	code, _, stderr = runKeyway(t, "check", "--config", file)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "log-in")
}
