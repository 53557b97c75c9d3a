package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func readAll(tb testing.TB, pattern string) map[string][]byte {
	tb.Helper()
	files, err := filepath.Glob(pattern)
	require.NoError(tb, err)
	require.NotEmpty(tb, files)
	all := map[string][]byte{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(tb, err)
		all[file] = text
	}
	return all
}

func TestProblemsShowTheSource(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"the lines around a mistake, with a caret under it": {
			"# Keyway\nsecret: env:SECRET\nlog:\n  level: loud\n  format: json\n",
			`
keyway.yaml:4:10: log.level: must be one of debug, info, warn, error
     2 | secret: env:SECRET
     3 | log:
>    4 |   level: loud
       |          ^
     5 |   format: json`,
		},
		"several problems, in the order of the file": {
			"isuer: https://login.example.com\nsecret: env:NOWHERE\n",
			`
keyway.yaml:1:1: isuer: is not a key; did you mean "issuer"?
>    1 | isuer: ***
       | ^
     2 | secret: env:NOWHERE
keyway.yaml:2:9: secret: refers to the environment variable NOWHERE, which is not set
     1 | isuer: ***
>    2 | secret: env:NOWHERE
       |         ^`,
		},
		"secrets beside a mistake are hidden": {
			"secret: |\n  hunter2\n  hunter2\ndatabase: postgres://kw:hunter2@h/kw\nlisten: 1\nsystems:\n" +
				"- {name: a, template: b, settings: {key: hunter2}, hots: a}\n- password: {of: \"hunter2\n    hunter2\"}\n",
			`
keyway.yaml:1:9: secret: is a secret and must not stand in this file; write env:NAME for an environment variable or file:PATH for a file that holds it
>    1 | secret: |
       |         ^
     2 | ***
keyway.yaml:5:9: listen: must be text, not a number; put it in quotes
     3 | ***
     4 | database: ***
>    5 | listen: 1
       |         ^
     6 | systems:
keyway.yaml:7:52: systems[0].hots: is not a key; did you mean "host"?
     5 | listen: 1
     6 | systems:
>    7 | - {name: a, template: b, settings: {key: ***
       |                                                    ^
     8 | - password: {***
keyway.yaml:8:3: systems[1].password: is not a key; known here: name, template, profile, base_path, host, site_url, directory, accounts, networks, second_factor, uniform_errors, scopes, audience, lifetime, owner, sunset, settings
     6 | systems:
     7 | - {name: a, template: b, settings: {key: ***
>    8 | - password: {***
       |   ^
     9 | ***
keyway.yaml:8:3: systems[1].name: is required
     6 | systems:
     7 | - {name: a, template: b, settings: {key: ***
>    8 | - password: {***
       |   ^
     9 | ***
keyway.yaml:8:3: systems[1].template: is required
     6 | systems:
     7 | - {name: a, template: b, settings: {key: ***
>    8 | - password: {***
       |   ^
     9 | ***`,
		},
		"secrets in a file that does not parse are hidden": {
			"client_secret: hunter2\n'api key': hunter2\nhunter2\nurl: https://a:hunter2@b\nissuer: \"https://a\n",
			`
keyway.yaml:5:9: could not find end character of double-quoted text
     3 | ***
     4 | url: https://a:***@b
>    5 | issuer: "https://a
       |         ^`,
		},
		"control characters and endless lines are not printed": {
			"secret: env:SECRET\nlog: {level: \"\x1b[31m" + strings.Repeat("x", 200) + "\"}\n",
			`
keyway.yaml:2:14: log.level: must be one of debug, info, warn, error
     1 | secret: env:SECRET
>    2 | log: {level: " [31m` + strings.Repeat("x", 141) + `…
       |              ^`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := Parse("keyway.yaml", []byte(test.text), testEnv)
			require.Error(t, err)
			require.Empty(t, cmp.Diff(strings.TrimPrefix(test.want, "\n"), err.Error()))
		})
	}
}

func TestSuggest(t *testing.T) {
	names := []string{"issuer", "listen", "access_lifetime", "client_id", "tls"}
	for got, want := range map[string]string{
		"isuer": "issuer", "Issuer": "issuer", "lisetn": "listen", "accessLifetime": "access_lifetime",
		"access-lifetime": "access_lifetime", "client": "client_id", "clientid": "client_id", "tsl": "tls", "frobnicate": "", "": "",
	} {
		t.Run(got, func(t *testing.T) { require.Equal(t, want, suggest(got, names)) })
	}
}
