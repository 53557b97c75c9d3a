package apppassword_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/apppassword"
)

func TestNetworksAreReadAsPeopleWriteThem(t *testing.T) {
	for text, want := range map[string][]string{
		"":                              nil,
		" \n":                           nil,
		"192.0.2.7":                     {"192.0.2.7/32"},
		"::ffff:192.0.2.7":              {"192.0.2.7/32"},
		"192.0.2.7/24, 192.0.2.0/24":    {"192.0.2.0/24"},
		"2001:db8::1;10.0.0.0/8 ::1/64": {"2001:db8::1/128", "10.0.0.0/8", "::/64"},
	} {
		got, err := apppassword.ParseNetworks(text)
		require.NoError(t, err, text)
		require.Empty(t, cmp.Diff(want, got), text)
	}
	for _, text := range []string{
		"home", "192.0.2", "192.0.2.0/33", "::ffff:192.0.2.0/120", "fe80::1%eth0", "192.0.2.0/24/8",
		strings.Repeat("192.0.2.7 ", 1000),
	} {
		_, err := apppassword.ParseNetworks(text)
		require.ErrorIs(t, err, apppassword.ProblemNetworks, text)
	}
	many := strings.Builder{}
	for i := range 21 {
		many.WriteString(netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}).String() + " ")
	}
	_, err := apppassword.ParseNetworks(many.String())
	require.ErrorIs(t, err, apppassword.ProblemNetworks)
}

func FuzzParseNetworks(f *testing.F) {
	for _, s := range []string{"192.0.2.7", "::1/64, 10.0.0.0/8", "fe80::1%eth0", "::ffff:1.2.3.4/97"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		networks, err := apppassword.ParseNetworks(text)
		if err != nil {
			return
		}
		for _, n := range networks {
			p, err := netip.ParsePrefix(n)
			if err != nil || p != p.Masked() || p.Addr().Is4In6() {
				t.Fatalf("%q became %q: %v", text, n, err)
			}
		}
		again, err := apppassword.ParseNetworks(strings.Join(networks, " "))
		if err != nil || !cmp.Equal(networks, again) {
			t.Fatalf("%q is read as %q and then as %q: %v", text, networks, again, err)
		}
	})
}
