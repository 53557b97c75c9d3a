package config

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestBounds has files that are made to cost much.
func TestBounds(t *testing.T) {
	deep := func(open string) string { return strings.Repeat(open, 20_000) }
	var steps strings.Builder
	for i := range 300 {
		steps.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	for name, test := range map[string]struct{ text, want string }{
		"lists in each other":            {deep("["), "nested more than 32 levels"},
		"sections in each other":         {deep("{a: "), "nested more than 32 levels"},
		"dashes in one line":             {deep("- "), "nested more than 32 levels"},
		"question marks in one line":     {deep("? "), "nested more than 32 levels"},
		"anchors in one line":            {deep("&a "), "nested more than 32 levels"},
		"tags in one line":               {deep("!a "), "nested more than 32 levels"},
		"sections nested by indentation": {steps.String(), "nested more than 32 levels"},
		"a list of lists":                {"clients: [" + strings.Repeat("[],", 10_000) + "]", "must be a section"},
		"a mass of keys":                 {strings.Repeat("a: 1\n", maxKeys+1), "has more than 20000 keys"},
		"a mass of mistakes":             {strings.Repeat("a: 1\n", 2_000), "and 150 more problems"},
		"a list repeated by aliases":     {bomb(), "is too large when its aliases are expanded"},
		"aliases of aliases":             {laughs(), "must be text, not a list"},
		"a key as long as a file":        {strings.Repeat("k", 100_000) + ": 1", "is not a key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Parse("keyway.yaml", []byte(test.text), testEnv)
			require.ErrorContains(t, err, test.want)
			require.Less(t, len(err.Error()), 100_000)
		})
	}
}

// bomb lists 3,000 scopes once and refers to them 40 times.
func bomb() string {
	const client = "- {client_id: c, auth_method: none, grant_types: [authorization_code], redirect_uris: [https://a/], scopes: %s}\n"
	var b strings.Builder
	b.WriteString("secret: env:SECRET\nclients:\n")
	fmt.Fprintf(&b, client, "&l ["+strings.Repeat("s,", 3000)+"]")
	for range 40 {
		fmt.Fprintf(&b, client, "*l")
	}
	return b.String()
}

// laughs is the billion laughs, in a list of text.
func laughs() string {
	var b strings.Builder
	b.WriteString("trusted_proxies:\n- &a0 [x]\n")
	for i := range 20 {
		fmt.Fprintf(&b, "- &a%d [%s]\n", i+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i), 10), ","))
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	for _, dir := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		for _, text := range readAll(f, dir) {
			f.Add(text)
		}
	}
	w := world{
		env:  testEnv,
		read: func(string, int64) ([]byte, error) { return []byte(testSecret + "\n"), nil },
		stat: func(string) (fs.FileInfo, error) { return nil, fs.ErrNotExist },
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, warnings, err := parse("keyway.yaml", text, w)
		if err == nil {
			require.NotNil(t, c)
			require.GreaterOrEqual(t, len(c.Secret.Reveal()), minSecret)
			require.NotContains(t, fmt.Sprintf("%v %+v %#v %v", c, c, c, warnings), testSecret)
			return
		}
		var problems Problems
		require.True(t, errors.As(err, &problems))
		require.NotEmpty(t, problems)
		require.Nil(t, c)
		require.NotContains(t, err.Error(), testSecret)
		for _, p := range problems {
			require.NotEmpty(t, p.Message)
		}
	})
}
