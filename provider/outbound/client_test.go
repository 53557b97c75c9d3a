package outbound

import (
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// remote starts a server that everybody trusts, and says how often somebody
// connected.
func remote(t *testing.T, h http.HandlerFunc) (s *httptest.Server, connections *atomic.Int32) {
	t.Helper()
	connections = new(atomic.Int32)
	s = httptest.NewUnstartedServer(h)
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Config.ErrorLog = nil
	s.StartTLS()
	t.Cleanup(s.Close)
	return s, connections
}

func caller(t *testing.T, s *httptest.Server, o Options) *Client {
	t.Helper()
	o.RootCAs = x509.NewCertPool()
	if s != nil && s.Certificate() != nil {
		o.RootCAs.AddCert(s.Certificate())
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// meaning resolves every name to the same addresses.
func meaning(addrs ...string) func(context.Context, string) ([]netip.Addr, error) {
	return func(context.Context, string) ([]netip.Addr, error) {
		all := make([]netip.Addr, len(addrs))
		for i, a := range addrs {
			all[i] = netip.MustParseAddr(a)
		}
		return all, nil
	}
}

// named gives a server's URL another host, on the same port.
func named(s *httptest.Server, host string) string {
	u, _ := url.Parse(s.URL)
	return "https://" + net.JoinHostPort(host, u.Port()) + "/"
}

func TestAGetReturnsBodyAndTypeAndTellsNothingOfThisProgramsState(t *testing.T) {
	s, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		for _, h := range []string{"Cookie", "Authorization", "Referer", "Accept-Encoding"} {
			if v := r.Header.Get(h); v != "" {
				t.Errorf("%s: %s was sent", h, v)
			}
		}
		if got := r.UserAgent(); got != "Keyway/test" {
			t.Errorf("User-Agent: %s", got)
		}
		http.SetCookie(w, &http.Cookie{Name: "id", Value: "1"})
		w.Header().Set("Content-Type", "Application/JSON; charset=utf-8")
		_, _ = io.WriteString(w, `{"keys":[]}`)
	})
	c := caller(t, s, Options{AllowLoopback: true, UserAgent: "Keyway/test"})
	for range 2 { // the second time a cookie could be sent
		got, err := c.Get(t.Context(), s.URL, "")
		if err != nil {
			t.Fatal(err)
		}
		want := &Answer{Status: 200, ContentType: "application/json", Body: []byte(`{"keys":[]}`)}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
}

func TestAPostCarriesAForm(t *testing.T) {
	s, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost || r.FormValue("logout_token") != "a.b+c" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	got, err := caller(t, s, Options{AllowLoopback: true}).PostForm(t.Context(), s.URL, url.Values{"logout_token": {"a.b+c"}})
	if err != nil || got.Status != http.StatusNoContent {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestURLsThatAreNeverCalled(t *testing.T) {
	c := caller(t, nil, Options{})
	for name, uri := range map[string]string{
		"plain http":           "http://example.com/",
		"plain http, loopback": "http://127.0.0.1/",
		"file":                 "file:///etc/passwd",
		"ftp":                  "ftp://example.com/",
		"gopher":               "gopher://127.0.0.1:6379/_x",
		"data":                 "data:text/plain,x",
		"no host":              "https:///path",
		"relative":             "/path",
		"opaque":               "https:example.com",
		"user":                 "https://user@example.com/",
		"fragment":             "https://example.com/#x",
		"backslash":            `https://example.com\@127.0.0.1/`,
		"loopback":             "https://127.0.0.1/",
		"loopback, IPv6":       "https://[::1]/",
		"loopback, mapped":     "https://[::ffff:127.0.0.1]/",
		"metadata":             "https://169.254.169.254/latest/meta-data/",
		"with a zone":          "https://[fe80::1%25eth0]/",
		"too long":             "https://example.com/" + strings.Repeat("a", maxURL),
		"empty":                "",
	} {
		if err := c.Check(uri); ReasonOf(err) != Forbidden {
			t.Errorf("%s: Check(%.40q) = %v", name, uri, err)
		}
		if _, err := c.Get(t.Context(), uri, ""); ReasonOf(err) != Forbidden {
			t.Errorf("%s: Get(%.40q) = %v", name, uri, err)
		}
		if _, err := c.PostForm(t.Context(), uri, nil); ReasonOf(err) != Forbidden {
			t.Errorf("%s: PostForm(%.40q) = %v", name, uri, err)
		}
	}
	if err := c.Check("https://example.com/jwks?tenant=1"); err != nil {
		t.Error(err)
	}
}

func TestRedirectsAreNotFollowedUnlessAllowedAndAreJudgedAnew(t *testing.T) {
	var target string
	s, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/end" {
			return
		}
		http.Redirect(w, r, target, http.StatusTemporaryRedirect)
	})
	network := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	for name, x := range map[string]struct {
		target    string
		redirects int
		want      Reason
	}{
		"by default":         {s.URL + "/end", 0, Status},
		"one":                {s.URL + "/end", 1, ""},
		"endless":            {s.URL + "/again", 3, Status},
		"inwards":            {named(s, "127.0.0.2"), 3, Forbidden},
		"inwards, by name":   {named(s, "inside.example"), 3, Forbidden},
		"to plain http":      {"http://127.0.0.1/", 3, Forbidden},
		"to another scheme":  {"file:///etc/passwd", 3, Forbidden},
		"to somebody's name": {"https://user@127.0.0.1/", 3, Forbidden},
	} {
		target = x.target
		c := caller(t, s, Options{Redirects: x.redirects, AllowNetworks: network, Lookup: meaning("10.0.0.1")})
		if _, err := c.Get(t.Context(), s.URL, ""); ReasonOf(err) != x.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	target = s.URL + "/end"
	c := caller(t, s, Options{Redirects: 3, AllowNetworks: network})
	if _, err := c.PostForm(t.Context(), s.URL, url.Values{"secret": {"x"}}); ReasonOf(err) != Status {
		t.Errorf("a form was posted on: %v", err)
	}
	if _, err := New(Options{Redirects: 4}); err == nil {
		t.Error("four redirects were allowed")
	}
}

func TestSlowAndEndlessAnswersEnd(t *testing.T) {
	done := make(chan struct{})
	s, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		line := []byte(strings.Repeat("x", 1024))
		switch r.URL.Path {
		case "/silent":
			<-done
		case "/stalled":
			w.WriteHeader(http.StatusOK)
			_ = http.NewResponseController(w).Flush()
			<-done
		case "/endless":
			for {
				if _, err := w.Write(line); err != nil {
					return
				}
			}
		case "/announced":
			w.Header().Set("Content-Length", "1000000000")
			_, _ = w.Write(line)
		case "/header":
			w.Header().Set("X-Long", strings.Repeat("x", 2*maxHeader))
		case "/zipped":
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write([]byte("\x1f\x8bxyz"))
		}
	})
	defer close(done)
	c := caller(t, s, Options{AllowLoopback: true, MaxBytes: 4096, Timeout: 300 * time.Millisecond})
	for path, want := range map[string]Reason{
		"/silent": Timeout, "/stalled": Timeout, "/endless": TooLarge, "/announced": TooLarge, "/header": Malformed, "/zipped": "",
	} {
		if _, err := c.Get(t.Context(), s.URL+path, ""); ReasonOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestErrorsQuoteNothingOfTheAnswerAndNoQuery(t *testing.T) {
	s, _ := remote(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/status":
			w.Header().Set("X-Leak", "CANARY")
			http.Error(w, "CANARY", http.StatusInternalServerError)
		case "/garbage", "/protocol":
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			text := "CANARY-1.0 welcome\r\n\r\n"
			if r.URL.Path == "/protocol" {
				text = "HTTP/1.1 200 OK\r\nCANARY\r\n\r\n"
			}
			_, _ = io.WriteString(conn, text)
			_ = conn.Close()
		case "/broken":
			panic(http.ErrAbortHandler)
		}
	})
	c := caller(t, s, Options{AllowLoopback: true})
	for path, want := range map[string]Reason{"/status": Status, "/garbage": Malformed, "/protocol": Malformed, "/broken": Unreachable} {
		_, err := c.Get(t.Context(), s.URL+path+"?key=CANARY", "")
		if ReasonOf(err) != want {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%s: the error quotes it: %v", path, err)
		}
	}
}

