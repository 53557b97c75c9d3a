package main

import (
	"net/http"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestGHSA93m4ForwardedHeadersAreBelievedOfTrustedProxiesOnly is named after
// the advisory about poisoned forwarding headers, GHSA-93m4-mfpg-c3xf.
func TestGHSA93m4ForwardedHeadersAreBelievedOfTrustedProxiesOnly(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, tt := range []struct {
		name, peer, want string
		forwarded        []string
	}{
		{"a stranger's header is ignored", "203.0.113.9:1", "203.0.113.9", []string{"198.51.100.1"}},
		{"a proxy's header names the client", "10.0.0.1:1", "198.51.100.1", []string{"198.51.100.1"}},
		{"what the client itself wrote in front is ignored", "10.0.0.1:1", "198.51.100.1", []string{"127.0.0.1, 198.51.100.1"}},
		{"a chain of proxies is followed to the first stranger", "10.0.0.1:1", "198.51.100.1", []string{"192.0.2.1, 198.51.100.1, 10.0.0.7"}},
		{"several header lines are one list", "10.0.0.1:1", "198.51.100.1", []string{"192.0.2.1", "198.51.100.1"}},
		{"only proxies: the farthest is the client", "10.0.0.1:1", "10.0.0.3", []string{"10.0.0.3, 10.0.0.2"}},
		{"no header: the peer", "10.0.0.1:1", "10.0.0.1", nil},
		{"rubbish ends the list", "10.0.0.1:1", "10.0.0.1", []string{"198.51.100.1, rubbish"}},
		{"a port is no address", "10.0.0.1:1", "10.0.0.1", []string{"198.51.100.1:80"}},
		{"IPv4 in IPv6 is IPv4", "[::ffff:10.0.0.1]:1", "198.51.100.1", []string{"::ffff:198.51.100.1"}},
		{"IPv6", "[::1]:1", "2001:db8::7", []string{"2001:db8::7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := &http.Request{RemoteAddr: tt.peer, Header: http.Header{"X-Forwarded-For": tt.forwarded}}
			require.Equal(t, tt.want, clientAddr(trusted)(r).String())
		})
	}
}

func FuzzClientAddr(f *testing.F) {
	f.Add("10.0.0.1:1", "198.51.100.1, 10.0.0.7")
	f.Add("[::1]:1", ",,,")
	trusted := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	f.Fuzz(func(t *testing.T, peer, forwarded string) {
		r := &http.Request{RemoteAddr: peer, Header: http.Header{"X-Forwarded-For": {forwarded}}}
		addr := clientAddr(trusted)(r)
		if from, err := netip.ParseAddrPort(peer); err == nil && !trusted[0].Contains(from.Addr().Unmap()) && !trusted[1].Contains(from.Addr().Unmap()) {
			require.Equal(t, from.Addr().Unmap(), addr, "nobody else's header counts")
		}
	})
}
