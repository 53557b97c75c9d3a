package database

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatTheDriverIsGiven(t *testing.T) {
	for query, want := range map[string][2]statement{
		"SELECT a FROM b WHERE c = :login":                 {{"SELECT a FROM b WHERE c = ?", 1}, {"SELECT a FROM b WHERE c = $1", 1}},
		"with x AS (SELECT 1) select :login, :login;\n":    {{"with x AS (SELECT 1) select ?, ?", 2}, {"with x AS (SELECT 1) select $1, $1", 1}},
		"SELECT ':login; -- it''s' AS \"a:login\", :login": {{"SELECT ':login; -- it''s' AS \"a:login\", ?", 1}, {"SELECT ':login; -- it''s' AS \"a:login\", $1", 1}},
		"SELECT x::text, last_update FROM b WHERE :login":  {{"SELECT x::text, last_update FROM b WHERE ?", 1}, {"SELECT x::text, last_update FROM b WHERE $1", 1}},
		"SELECT größe FROM b WHERE c=:login and d=1":       {{"SELECT größe FROM b WHERE c=? and d=1", 1}, {"SELECT größe FROM b WHERE c=$1 and d=1", 1}},
	} {
		for i, numbered := range []bool{false, true} {
			got, err := dialect{numbered}.parse(query, "login")
			require.NoError(t, err, query)
			require.Equal(t, want[i], got)
		}
	}
}

func TestOnlyOneStatementThatReadsIsTaken(t *testing.T) {
	for name, query := range map[string]string{
		"nothing":                  "",
		"no parameter":             "SELECT 1",
		"a parameter in quotes":    "SELECT ':login'",
		"another parameter":        "SELECT :login, :password",
		"the driver's own":         "SELECT ?, :login",
		"a number":                 "SELECT $1, :login",
		"a variable":               "SELECT @login, :login",
		"an update":                "UPDATE users SET x = :login",
		"a function call":          "CALL f(:login)",
		"a pragma":                 "PRAGMA query_only = :login",
		"two statements":           "SELECT :login; DELETE FROM users",
		"two that read":            "SELECT :login; SELECT 2",
		"a CTE that writes":        "WITH x AS (DELETE FROM users RETURNING id) SELECT :login",
		"a file":                   "SELECT :login INTO OUTFILE '/tmp/x'",
		"a new table":              "SELECT a into b FROM c WHERE d = :login",
		"a lock":                   "SELECT a FROM b WHERE c = :login FOR UPDATE",
		"a shared lock":            "SELECT a FROM b WHERE c = :login FOR SHARE",
		"a lock of MySQL":          "SELECT a FROM b WHERE c = :login LOCK IN SHARE MODE",
		"a comment":                "SELECT :login -- comment",
		"a comment that is none":   "SELECT :login /*! INTO OUTFILE 'x' */",
		"a comment of MySQL":       "SELECT :login # comment",
		"an escaped quote":         `SELECT 'it\'s :login', :login`,
		"a quote that stays open":  "SELECT 'a WHERE b = :login",
		"dollars for quotes":       "SELECT $$a$$, :login",
		"a NUL":                    "SELECT :login\x00",
		"a NUL in quotes":          "SELECT 'a\x00', :login",
		"too long":                 "SELECT :login, '" + strings.Repeat("a", maxQuery) + "'",
		"an unfinished parameter":  "SELECT :",
		"a longer parameter":       "SELECT :logins",
		"a backtick of PostgreSQL": "SELECT `a; DELETE FROM b`, :login",
	} {
		_, err := dialect{numbered: true}.parse(query, "login")
		require.Error(t, err, name)
	}
	_, err := dialect{}.parse("SELECT `update` FROM b WHERE c = :login", "login")
	require.NoError(t, err, "a name in quotes is no word")
}

func FuzzStatement(f *testing.F) {
	f.Add("SELECT a FROM b WHERE c = :login")
	f.Add("WITH x AS (SELECT 'it''s') SELECT \"a\", `b`, c::text FROM d WHERE e = :login;")
	f.Add("SELECT ':login' -- :login")
	f.Fuzz(func(t *testing.T, query string) {
		for _, d := range []dialect{{false}, {true}} {
			s, err := d.parse(query, "login")
			if err != nil {
				continue
			}
			bare := withoutQuotes(s.text, d)
			if strings.ContainsAny(bare, ";#\\@\x00") || strings.Contains(bare, "--") || strings.Contains(bare, "/*") {
				t.Fatalf("%q became %q", query, s.text)
			}
			if !d.numbered && strings.Count(bare, "?") != s.args || d.numbered && (s.args != 1 || !strings.Contains(bare, "$1")) {
				t.Fatalf("%q has other parameters than %d: %q", query, s.args, s.text)
			}
		}
	})
}

// withoutQuotes is a reader of its own, to compare.
func withoutQuotes(text string, d dialect) string {
	var out strings.Builder
	var quote rune
	for _, r := range text {
		switch {
		case quote == 0 && (r == '\'' || r == '"' || r == '`' && !d.numbered):
			quote = r
		case r == quote:
			quote = 0
		case quote == 0:
			out.WriteRune(r)
		}
	}
	return out.String()
}
