package database_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream"
	"keyway/provider/upstream/database"
)

// people is a table that PostgreSQL and SQLite read alike. The password of all is
// correct-horse, by many schemes.
const people = `CREATE TABLE people (
  id integer PRIMARY KEY, name varchar(50), hash varchar(200), scheme varchar(20), salt varchar(20), state varchar(20), score double precision, pic %s, agent %s);
INSERT INTO people VALUES (1, 'md5', '2eb62d171ba8491db496081a8b24738a', 'md5', NULL, NULL, 1.5, NULL, TRUE);
INSERT INTO people VALUES (2, 'bcrypt', '$2y$04$UslFu3UX0PslbKVtMjmCWOaaEdETIG.HyVtl5mzWfpD.tfFqLR14m', NULL, NULL, 'active', NULL, NULL, FALSE);
INSERT INTO people VALUES (3, 'salted', '01c2099960cdb80f22b2ee433ae7a40c', 'ossn', 'ab12cd34', '', NULL, NULL, NULL);
INSERT INTO people VALUES (4, 'disabled', '2eb62d171ba8491db496081a8b24738a', 'md5', NULL, 'disabled', NULL, NULL, NULL);
INSERT INTO people VALUES (5, 'locked', '2eb62d171ba8491db496081a8b24738a', 'md5', NULL, 'locked', NULL, NULL, NULL);
INSERT INTO people VALUES (6, 'odd', '2eb62d171ba8491db496081a8b24738a', 'md5', NULL, 'on holiday', NULL, NULL, NULL);
INSERT INTO people VALUES (7, 'empty', NULL, 'md5', NULL, NULL, NULL, NULL, NULL);
INSERT INTO people VALUES (8, 'unknown scheme', '2eb62d171ba8491db496081a8b24738a', 'rot13', NULL, NULL, NULL, NULL, NULL);
INSERT INTO people VALUES (9, 'plain', 'correct-horse', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO people VALUES (10, 'picture', '2eb62d171ba8491db496081a8b24738a', 'md5', NULL, NULL, NULL, %s, NULL);
INSERT INTO people VALUES (11, 'low', '2eb62d171ba8491db496081a8b24738a', 'md5', NULL, NULL, -3, NULL, NULL);
INSERT INTO people VALUES (12, 'twin', '2eb62d171ba8491db496081a8b24738a', 'md5', NULL, NULL, NULL, NULL, NULL);
INSERT INTO people VALUES (13, 'twin', '2eb62d171ba8491db496081a8b24738a', 'md5', NULL, NULL, NULL, NULL, NULL);
`

const (
	byName = "SELECT id AS subject, hash, scheme, salt, state AS status, score, pic, agent FROM people WHERE name = :login"
	byID   = "SELECT id AS subject, state AS status, score FROM people WHERE id = :id"
)

func postgres(t *testing.T) string {
	t.Helper()
	dsn := storetest.Postgres(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	_, err = conn.Exec(t.Context(), fmt.Sprintf(people, "bytea", "boolean", `'\xff00'`))
	require.NoError(t, err)
	require.NoError(t, conn.Close(t.Context()))
	return dsn
}

func sqlite(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "old one?.db")
	db, err := sql.Open("sqlite", "file:"+strings.ReplaceAll(file, "?", "%3f"))
	require.NoError(t, err)
	_, err = db.Exec(fmt.Sprintf(people, "blob", "boolean", "x'ff00'"))
	require.NoError(t, err)
	require.NoError(t, db.Close())
	return "sqlite://" + strings.NewReplacer("?", "%3f", " ", "%20").Replace(file)
}

func each(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("PostgreSQL", func(t *testing.T) { test(t, postgres(t)) })
	t.Run("SQLite", func(t *testing.T) { test(t, sqlite(t)) })
}

func TestWhatARowSays(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		u := open(t, database.Options{DSN: dsn, Query: byName, FollowQuery: byID, DisabledWhen: "(claims.score ?? 0) < 0 || subject == '99'"})
		try(t, u, []attempt{
			{"a scheme that is named", "md5", "correct-horse", "1"},
			{"a hash that names itself", "bcrypt", "correct-horse", "2"},
			{"a salt of its own", "salted", "correct-horse", "3"},
			{"the same with a wrong password", "salted", "correct-hors", "wrong"},
			{"disabled", "disabled", "correct-horse", "disabled"},
			{"disabled is told to who has the password only", "disabled", "guess-1", "wrong"},
			{"locked", "locked", "correct-horse", "locked"},
			{"a status of no known meaning lets nobody in", "odd", "correct-horse", "refused"},
			{"no hash", "empty", "correct-horse", "wrong"},
			{"no hash and no password", "empty", "", "wrong"},
			{"a scheme that nobody knows", "unknown scheme", "correct-horse", "wrong"},
			{"a password in clear is no hash", "plain", "correct-horse", "wrong"},
			{"bytes that are no text", "picture", "correct-horse", "refused"},
			{"disabled by the expression", "low", "correct-horse", "disabled"},
			{"two rows", "twin", "correct-horse", "refused"},
			{"no row", "nobody", "correct-horse", "unknown"},
		})
		p, err := u.Verify(t.Context(), login("md5", "correct-horse"))
		require.NoError(t, err)
		require.Equal(t, json.Number("1.5"), p.Claims["score"])
		require.NotContains(t, p.Claims, "pic")
		_, err = u.Verify(t.Context(), login("salted", "guess-1"))
		var told *upstream.Error
		require.ErrorAs(t, err, &told)
		require.Equal(t, issuer+" 3", told.Issuer+" "+told.Subject, "guesses count against the person, whatever the name")
		for subject, want := range map[string]string{
			"1": "", "4": "disabled", "5": "", "6": "refused", "11": "disabled", "99": "unknown", "one": "unknown", "99999999999999999999": "unknown",
		} {
			_, err := u.Follow(t.Context(), &upstream.Known{Issuer: issuer, Subject: subject})
			if want == "" {
				require.NoError(t, err, subject)
				continue
			}
			require.Equal(t, want, string(upstream.KindOf(err)), subject)
		}
	})
}

