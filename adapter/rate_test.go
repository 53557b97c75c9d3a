package adapter

import (
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheLimitIsAFixedWindowForEachAddress(t *testing.T) {
	l := newRateLimit(2, time.Minute)
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	now := start
	for _, want := range []struct {
		remaining int
		ok        bool
	}{{1, true}, {0, true}, {0, false}} {
		remaining, ok := l.take(a, now)
		require.Equal(t, want.remaining, remaining)
		require.Equal(t, want.ok, ok)
	}
	_, ok := l.take(b, now)
	require.True(t, ok)
	_, ok = l.take(a, now.Add(59*time.Second))
	require.False(t, ok)
	remaining, ok := l.take(a, now.Add(time.Minute))
	require.True(t, ok)
	require.Equal(t, 1, remaining)
}

func TestVeryManyAddressesDoNotFillTheMemory(t *testing.T) {
	l := newRateLimit(1, time.Minute)
	addr := netip.MustParseAddr("10.0.0.0")
	for range 2*maxRateEntries + 1 {
		addr = addr.Next()
		l.take(addr, start)
	}
	require.LessOrEqual(t, len(l.seen), maxRateEntries)
	l.take(addr.Next(), start.Add(time.Hour))
	require.NotEmpty(t, l.seen)
}

func TestOneNetworkOfIPv6IsOneAddress(t *testing.T) {
	for _, c := range []struct {
		name, first, second string
		same                bool
	}{
		{"two addresses of one /64", "2001:db8::1", "2001:db8::ffff:1", true},
		{"two networks", "2001:db8::1", "2001:db8:0:1::1", false},
		{"two zones", "fe80::1%eth0", "fe80::1%eth1", true},
		{"an IPv4 address in two forms", "192.0.2.1", "::ffff:192.0.2.1", true},
		{"two IPv4 addresses in IPv6 form", "::ffff:192.0.2.1", "::ffff:192.0.2.2", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newRateLimit(1, time.Minute)
			l.take(netip.MustParseAddr(c.first), start)
			_, ok := l.take(netip.MustParseAddr(c.second), start)
			require.Equal(t, c.same, !ok)
		})
	}
}
