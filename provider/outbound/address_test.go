package outbound

import (
	"net/netip"
	"testing"
)

func TestOnlyAddressesOfThePublicInternetArePublic(t *testing.T) {
	for name, all := range map[string]map[string]bool{
		"public":              {"1.1.1.1": true, "93.184.216.34": true, "2606:4700::1111": true, "2a00:1450:4001::1": true},
		"loopback":            {"127.0.0.1": false, "127.255.255.254": false, "::1": false},
		"unspecified":         {"0.0.0.0": false, "0.1.2.3": false, "::": false},
		"private":             {"10.0.0.1": false, "172.16.0.1": false, "172.31.255.255": false, "172.32.0.1": true, "192.168.1.1": false},
		"unique local":        {"fc00::1": false, "fd00:ec2::254": false},
		"link-local":          {"169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false},
		"site-local":          {"fec0::1": false},
		"carrier-grade NAT":   {"100.64.0.1": false, "100.100.100.200": false, "100.127.255.255": false, "100.128.0.1": true},
		"multicast":           {"224.0.0.1": false, "239.255.255.250": false, "ff02::1": false},
		"broadcast, reserved": {"255.255.255.255": false, "240.0.0.1": false},
		"clouds":              {"168.63.129.16": false, "192.0.0.192": false},
		"documentation":       {"192.0.2.1": false, "198.51.100.1": false, "203.0.113.1": false, "2001:db8::1": false, "3fff::1": false},
		"benchmarks":          {"198.18.0.1": false, "198.19.255.255": false},
		"IPv4-mapped":         {"::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "::ffff:10.0.0.1": false, "::ffff:1.1.1.1": true},
		"IPv4-compatible":     {"::127.0.0.1": false, "::10.0.0.1": false},
		"NAT64":               {"64:ff9b::127.0.0.1": false, "64:ff9b::a9fe:a9fe": false, "64:ff9b::10.0.0.1": false, "64:ff9b::1.1.1.1": true, "64:ff9b:1::1": false},
		"6to4":                {"2002:7f00:1::1": false, "2002:a00:1::1": false, "2002:101:101::1": false, "192.88.99.1": false},
		"Teredo":              {"2001:0:7f00:1::1": false, "2001::1": false},
		"a zone on a public":  {"2606:4700::1111%eth0": false},
	} {
		for text, want := range all {
			if got := Public(netip.MustParseAddr(text)); got != want {
				t.Errorf("%s: Public(%s) = %v, want %v", name, text, got, want)
			}
		}
	}
	if Public(netip.Addr{}) {
		t.Error("no address is public")
	}
}
