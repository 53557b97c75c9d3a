package identity_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func TestOSSNInput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"the observed password comes out as observed", `p&"w<'>  x\y`, `p&amp;&quot;w&lt;&#039;&gt; x\\y`},
		{"the password of the recorded login", `p&s<s>"w'd`, `p&amp;s&lt;s&gt;&quot;w&#039;d`},
		{"plain text stays", "correct-horse", "correct-horse"},
		{"nothing stays nothing", "", ""},
		{"only runs of spaces collapse", "a   b\t\tc", "a b\t\tc"},
		{"blanks at the ends go", "  a \t\v ", "a"},
		{"an escaped line end at the end stays", "a\r\n", `a\r\n`},
		{"control characters are written out", "a\x00b\x1ac", `a\x00b\x1ac`},
		{"an entity is escaped again", "&amp;", "&amp;amp;"},
		{"three bytes stay", "€", "€"},
		{"four bytes become an entity", "a\U0001F600b", "a&#x1f600;b"},
		{"the last plane is left alone", "\U00100000", "\U00100000"},
		{"invalid UTF-8 makes everything empty", "abc\xff", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, identity.OSSNInput(tt.in))
		})
	}
}

func TestOSSNPasswords(t *testing.T) {
	t.Parallel()
	h := newHasher(t)
	// md5 of the salt alone, what an empty password would hash to.
	c := identity.Credential{Scheme: identity.SchemeOSSN, Hash: "d9ae1ac8561894b123adb171b104b05d", Salt: "ab12cd34"}
	for _, password := range []string{"", " ", "\xff"} {
		ok, _, err := h.Verify(t.Context(), c, password)
		require.NoError(t, err)
		require.False(t, ok, "%q is treated to nothing and must not verify", password)
	}
}

func FuzzOSSNInput(f *testing.F) {
	f.Add(`p&"w<'>  x\y`)
	f.Add("\U0001F600 \x00\x1a\r\n")
	f.Fuzz(func(t *testing.T, in string) {
		out := identity.OSSNInput(in)
		if !utf8.ValidString(out) || strings.ContainsAny(out, "\"'<>\x00\r\n\x1a") || strings.Contains(out, "  ") {
			t.Fatalf("%q became %q", in, out)
		}
	})
}
