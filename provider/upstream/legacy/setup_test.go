package legacy_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/legacy"
)

// server is an old server, which says what a test wants.
type server struct {
	*httptest.Server
	asked  atomic.Int32
	got    *http.Request
	body   string
	answer func(http.ResponseWriter)
}

func newServer(t *testing.T, answer func(http.ResponseWriter)) *server {
	t.Helper()
	s := &server{answer: answer}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		s.got, s.body = r, string(body)
		s.answer(w)
	}))
	t.Cleanup(s.Close)
	return s
}

// saying answers with a status and a body.
func saying(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (s *server) verifier(t *testing.T, d legacy.Description, settings map[string]string) *legacy.Verifier {
	t.Helper()
	calls, err := outbound.New(outbound.Options{AllowLoopback: true, Timeout: 2 * time.Second})
	require.NoError(t, err)
	t.Cleanup(calls.Close)
	v, err := legacy.New(legacy.Options{URL: s.URL + "/old", Description: d, Settings: settings, HTTP: calls.HTTP()})
	require.NoError(t, err)
	return v
}

// described is a server that says everything there is to say.
func described() legacy.Description {
	return legacy.Description{
		Request:  legacy.Request{Path: "/login", Fields: map[string]string{"user": "username", "pass": "password", "key": `settings.key != "" ? settings.key : nil`}},
		Settings: []string{"key"},
		Success:  "json.id != nil", Subject: "json.id", Claims: "json",
		Unknown: `json?.why == "nobody"`, Disabled: `json?.why == "off"`, Unverified: `json?.why == "new"`, Locked: `status == 423`,
		Expired: `headers["x-why"] == "old"`, Wrong: `json?.why == "wrong" || body == "no"`,
	}
}

func login() *upstream.Login {
	return &upstream.Login{Username: "alice", Password: `p&"<w>=ü`, System: "desk"}
}
