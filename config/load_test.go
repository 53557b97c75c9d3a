package config

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

func load(t *testing.T, file string) (*Config, []Warning) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	c, warnings, err := Parse(file, text, testEnv)
	require.NoError(t, err)
	return c, warnings
}

func TestParse(t *testing.T) {
	t.Run("a file with a secret only has every default", func(t *testing.T) {
		c, warnings := load(t, "testdata/good/least.yaml")
		want := Default()
		want.Secret = NewSecret(testSecret)
		want.Database = NewDSN("testdata/good/keyway.db")
		require.Empty(t, cmp.Diff(&want, c))
		require.Len(t, warnings, 1, "the issuer is on loopback")
	})
	t.Run("a file with every key sets every field, and warns of nothing", func(t *testing.T) {
		c, warnings := load(t, "testdata/good/whole.yaml")
		require.Empty(t, warnings)
		requireAllSet(t, reflect.ValueOf(*c), "", map[string]bool{
			"insecure_http": true, "clients.name": true, "clients.secret": true, "clients.jwks": true, "outbound.allow_loopback": true,
		})
		require.Equal(t, "Hq7Lw2Zs9Xe4Rt6Yu1Io3Pa5Sd8FgJkMnBvCx0Q", c.Secret.Reveal(), "without the line break")
		require.Equal(t, "postgres://keyway:hunter2@db.example/keyway", c.Database.Reveal())
		require.Equal(t, "testdata/good/files/users.jsonl", c.UsersFile)
		require.Equal(t, "testdata/good/files/keys.json", c.Clients[0].JWKS)
		require.Equal(t, "[10.0.0.0/8 2001:db8::1/128]", fmt.Sprint(c.TrustedProxies))
		require.Equal(t, time.Date(2027, 12, 31, 0, 0, 0, 0, time.UTC), c.Systems[0].Sunset)
		require.Empty(t, cmp.Diff(map[string]any{
			"jwt_secret": NewSecret(c.Secret.Reveal()), "api_key_mandatory": true, "rate": int64(60), "ratio": 0.5,
			"title": "Support", "note": "two\nlines\n",
		}, c.Systems[0].Settings))
	})
	t.Run("a key without a value keeps its default, and aliases and merges are followed", func(t *testing.T) {
		c, _ := load(t, "testdata/good/empty_keys_and_aliases.yaml")
		require.Equal(t, Default().Log, c.Log)
		require.Equal(t, Default().Tokens, c.Tokens)
		require.Equal(t, []string{"one", "two"}, []string{c.Systems[0].Name, c.Systems[1].Name})
		require.Equal(t, []string{"openid", "email"}, c.Systems[1].Scopes)
		require.Equal(t, c.Systems[0].Sunset, c.Systems[1].Sunset)
		require.Equal(t, true, c.Systems[1].Settings["mandatory"])
		require.Equal(t, testSecret, c.Systems[1].Settings["api_key"].(Secret).Reveal())
	})
	t.Run("elements of a list have their own defaults", func(t *testing.T) {
		c, _ := load(t, "testdata/good/development.yaml")
		require.Equal(t, "client_secret_basic", c.Clients[0].AuthMethod)
		require.Equal(t, "opaque", c.Clients[0].AccessTokenFormat)
		require.Equal(t, []string{"urn:ietf:params:oauth:grant-type:device_code", "refresh_token"}, c.Clients[1].GrantTypes)
		require.Equal(t, []string{"openid", "profile", "email"}, c.Systems[0].Scopes)
	})
	t.Run("a byte order mark is skipped", func(t *testing.T) {
		_, _, err := Parse("keyway.yaml", []byte("\xef\xbb\xbfsecret: env:SECRET\r\n"), testEnv)
		require.NoError(t, err)
	})
}

// requireAllSet fails for each key below v that has its zero value, so that a
// new key cannot be forgotten in testdata/good/whole.yaml.
func requireAllSet(t *testing.T, v reflect.Value, path string, but map[string]bool) {
	t.Helper()
	for _, k := range keysOf(v.Type()) {
		f, full := v.Field(k.field), join(path, k.name)
		switch {
		case section(k.typ):
			requireAllSet(t, f, full, but)
		case k.typ.Kind() == reflect.Slice && section(k.typ.Elem()):
			for _, below := range keysOf(k.typ.Elem()) {
				set := false
				for i := range f.Len() {
					set = set || !f.Index(i).Field(below.field).IsZero()
				}
				require.True(t, set || but[full+"."+below.name], "%s.%s is not in the file", full, below.name)
			}
		default:
			require.True(t, !f.IsZero() || but[full], "%s is not in the file", full)
		}
	}
}

