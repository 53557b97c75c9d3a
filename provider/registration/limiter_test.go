package registration_test

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/registration"
)

func TestNothingOfTheMetadataIsLostInAClient(t *testing.T) {
	m := parsed(t, everything).Metadata
	require.Empty(t, cmp.Diff(m, m.Through()))
}

func TestASourceMayRegisterOnlySoMany(t *testing.T) {
	allow, now := registration.Limiter(2), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	from := func(addr string, at time.Duration, want bool) {
		t.Helper()
		wait, ok := allow(netip.MustParseAddr(addr), now.Add(at))
		require.Equal(t, want, ok)
		require.Equal(t, !want, wait > 0)
	}
	from("192.0.2.1", 0, true)
	from("192.0.2.1", time.Minute, true)
	from("192.0.2.1", 2*time.Minute, false)
	from("::ffff:192.0.2.1", 2*time.Minute, false)
	from("192.0.2.2", 2*time.Minute, true)
	from("2001:db8::1", 0, true)
	from("2001:db8::2", 0, true)
	from("2001:db8::3", 0, false)
	from("2001:db8:0:1::3", 0, true)
	from("192.0.2.1", time.Hour, true)
	_, ok := allow(netip.Addr{}, now)
	require.True(t, ok, "who has no address shares one")
}

func TestSourcesAreBounded(t *testing.T) {
	allow, now := registration.Limiter(1), time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for i := range uint32(10_001) {
		_, ok := allow(netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, i))), now)
		require.Equal(t, i < 10_000, ok)
	}
	_, ok := allow(netip.MustParseAddr("192.0.2.1"), now.Add(time.Hour))
	require.True(t, ok)
}
