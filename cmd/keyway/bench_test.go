package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/config"
)

// benchProgram is the demo without the limits that a benchmark would meet,
// with trivial password hashes.
func benchProgram(b *testing.B) *program {
	b.Helper()
	cfg, err := demoConfig("127.0.0.1:1", b.TempDir())
	require.NoError(b, err)
	for i := range cfg.Systems {
		if cfg.Systems[i].Template == "faveo" {
			cfg.Systems[i].Settings["rate_limit"] = 0
		}
	}
	cfg.Log.Level = "error"
	cfg.Database = config.NewDSN(filepath.Join(b.TempDir(), "bench.db"))
	cfg.Passwords.Argon2 = config.Argon2{MemoryKiB: 8, Iterations: 1, Parallelism: 1}
	p, err := open(b.Context(), cfg, io.Discard)
	require.NoError(b, err)
	b.Cleanup(p.close)
	return p
}

func benchCall(b *testing.B, p *program, method, path, body string, head ...string) { //nolint:revive // a request has that many parts
	b.ReportAllocs()
	b.SetParallelism(8)
	before := processorTime(b)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			r := httptest.NewRequest(method, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			for i := 0; i < len(head); i += 2 {
				r.Header.Set(head[i], head[i+1])
			}
			w := httptest.NewRecorder()
			p.handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Errorf("%s: %d %s", path, w.Code, w.Body)
				return
			}
		}
	})
	b.ReportMetric(float64((processorTime(b)-before).Microseconds())/1000/float64(b.N), "cpu-ms/op")
}

// processorTime is what this process has used of the processor, other processes
// such as a database or a directory apart.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

const benchLogin = "username=alice&password=correct-horse"

func benchToken(b *testing.B, p *program) string {
	b.Helper()
	w := ask(p, http.MethodPost, "/api/v1/authenticate", "application/x-www-form-urlencoded", benchLogin)
	token := tokenInBody(w.Header(), w.Body.Bytes())
	require.NotEmpty(b, token, w.Body.String())
	return token
}

func serviceHeader() string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth("demo-service", "demo-service-secret-0b9e3c7a51d24f68")
	return r.Header.Get("Authorization")
}

func BenchmarkLegacyLogin(b *testing.B) {
	benchCall(b, benchProgram(b), http.MethodPost, "/api/v1/authenticate", benchLogin)
}

func BenchmarkClientCredentials(b *testing.B) {
	benchCall(b, benchProgram(b), http.MethodPost, "/oauth2/token", "grant_type=client_credentials", "Authorization", serviceHeader())
}

func BenchmarkIntrospection(b *testing.B) {
	p := benchProgram(b)
	benchCall(b, p, http.MethodPost, "/oauth2/introspect", "token="+benchToken(b, p), "Authorization", serviceHeader())
}

func BenchmarkUserinfo(b *testing.B) {
	p := benchProgram(b)
	benchCall(b, p, http.MethodGet, "/oauth2/userinfo", "", "Authorization", "Bearer "+benchToken(b, p))
}

func BenchmarkWhoAmI(b *testing.B) {
	p := benchProgram(b)
	benchCall(b, p, http.MethodGet, "/api/v1/authenticate/user?token="+benchToken(b, p), "")
}

func BenchmarkDiscovery(b *testing.B) {
	benchCall(b, benchProgram(b), http.MethodGet, "/.well-known/openid-configuration", "")
}