func TestWarnings(t *testing.T) {
	_, warnings := load(t, "testdata/good/development.yaml")
	var got []string
	for _, w := range warnings {
		require.NotEmpty(t, w.Hint, "%s says what to change", w.Key)
		require.NotContains(t, w.String(), "hunter2")
		got = append(got, fmt.Sprintf("%d %s", w.Line, w.Key))
	}
	require.Equal(t, []string{
		"2 insecure_http", "5 secret", "7 passwords.argon2", "6 tokens.access_lifetime", "3 trusted_proxies[0]",
		"4 database", "4 database", "9 clients[0].secret", "12 systems[0].sunset",
	}, got)

	for name, text := range map[string]string{
		"issuer: is http on loopback":                  "issuer: http://localhost:8080",
		"issuer: is https, but there is neither":       "issuer: https://login.example.com",
		"database: is in the folder for temporary":     "database: " + filepath.Join(t.TempDir(), "keyway.db"),
		"clients[0].secret: looks guessable; make on":  "clients: [{client_id: a, secret: env:GUESSABLE, grant_types: [client_credentials]}]",
		"connectors[0].mapping.allow: is missing: any": "connectors: [{id: git, type: oauth, client_id: k, oauth: {preset: github}}]",
		"connectors[1].mapping.allow: is missing: any": "connectors: [{id: a, issuer: https://corp.example, client_id: k}, {id: g, issuer: https://accounts.google.com, client_id: k}]",
	} {
		t.Run(name, func(t *testing.T) {
			_, warnings, err := Parse("keyway.yaml", []byte("secret: env:SECRET\n"+text+"\n"), testEnv)
			require.NoError(t, err)
			require.Contains(t, fmt.Sprint(warnings), name)
		})
	}
}

func TestAConnectorThatLetsFewInNeedsNoWarning(t *testing.T) {
	for _, text := range []string{
		"{id: git, type: oauth, client_id: k, oauth: {preset: github}, mapping: {allow: 'claims.login == \"ann\"'}}",
		"{id: git, type: oauth, client_id: k, oauth: {preset: github}, create: false}", "{id: git, type: oauth, client_id: k, oauth: {preset: github}, disabled: true}",
		"{id: git, type: oauth, client_id: k, oauth: {preset: gitlab, base_url: 'https://git.corp.example'}}", "{id: corp, issuer: https://corp.example, client_id: k}",
	} {
		_, warnings, err := Parse("keyway.yaml", []byte("secret: env:SECRET\nconnectors: ["+text+"]\n"), testEnv)
		require.NoError(t, err)
		require.NotContains(t, fmt.Sprint(warnings), "mapping.allow", text)
	}
}

func TestOverdue(t *testing.T) {
	c, _ := load(t, "testdata/good/whole.yaml")
	for name, test := range map[string]struct {
		now  string
		want string
	}{
		"a sunset far away says nothing":  {"2027-01-01", ""},
		"a sunset within a month is near": {"2027-12-10", "is near"},
		"a sunset that has passed is":     {"2028-01-01", "has passed"},
	} {
		t.Run(name, func(t *testing.T) {
			now, err := time.Parse(time.DateOnly, test.now)
			require.NoError(t, err)
			warnings := c.Overdue(now)
			if test.want == "" {
				require.Empty(t, warnings)
				return
			}
			require.Contains(t, warnings[0].String(), "systems[0].sunset: support: the sunset of 2027-12-31 "+test.want)
		})
	}
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("KEYWAY_SECRET", testSecret)
	file := filepath.Join(dir, "keyway.yaml")

	t.Run("secrets come from the environment of the process", func(t *testing.T) {
		require.NoError(t, os.WriteFile(file, []byte("secret: env:KEYWAY_SECRET\n"), 0o600))
		c, _, err := Load(file)
		require.NoError(t, err)
		require.Equal(t, testSecret, c.Secret.Reveal())
		require.Equal(t, filepath.Join(dir, "keyway.db"), c.Database.Reveal())
	})
	t.Run("a file that is not there is a problem with its name", func(t *testing.T) {
		_, _, err := Load(filepath.Join(dir, "nowhere.yaml"))
		require.ErrorContains(t, err, "nowhere.yaml: does not exist; name the configuration with --config FILE")
	})
	t.Run("a folder is no file", func(t *testing.T) {
		_, _, err := Load(dir)
		require.ErrorContains(t, err, "is not a regular file")
	})
	t.Run("a file beyond 1 MiB is refused", func(t *testing.T) {
		require.NoError(t, os.WriteFile(file, []byte(strings.Repeat("# a comment\n", 100_000)), 0o600))
		_, _, err := Load(file)
		require.ErrorContains(t, err, "is larger than 1 MiB")
	})
	t.Run("a secret file beyond 64 KiB, or an empty one, is refused", func(t *testing.T) {
		for size, want := range map[int]string{maxSecret + 1: "larger than 64 KiB", 0: "is empty"} {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), make([]byte, size), 0o600))
			_, _, err := Parse(file, []byte("secret: file:secret\n"), testEnv)
			require.ErrorContains(t, err, want)
		}
	})
}
