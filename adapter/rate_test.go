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
	addr := netip.MustParseAddr("2001:db8::")
	for range 2*maxRateEntries + 1 {
		addr = addr.Next()
		l.take(addr, start)
	}
	require.LessOrEqual(t, len(l.seen), maxRateEntries)
	l.take(addr.Next(), start.Add(time.Hour))
	require.NotEmpty(t, l.seen)
}
