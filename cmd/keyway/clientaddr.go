package main

import (
	"net/http"
	"net/netip"
	"strings"
)

// clientAddr returns who sent a request: the peer, unless the peer is a
// trusted proxy; then the last address in X-Forwarded-For that is not one.
func clientAddr(trusted []netip.Prefix) func(*http.Request) netip.Addr {
	isTrusted := func(a netip.Addr) bool {
		for _, n := range trusted {
			if n.Contains(a) {
				return true
			}
		}
		return false
	}
	return func(r *http.Request) netip.Addr {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		if err != nil {
			return netip.Addr{}
		}
		addr := peer.Addr().Unmap()
		if !isTrusted(addr) {
			return addr
		}
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(hops) - 1; i >= 0; i-- {
			hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
			if err != nil {
				return addr
			}
			addr = hop.Unmap()
			if !isTrusted(addr) {
				return addr
			}
		}
		return addr
	}
}
