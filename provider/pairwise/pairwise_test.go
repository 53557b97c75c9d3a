package pairwise_test

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/pairwise"
)

func subjects(t *testing.T, secret byte) *pairwise.Subjects {
	t.Helper()
	s, err := pairwise.New(bytes.Repeat([]byte{secret}, 32))
	require.NoError(t, err)
	return s
}

func TestAPersonIsSomebodyElseInEachSector(t *testing.T) {
	s := subjects(t, 1)
	one := s.Of("a.example", "alice")
	require.Regexp(t, `^[A-Za-z0-9_-]{43}$`, one)
	require.Equal(t, one, s.Of("a.example", "alice"), "it stays")
	require.Equal(t, one, subjects(t, 1).Of("a.example", "alice"), "on every replica")
	seen := map[string]string{one: "itself"}
	for name, other := range map[string]string{
		"sector": s.Of("b.example", "alice"), "subject": s.Of("a.example", "bob"),
		"secret": subjects(t, 2).Of("a.example", "alice"), "border": s.Of("a.exampl", "ealice"),
	} {
		require.Empty(t, seen[other], name)
		seen[other] = name
	}
	require.Empty(t, s.Of("a.example", ""), "nobody stays nobody")
	require.Equal(t, "alice", s.Of("", "alice"))
}

func TestSector(t *testing.T) {
	for _, c := range []struct {
		name, sectorURI string
		redirects       []string
		want            string
	}{
		{"one host", "", []string{"https://App.example/a", "https://app.example:8443/b"}, "app.example"},
		{"a sector URI wins", "https://sector.example/list.json", []string{"https://a.example/", "https://b.example/"}, "sector.example"},
		{"two hosts", "", []string{"https://a.example/", "https://b.example/"}, ""},
		{"no host", "", nil, ""},
		{"loopback", "", []string{"http://127.0.0.1/cb"}, ""},
		{"an app's scheme", "", []string{"com.example.app:/cb"}, ""},
		{"https and an app's scheme", "", []string{"https://a.example/", "com.example.app:/cb"}, ""},
		{"a sector URI in clear", "http://sector.example/", []string{"https://a.example/"}, ""},
		{"no URI", "", []string{"%"}, ""},
	} {
		got, err := pairwise.Sector(c.sectorURI, c.redirects)
		require.Equal(t, c.want, got, c.name)
		if c.want == "" {
			require.ErrorIs(t, err, pairwise.ErrSector, c.name)
		} else {
			require.NoError(t, err, c.name)
		}
	}
}