func TestARightPasswordIsHandedOnToBeKeptHere(t *testing.T) {
	dsn := sqlite(t)
	u := open(t, database.Options{DSN: dsn, Query: byName, Import: true})
	for _, name := range []string{"md5", "bcrypt", "salted"} {
		p, err := u.Verify(t.Context(), login(name, "correct-horse"))
		require.NoError(t, err)
		require.Contains(t, p.Password.Hash, "$argon2id$", name)
		text, err := json.Marshal(p)
		require.NoError(t, err)
		require.NotContains(t, string(text), "argon2id")
		for password, want := range map[string]bool{"correct-horse": true, "guess-1": false} {
			right, _, err := hashes(t).Verify(t.Context(), p.Password, password)
			require.NoError(t, err)
			require.Equal(t, want, right, name)
		}
	}
	p, err := open(t, database.Options{DSN: dsn, Query: byName}).Verify(t.Context(), login("md5", "correct-horse"))
	require.NoError(t, err)
	require.Nil(t, p.Password, "unless nobody asked for it")
}

func TestCVE202224124ANameIsNeverPartOfTheQuery(t *testing.T) {
	each(t, func(t *testing.T, dsn string) {
		u := open(t, database.Options{DSN: dsn, Query: byName, FollowQuery: byID})
		for _, name := range append(injections(), "md5' --", "' OR name = 'md5", `md5\`, "MD5") {
			_, err := u.Verify(t.Context(), login(name, "correct-horse"))
			require.Equal(t, upstream.Unknown, upstream.KindOf(err), "%q: %v", name, err)
			_, err = u.Follow(t.Context(), &upstream.Known{Issuer: issuer, Subject: name})
			require.Equal(t, upstream.Unknown, upstream.KindOf(err), "%q: %v", name, err)
		}
		try(t, u, []attempt{{"the table is still there", "md5", "correct-horse", "1"}})
	})
}

func TestANameThatItsColumnCannotHoldIsNobodysAndNotQuoted(t *testing.T) {
	dsn := postgres(t)
	for query, names := range map[string][]string{
		"SELECT id AS subject, hash FROM people WHERE id = :login":                         {"hunter-two", "99999999999999999999999"},
		"SELECT id AS subject, hash FROM people WHERE CURRENT_DATE = CAST(:login AS date)": {"hunter-two", "2026-13-45"},
	} {
		u := open(t, database.Options{DSN: dsn, Query: query})
		for _, name := range names {
			_, err := u.Verify(t.Context(), login(name, "x"))
			require.Equal(t, upstream.Unknown, upstream.KindOf(err), "an outage of everybody's for one name: %v", err)
			require.NotContains(t, err.Error(), name, "it may be a mistyped password")
		}
	}
}

func TestTheDatabaseCannotBeWrittenTo(t *testing.T) {
	t.Run("PostgreSQL", func(t *testing.T) {
		dsn := postgres(t)
		conn, err := pgx.Connect(t.Context(), dsn)
		require.NoError(t, err)
		_, err = conn.Exec(t.Context(), `CREATE FUNCTION note(n text) RETURNS text LANGUAGE sql AS $$ INSERT INTO people (name) VALUES (n) RETURNING name $$`)
		require.NoError(t, err)
		require.NoError(t, conn.Close(t.Context()))
		u := open(t, database.Options{DSN: dsn, Query: "SELECT note(:login) AS subject, '' AS hash"})
		_, err = u.Verify(t.Context(), login("alice", "x"))
		require.ErrorContains(t, err, "read-only transaction")
	})
	t.Run("SQLite", func(t *testing.T) {
		dsn := sqlite(t)
		file := filepath.Join(t.TempDir(), "not there.db")
		u := open(t, database.Options{DSN: "sqlite://" + strings.ReplaceAll(file, " ", "%20"), Query: byName})
		_, err := u.Verify(t.Context(), login("alice", "x"))
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
		_, err = os.Stat(file)
		require.ErrorIs(t, err, os.ErrNotExist, "a file that is not there is not made")
		require.Contains(t, database.Write(t, open(t, database.Options{DSN: dsn, Query: byName})), "attempt to write a readonly database")
	})
}

func TestQueriesThatCannotTellWhoSomebodyIs(t *testing.T) {
	dsn := sqlite(t)
	for name, query := range map[string]string{
		"no subject":     "SELECT hash FROM people WHERE name = :login",
		"a column twice": "SELECT id AS subject, hash, hash FROM people WHERE name = :login",
	} {
		for _, who := range []string{"md5", "nobody"} {
			_, err := open(t, database.Options{DSN: dsn, Query: query}).Verify(t.Context(), login(who, "correct-horse"))
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%s: %v", name, err)
		}
	}
	for name, query := range map[string]string{
		"a subject of NULL":   "SELECT NULL AS subject, hash FROM people WHERE name = :login",
		"an empty subject":    "SELECT '' AS subject, hash FROM people WHERE name = :login",
		"a subject too long":  "SELECT '" + strings.Repeat("a", 513) + "' AS subject, hash FROM people WHERE name = :login",
		"a claim too long":    "SELECT id AS subject, hash, hex(zeroblob(40000)) AS x FROM people WHERE name = :login",
		"a number that isn't": "SELECT id AS subject, hash, 9e999 AS x FROM people WHERE name = :login",
	} {
		_, err := open(t, database.Options{DSN: dsn, Query: query}).Verify(t.Context(), login("md5", "correct-horse"))
		require.Equal(t, upstream.Refused, upstream.KindOf(err), "%s: %v", name, err)
	}
	_, err := open(t, database.Options{DSN: dsn, Query: "SELECT x FROM nowhere WHERE name = :login"}).Verify(t.Context(), login("md5", "x"))
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "a mistake in the query is nobody's wrong password")
}

func TestOptionsThatAreRefused(t *testing.T) {
	good := database.Options{DSN: "sqlite:///old.db", Issuer: issuer, Query: byName, Hashes: hashes(t)}
	for name, change := range map[string]func(*database.Options){
		"no issuer":                 func(o *database.Options) { o.Issuer = "" },
		"no hashes":                 func(o *database.Options) { o.Hashes = nil },
		"no query":                  func(o *database.Options) { o.Query = "" },
		"a query that writes":       func(o *database.Options) { o.Query = "DELETE FROM people WHERE name = :login" },
		"following by name":         func(o *database.Options) { o.FollowQuery = byName },
		"an expression of a number": func(o *database.Options) { o.DisabledWhen = "1" },
		"one that does not parse":   func(o *database.Options) { o.DisabledWhen = "claims." },
		"one of another name":       func(o *database.Options) { o.DisabledWhen = "password == ''" },
		"an endless one":            func(o *database.Options) { o.DisabledWhen = strings.Repeat("true || ", 1000) + "true" },
		"a time below nothing":      func(o *database.Options) { o.Timeout = -1 },
		"no DSN":                    func(o *database.Options) { o.DSN = "" },
	} {
		o := good
		change(&o)
		_, err := database.New(o)
		require.Error(t, err, name)
	}
	u, err := database.New(good)
	require.NoError(t, err)
	require.NoError(t, u.Close())
}

// A query that takes too long is given up, and connections are not without number.
func TestASlowDatabaseIsGivenUp(t *testing.T) {
	dsn := postgres(t)
	slow := "SELECT name AS subject, hash, pg_sleep(5)::text AS x FROM people WHERE name = :login"
	u := open(t, database.Options{DSN: dsn, Query: slow, Timeout: 300 * time.Millisecond, MaxConns: 2})
	begin := time.Now()
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			_, err := u.Verify(t.Context(), login("md5", "correct-horse"))
			require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
		})
	}
	all.Wait()
	require.Less(t, time.Since(begin), 2*time.Second)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context()) //nolint:errcheck // at the end
	require.Eventually(t, func() bool {
		n := -1
		err := conn.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(5)%' AND state = 'active' AND pid <> pg_backend_pid()").Scan(&n)
		return err == nil && n == 0
	}, 3*time.Second, 50*time.Millisecond, "nothing goes on there for nobody")
}

// The time of an answer must not tell whether a name is known.
func TestUnknownNamesCostWhatWrongPasswordsDo(t *testing.T) {
	h, err := identity.NewHasher(identity.HasherOptions{Memory: 8 << 10, Time: 2})
	require.NoError(t, err)
	f, err := identity.NewForeign(h, time.Now)
	require.NoError(t, err)
	u, err := database.New(database.Options{DSN: sqlite(t), Issuer: issuer, Query: byName, Hashes: f})
	require.NoError(t, err)
	defer u.Close()                   //nolint:errcheck // at the end
	cost := func(name string) int64 { // the least of several, for the collector of garbage works in between
		least := int64(math.MaxInt64)
		for range 5 {
			begin := processorTime(t)
			_, err := u.Verify(t.Context(), login(name, "guess-1"))
			require.Error(t, err)
			least = min(least, processorTime(t)-begin)
		}
		return least
	}
	wrong := cost("md5")
	for _, name := range []string{"nobody", "empty", "unknown scheme", "twin", strings.Repeat("a", 600)} {
		require.Greater(t, cost(name), wrong/4, name)
	}
}
