package identity_test

import (
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func TestFoldName(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, a, b string }{
		{"case does not matter", "Alice", "aLICE"},
		{"trailing spaces do not matter", "alice", "alice  "},
		{"case beyond ASCII does not matter", "ZOË", "zoë"},
		{"composed and decomposed are the same", "zo\u00eb", "ZOE\u0308"},
		{"sharp s folds", "STRASSE", "straße"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, identity.FoldName(tt.a), identity.FoldName(tt.b))
		})
	}
	t.Run("a leading space matters", func(t *testing.T) {
		require.NotEqual(t, identity.FoldName("alice"), identity.FoldName(" alice"))
	})
	t.Run("accents matter", func(t *testing.T) {
		require.NotEqual(t, identity.FoldName("zoë"), identity.FoldName("zoe"))
	})
}

func FuzzFoldName(f *testing.F) {
	f.Add("Zoë ")
	f.Add("\u0345\u0301A")
	f.Fuzz(func(t *testing.T, name string) {
		once := identity.FoldName(name)
		if twice := identity.FoldName(once); once != twice {
			t.Fatalf("%q folds to %q and then to %q", name, once, twice)
		}
		if utf8.ValidString(name) && !utf8.ValidString(once) {
			t.Fatalf("%q folds to invalid UTF-8", name)
		}
	})
}

func TestLooksLikeEmail(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"alice@example.com": true, "alice": false, "alice@localhost": false, "Alice <alice@example.com>": false,
		"@example.com": false, "": false, "a@b@example.com": false,
	} {
		require.Equal(t, want, identity.LooksLikeEmail(name), name)
	}
}

func TestUsername(t *testing.T) {
	t.Parallel()
	u := identity.User{LoginNames: []identity.LoginName{
		{Directory: "other", Name: "al"},
		{Directory: "default", Name: "alice@example.com"},
		{Directory: "default", Name: "device-1", Slot: "pass_code"},
		{Directory: "default", Name: "alice"},
		{Directory: "mail", Name: "alice@example.com"},
	}}
	require.Equal(t, "alice", u.Username("default"))
	require.Equal(t, "alice@example.com", u.Username("mail"))
	require.Empty(t, u.Username("nowhere"))
}

func TestFoldNameIsCheap(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { identity.FoldName("alice@example.com") }); n != 0 {
		t.Fatalf("folding a name that is folded already allocates %v times", n)
	}
}
