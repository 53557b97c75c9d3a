package main

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/templates"
)

func databaseOf(preset string) config.Connector {
	return config.Connector{
		ID: "old", Type: "database", Directory: "default", Create: true,
		Database: config.ConnectorDatabase{DSN: config.NewSecret("sqlite:///nowhere/old.db"), Preset: preset},
	}
}

func TestEveryShippedPresetCanBeUsed(t *testing.T) {
	files, err := fs.Glob(templates.Systems(), "*/"+databaseFile)
	require.NoError(t, err)
	require.Contains(t, files, "faveo/database.yaml")
	require.Contains(t, files, "ossn/database.yaml")
	for _, file := range files {
		c := testConfig(t, t.TempDir())
		c.Connectors = []config.Connector{databaseOf(path.Dir(file))}
		require.NoError(t, applyPresets(c), file)
		require.NoError(t, checkConnectors(c.Connectors), file)
		one := c.Connectors[0]
		require.NotEmpty(t, one.Database.FollowQuery, file)
		require.Equal(t, path.Dir(file), one.Mapping.Accounts[0].System, file)
	}
}

func TestWhatIsConfiguredWinsOverThePreset(t *testing.T) {
	c := testConfig(t, t.TempDir())
	own := databaseOf("faveo")
	own.Database.Query, own.Mapping.LoginName = "SELECT id AS subject, password AS hash FROM people WHERE name = :login", "claims.email"
	own.Mapping.Accounts = []config.MappingAccount{{System: "helpdesk", ID: "subject"}}
	c.Connectors = []config.Connector{own}
	require.NoError(t, applyPresets(c))
	got := c.Connectors[0]
	require.Equal(t, own.Database.Query, got.Database.Query)
	require.Equal(t, "claims.email", got.Mapping.LoginName)
	require.Equal(t, own.Mapping.Accounts, got.Mapping.Accounts)
	require.Equal(t, "claims.active != 1", got.Database.DisabledWhen, "and the rest is the preset's")
	require.Equal(t, "nil", got.Mapping.Claims["gender"])
}

// The examples of docs/federation.md are what people copy.
func TestTheDocumentsExamplesOfDatabasesPassTheCheck(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "federation.md"))
	require.NoError(t, err)
	_, section, ok := strings.Cut(string(text), "\n## A legacy database\n")
	require.True(t, ok)
	section, _, _ = strings.Cut(section, "\n## ")
	dir := t.TempDir()
	for _, name := range []string{"OSSN_DSN", "FAVEO_DSN"} {
		t.Setenv(name, "mysql://keyway:hunter2@db.example.com/old")
	}
	t.Setenv("OSSN_KEY", "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00")
	t.Setenv("FAVEO_JWT_SECRET", strings.Repeat("0123456789abcdef", 4))
	writeFolder(t, dir, map[string]string{"crm-dsn": "postgres://keyway:hunter2@crm.example.com/crm"})
	examples := strings.Split(section, "```yaml\n")[1:]
	require.Len(t, examples, 4)
	for i, example := range examples {
		example, _, _ = strings.Cut(example, "```")
		if !strings.Contains(example, "connectors:") { // it changes the first one
			first, _, _ := strings.Cut(examples[0], "verifiers:")
			_, systems, _ := strings.Cut(examples[0], "\nsystems:")
			systems, _, _ = strings.Cut(systems, "```")
			example = strings.Replace(first, "preset: ossn", "preset: ossn\n      import: true", 1) + example + "systems:" + systems
		}
		code, _, stderr := runKeyway(t, "check", "--config", writeConfig(t, dir, strings.Replace(example, "/run/secrets/", "", 1)))
		require.Zero(t, code, "example %d: %s", i+1, stderr)
	}
}

func TestACheckFindsWhatIsWrongWithADatabase(t *testing.T) {
	t.Setenv("OLD_DATABASE", "mysql://keyway:hunter2@old.example/faveo")
	for name, tt := range map[string]struct{ keys, want string }{
		"a preset that is not there":  {"preset: nowhere", `connector old: database.preset: there is no legacy system "nowhere"`},
		"a system without a preset":   {"preset: zabbix", "the folder of zabbix has no database.yaml"},
		"a preset that does not read": {"preset: mine", `unknown field "quer"`},
		"a query that writes":         {"query: DELETE FROM users WHERE name = :login", "connector old: database: query: it must have no DELETE"},
		"following without an id":     {"{preset: ossn, follow_query: SELECT 1}", "follow_query: the parameter :id is missing"},
		"an expression":               {"{preset: ossn, disabled_when: claims.}", "disabled_when"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			mine, err := fs.Sub(templates.Systems(), "zabbix")
			require.NoError(t, err)
			require.NoError(t, os.CopyFS(filepath.Join(dir, "systems", "mine"), mine))
			writeFolder(t, dir, map[string]string{"systems/mine/database.yaml": "quer: SELECT 1\n"})
			keys := strings.TrimSuffix(strings.TrimPrefix(tt.keys, "{"), "}")
			file := writeConfig(t, dir, "templates_dir: systems\nconnectors:\n  - {id: old, type: database, database: {dsn: \"env:OLD_DATABASE\", "+keys+"}}\n")
			code, _, stderr := runKeyway(t, "check", "--config", file)
			require.Equal(t, exitFailed, code)
			require.Contains(t, stderr, tt.want)
			require.NotContains(t, stderr, "hunter2")
		})
	}
}
