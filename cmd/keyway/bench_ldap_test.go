package main

import (
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/provider/upstream/ldap/ldaptest"
)

// benchDirectory is a program whose people are in a directory at address.
func benchDirectory(b *testing.B, s *ldaptest.Slapd, address string, change func(*config.Connector)) *program {
	b.Helper()
	dir := b.TempDir()
	text := strings.ReplaceAll(corpFiles(b, s, dir), s.URL, address)
	text = "issuer: http://127.0.0.1:1\nlockout: {failures: 1000000, source_failures: 1000000}\n" + strings.NewReplacer("debug", "error", "recheck: 1s", "recheck: 1h").Replace(text)
	cfg, _, err := config.Load(writeConfig(b, dir, text))
	require.NoError(b, err)
	if change != nil {
		change(&cfg.Connectors[0])
	}
	p, err := open(b.Context(), cfg, io.Discard)
	require.NoError(b, err)
	b.Cleanup(p.close)
	asServed(b, p)
	return p
}

// asServed gives the runtime the settings that it has in the program.
func asServed(b *testing.B, p *program) {
	b.Helper()
	percent, limit, threads := debug.SetGCPercent(100), debug.SetMemoryLimit(-1), runtime.GOMAXPROCS(0)
	tune(p.cfg.Passwords, p.hasher.Workers())
	b.Cleanup(func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
		runtime.GOMAXPROCS(threads)
	})
}

// BenchmarkLegacyLoginByLDAP is a login through Faveo's call that slapd judges,
// over StartTLS: a search, a bind and a search for groups. cpu-ms/op is Keyway's
// own.
func BenchmarkLegacyLoginByLDAP(b *testing.B) {
	s := ldaptest.StartSlapd(b)
	p := benchDirectory(b, s, s.URL, nil)
	require.Contains(b, benchFaveo(p, "alice").Body.String(), `"token"`)
	benchCall(b, p, http.MethodPost, "/api/v1/authenticate", "username=alice&password=alice-secret")
}

// delayed passes on at once what is said to a server, and after a while what it
// answers.
func delayed(b *testing.B, to string, by time.Duration) (address string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := net.Dial("tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			go func() { _, _ = io.Copy(far, near); _ = far.Close() }()
			go func() { _, _ = io.Copy(near, late{far, by}); _ = near.Close() }()
		}
	}()
	return "ldap://" + l.Addr().String()
}

type late struct {
	io.Reader
	by time.Duration
}

func (l late) Read(p []byte) (int, error) {
	n, err := l.Reader.Read(p)
	time.Sleep(l.by)
	return n, err
}

// BenchmarkIntrospectionBesideASlowDirectory says how long introspection takes
// while 200 people at a time log in by a directory that takes half a second for each
// of its answers, and how long while nobody does: when all come at the same moment,
// and as people come.
func BenchmarkIntrospectionBesideASlowDirectory(b *testing.B) {
	s := ldaptest.StartSlapd(b)
	address := delayed(b, strings.TrimPrefix(s.URL, "ldap://"), 500*time.Millisecond)
	p := benchDirectory(b, s, address, func(c *config.Connector) {
		c.Guard.Parallel, c.Guard.Timeout = 300, 30*time.Second
		c.LDAP.MaxConns, c.LDAP.Timeout = 300, 30*time.Second
	})
	server := httptest.NewServer(p.handler)
	b.Cleanup(server.Close)
	w := benchFaveo(p, "bob")
	token := tokenInBody(w.Header(), w.Body.Bytes())
	require.NotEmpty(b, token)
	for _, c := range []crowd{{"at once", 200, 0}, {"as they come", 260, 750 * time.Millisecond}} {
		b.Run(c.name, func(b *testing.B) {
			idle := introspections(b, server.URL, token, b.N)
			logins, stop := c.comes(b, p)
			for logins.Load() < int64(3*c.people) { // until the connections are there
				time.Sleep(100 * time.Millisecond)
			}
			before, began := logins.Load(), time.Now()
			busy := introspections(b, server.URL, token, b.N)
			rate := float64(logins.Load()-before) / time.Since(began).Seconds()
			stop()
			p99 := func(took []time.Duration) float64 { return float64(took[len(took)*99/100].Microseconds()) / 1000 }
			b.ReportMetric(p99(idle), "idle-p99-ms")
			b.ReportMetric(p99(busy), "busy-p99-ms")
			b.ReportMetric(float64(busy[len(busy)/2].Microseconds())/1000, "busy-p50-ms")
			b.ReportMetric(rate, "logins/s")
			b.ReportMetric(0, "ns/op")
		})
	}
}

func benchFaveo(p *program, name string) *httptest.ResponseRecorder {
	return ask(p, http.MethodPost, "/api/v1/authenticate", "application/x-www-form-urlencoded", "username="+name+"&password="+name+"-secret")
}

// crowd is people who log in again and again, each after a pause by chance.
type crowd struct {
	name   string
	people int
	pause  time.Duration // the longest
}

// comes counts the logins; one that fails fails b.
func (c crowd) comes(b *testing.B, p *program) (logins *atomic.Int64, stop func()) {
	b.Helper()
	logins = &atomic.Int64{}
	var ends atomic.Bool
	var all sync.WaitGroup
	for range c.people {
		all.Go(func() {
			for !ends.Load() {
				time.Sleep(rand.N(c.pause + 1))
				if w := benchFaveo(p, "alice"); !strings.Contains(w.Body.String(), `"token"`) {
					b.Errorf("%d %s", w.Code, w.Body)
					logins.Add(1 << 30) // nobody waits for more
					return
				}
				logins.Add(1)
			}
		})
	}
	return logins, func() { ends.Store(true); all.Wait() }
}

// introspections returns how long each of n took that came at a steady pace,
// from the shortest.
func introspections(b *testing.B, base, token string, n int) []time.Duration {
	b.Helper()
	n = max(n, 100)
	took := make([]time.Duration, n)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16}}
	var all sync.WaitGroup
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for i := range n {
		<-pace.C
		all.Go(func() {
			r, err := http.NewRequest(http.MethodPost, base+"/oauth2/introspect", strings.NewReader(url.Values{"token": {token}}.Encode()))
			if err != nil {
				b.Error(err)
				return
			}
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.SetBasicAuth("service", serviceWord)
			began := time.Now()
			res, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			body, _ := io.ReadAll(res.Body)
			_ = res.Body.Close()
			took[i] = time.Since(began)
			if !strings.Contains(string(body), `"active":true`) {
				b.Errorf("%d %s", res.StatusCode, body)
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	return took
}
