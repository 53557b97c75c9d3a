package target_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/target"
)

func TestNarrow(t *testing.T) {
	allowed := []string{"https://a.example/", "https://b.example/api?x=1", "urn:example:c", "plain", "https://d.example/#f"}
	for _, c := range []struct {
		name                 string
		resources, audiences []string
		want                 []string
	}{
		{"nothing asked for is everything", nil, nil, allowed},
		{"one resource", []string{"https://a.example/"}, nil, []string{"https://a.example/"}},
		{"several, each once", []string{"urn:example:c", "https://b.example/api?x=1", "urn:example:c"}, nil, []string{"urn:example:c", "https://b.example/api?x=1"}},
		{"an audience need not be a URI", nil, []string{"plain"}, []string{"plain"}},
		{"both", []string{"https://a.example/"}, []string{"plain"}, []string{"https://a.example/", "plain"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, ok := target.Narrow(allowed, c.resources, c.audiences)
			require.True(t, ok)
			require.Empty(t, cmp.Diff(c.want, got))
		})
	}
	for name, resource := range map[string]string{
		"another one": "https://e.example/", "a prefix": "https://a.example", "another case": "https://A.example/", "no URI": "plain",
		"a fragment": "https://d.example/#f", "nothing": "", "a path": "/a", "too long": "https://a.example/" + strings.Repeat("a", 2000),
	} {
		t.Run(name+" is refused as a resource", func(t *testing.T) {
			_, ok := target.Narrow(allowed, []string{resource}, nil)
			require.False(t, ok)
		})
	}
	t.Run("too many are refused", func(t *testing.T) {
		_, ok := target.Narrow(allowed, nil, strings.Fields(strings.Repeat("plain ", 21)))
		require.False(t, ok)
	})
}

func FuzzNarrow(f *testing.F) {
	f.Add("https://a.example/")
	f.Add("urn:x")
	f.Fuzz(func(t *testing.T, resource string) {
		if got, ok := target.Narrow([]string{resource}, []string{resource}, nil); ok {
			require.Equal(t, []string{resource}, got)
			require.NotContains(t, resource, "#")
		}
	})
}