func TestCertificatesAreVerified(t *testing.T) {
	s, _ := remote(t, func(http.ResponseWriter, *http.Request) { t.Error("a request was sent") })
	for name, x := range map[string]struct {
		c   *Client
		uri string
	}{
		"of no known authority": {caller(t, nil, Options{AllowLoopback: true}), s.URL},
		"for another name":      {caller(t, s, Options{AllowLoopback: true, Lookup: meaning("127.0.0.1")}), named(s, "other.test")},
	} {
		_, err := x.c.Get(t.Context(), x.uri, "")
		if ReasonOf(err) != Untrusted || !strings.Contains(err.Error(), "certificate") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWhatIsNotThereHasAReason(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "https://" + l.Addr().String()
	_ = l.Close()
	none := func(context.Context, string) ([]netip.Addr, error) {
		return nil, &net.DNSError{Err: "no such host", Name: "rp.example", IsNotFound: true}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for name, x := range map[string]struct {
		ctx    context.Context
		lookup func(context.Context, string) ([]netip.Addr, error)
		uri    string
		want   Reason
	}{
		"nobody listens":    {t.Context(), nil, closed, Unreachable},
		"no such name":      {t.Context(), none, "https://rp.example/", Unresolved},
		"a name of nothing": {t.Context(), meaning(), "https://rp.example/", Unresolved},
		"the caller left":   {gone, nil, closed, Unreachable},
	} {
		c := caller(t, nil, Options{AllowLoopback: true, Lookup: x.lookup})
		if _, err := c.Get(x.ctx, x.uri, ""); ReasonOf(err) != x.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzAURLThatPassesIsHTTPSToAHostThatMayBeCalled(f *testing.F) {
	for _, s := range []string{"https://example.com/", "http://127.0.0.1:80/", "https://[::1]/", "https://a@b/#c", "https://0x7f.1/"} {
		f.Add(s)
	}
	c, err := New(Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		if c.Check(uri) != nil {
			return
		}
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
			t.Fatalf("%q passed", uri)
		}
		if a, err := netip.ParseAddr(u.Hostname()); err == nil && !Public(a) {
			t.Fatalf("%q passed", uri)
		}
	})
}
