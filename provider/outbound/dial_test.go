package outbound

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

// Row 14 of the attacks: refused before any connection.
func TestANameThatLeadsInwardsIsRefusedBeforeAnyConnection(t *testing.T) {
	s, connections := remote(t, func(http.ResponseWriter, *http.Request) {})
	for name, addrs := range map[string][]string{
		"loopback":              {"127.0.0.1"},
		"loopback, IPv6":        {"::1"},
		"mapped":                {"::ffff:127.0.0.1"},
		"link-local":            {"169.254.169.254"},
		"one of several":        {"127.0.0.1", "1.1.1.1"},
		"the last of several":   {"1.1.1.1", "2606:4700::1111", "127.0.0.1"},
		"unspecified, which is": {"0.0.0.0"},
	} {
		c := caller(t, s, Options{Lookup: meaning(addrs...)})
		if _, err := c.Get(t.Context(), named(s, "rp.example"), ""); ReasonOf(err) != Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := connections.Load(); n != 0 {
		t.Errorf("%d connections were made", n)
	}
}

// Lists of what must not be called were got past by names that mean another address
// the next time they are looked up: ZITADEL CVE-2024-49753, CVE-2026-27945 and
// CVE-2025-67494, Casdoor CVE-2026-5469.
func TestCVE202449753TheAddressThatWasJudgedIsTheOneConnectedTo(t *testing.T) {
	s, _ := remote(t, func(http.ResponseWriter, *http.Request) {})
	var lookups atomic.Int32
	c := caller(t, s, Options{
		AllowNetworks: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
		Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
			if lookups.Add(1) == 1 {
				return meaning("127.0.0.1")(ctx, host)
			}
			return meaning("127.0.0.2")(ctx, host) // a name that was bound anew
		},
	})
	if _, err := c.Get(t.Context(), named(s, "example.com"), ""); err != nil {
		t.Fatal(err)
	}
	if n := lookups.Load(); n != 1 {
		t.Errorf("%d look-ups for one connection", n)
	}
	c.Close()
	if _, err := c.Get(t.Context(), named(s, "example.com"), ""); ReasonOf(err) != Forbidden {
		t.Errorf("a new connection to the new address: %v", err)
	}
}

func TestTheOperatorMayAllowPrivateAddressesByName(t *testing.T) {
	s, _ := remote(t, func(http.ResponseWriter, *http.Request) {})
	u, _ := url.Parse(s.URL)
	for name, x := range map[string]struct {
		hosts []string
		addr  string
		want  Reason
	}{
		"the name":                  {[]string{"Example.com"}, "127.0.0.1", ""},
		"the name and its port":     {[]string{"example.com:" + u.Port()}, "127.0.0.1", ""},
		"the name and another port": {[]string{"example.com:1"}, "127.0.0.1", Forbidden},
		"another name":              {[]string{"other.example.com"}, "127.0.0.1", Forbidden},
		"never link-local":          {[]string{"example.com"}, "169.254.169.254", Forbidden},
		"never unspecified":         {[]string{"example.com"}, "0.0.0.0", Forbidden},
		"never multicast":           {[]string{"example.com"}, "224.0.0.1", Forbidden},
	} {
		c := caller(t, s, Options{AllowHosts: x.hosts, Lookup: meaning(x.addr)})
		if _, err := c.Get(t.Context(), named(s, "example.com"), ""); ReasonOf(err) != x.want {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoopbackByPlainHTTPOnlyWhereItIsAllowed(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(s.Close)
	if _, err := caller(t, s, Options{AllowLoopback: true}).Get(t.Context(), s.URL, ""); err != nil {
		t.Error(err)
	}
	if _, err := caller(t, s, Options{}).Get(t.Context(), s.URL, ""); ReasonOf(err) != Forbidden {
		t.Errorf("not allowed: %v", err)
	}
	c := caller(t, s, Options{AllowLoopback: true, Lookup: meaning("127.0.0.1")})
	if _, err := c.Get(t.Context(), strings.Replace(named(s, "rp.example"), "https", "http", 1), ""); ReasonOf(err) != Forbidden {
		t.Errorf("http to a name that is not loopback's: %v", err)
	}
}
