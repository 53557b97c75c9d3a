package database_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/upstream"
	"keyway/provider/upstream/database"
	"keyway/provider/upstream/database/mariadbtest"
)

const vectorPassword = "pässwörd \"<&>' \\ €"

func TestMariaDB(t *testing.T) {
	server := mariadbtest.Start(t)
	server.OSSN(t)
	server.Faveo(t)
	for name, test := range map[string]func(*testing.T, *mariadbtest.Server){
		"people of OSSN": peopleOfOSSN, "people of Faveo": peopleOfFaveo, "what becomes of them": whatBecomesOfThem,
		"CVE-2022-24124: a name is never part of the query": neverSpliced, "a query that writes comes to nothing": readOnly,
		"another character set": otherCharacters, "an account that may only read": leastRights,
		"a query that takes too long": slowQuery,
		"over TLS":                    overTLS,
	} {
		t.Run(name, func(t *testing.T) { test(t, server) })
	}
	t.Run("a server that is away", func(t *testing.T) { serverAway(t, server) }) // last: it stops it
}

func peopleOfOSSN(t *testing.T, server *mariadbtest.Server) {
	u := open(t, preset(t, "ossn", server.DSN("ossn")))
	try(t, u, []attempt{
		{"bcrypt", "adminuser", "Adm1n-Secret", "1"},
		{"salted md5", "alice", "correct-horse", "2"},
		{"argon2i", "dave", "correct-horse", "8"},
		{"a password that OSSN escapes", "carol", `p&s<s>"w'd`, "3"},
		{"a name in another case", "ALICE", "correct-horse", "2"},
		{"by address", "Alice.Mixed@example.com", "correct-horse", "2"},
		{"a wrong password", "alice", "correct-hors", "wrong"},
		{"no password at all", "alice", "", "wrong"},
		{"the hash for a password", "alice", "01c2099960cdb80f22b2ee433ae7a40c", "wrong"},
		{"an unknown name", "nobody", "correct-horse", "unknown"},
		{"an unknown address", "alice@example.com", "correct-horse", "unknown"},
		{"nobody", "", "correct-horse", "unknown"},
		{"who has not confirmed, before the password", "bobby", "guess-1", "unverified"},
		{"who never got a code to confirm", "nora", "correct-horse", "unverified"},
		{"two people of one name", "twin", "correct-horse", "refused"},
	})
	p, err := u.Verify(t.Context(), login("alice", "correct-horse"))
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"username": "alice", "email": "alice.mixed@example.com", "first_name": "Alice", "last_name": "Example",
		"birthdate": "14/03/1990", "gender": "female",
	}, p.Claims, "neither the credential nor what is NULL")
}

func peopleOfFaveo(t *testing.T, server *mariadbtest.Server) {
	u := open(t, preset(t, "faveo", server.DSN("faveo")))
	try(t, u, []attempt{
		{"by name", "frank", "correct-horse", "7"},
		{"by address, which is somebody else's name", "frank@example.com", "correct-horse", "7"},
		{"a name that looks like an address", "Odd@Name", vectorPassword, "15"},
		{"another one's password", "Odd@Name", "correct-horse", "wrong"},
		{"a ban is not looked at there", "banned", "correct-horse", "13"},
		{"inactive", "gone", "correct-horse", "disabled"},
		{"inactive, with a wrong password", "gone", "guess-1", "wrong"},
		{"a hash that Laravel does not take", "oldie", "correct-horse", "wrong"},
		{"a wrong password", "frank", "guess-1", "wrong"},
		{"an unknown name", "nobody", "correct-horse", "unknown"},
		{"no address", "", "correct-horse", "unknown"},
	})
	p, err := u.Verify(t.Context(), login("frank", "correct-horse"))
	require.NoError(t, err)
	require.Equal(t, json.Number("1"), p.Claims["gender"])
	require.Equal(t, "2026-01-02 03:04:05", p.Claims["created_at"])
	require.NotContains(t, p.Claims, "ext")
	require.NotContains(t, p.Claims, "hash")
}

func whatBecomesOfThem(t *testing.T, server *mariadbtest.Server) {
	u := open(t, preset(t, "faveo", server.DSN("faveo")))
	for _, tt := range []struct{ name, issuer, subject, want string }{
		{"who is there", issuer, "7", ""},
		{"who is disabled", issuer, "12", "disabled"},
		{"who is gone", issuer, "99", "unknown"},
		{"another spelling of a number", issuer, "7 ", "untrusted"},
		{"a text that MySQL takes for a number", issuer, "7x", "untrusted"},
		{"somebody of another issuer", "https://other.example", "7", "unknown"},
	} {
		p, err := u.Follow(t.Context(), &upstream.Known{Issuer: tt.issuer, Subject: tt.subject})
		if tt.want != "" {
			require.Equal(t, tt.want, string(upstream.KindOf(err)), tt.name)
			continue
		}
		require.NoError(t, err, tt.name)
		require.Equal(t, "Acme Ltd", p.Claims["company"])
	}
	none := open(t, database.Options{DSN: server.DSN("faveo"), Query: "SELECT 1 AS subject, :login AS hash"})
	require.False(t, none.Follows())
	_, err := none.Follow(t.Context(), &upstream.Known{Issuer: issuer, Subject: "7"})
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "it ends nobody's session")
}

func injections() []string {
	return []string{
		"' OR '1'='1", "x' OR 1=1 -- ", `\' OR 1=1 #`, "alice'; DROP TABLE ossn.ossn_users; -- ", `" OR ""="`, "alice' UNION SELECT 1,2,3 -- ",
		"%", "_lice", "alice\x00", "\xbf' OR 1=1 -- ", ":login", "?", "$1", "alice/**/", strings.Repeat("a", 600),
	}
}

func neverSpliced(t *testing.T, server *mariadbtest.Server) {
	u := open(t, preset(t, "ossn", server.DSN("ossn")))
	for _, name := range injections() {
		_, err := u.Verify(t.Context(), login(name, "correct-horse"))
		require.Equal(t, upstream.Unknown, upstream.KindOf(err), "%q: %v", name, err)
		_, err = u.Follow(t.Context(), &upstream.Known{Issuer: issuer, Subject: name})
		require.Equal(t, upstream.Unknown, upstream.KindOf(err), "%q: %v", name, err)
	}
	try(t, u, []attempt{{"the table is still there", "alice", "correct-horse", "2"}})
}

// A function can write where the words of a query do not show it.
func readOnly(t *testing.T, server *mariadbtest.Server) {
	server.Execute(t, "", "CREATE DATABASE tricky;\nCREATE TABLE tricky.log (name varchar(100));\n"+
		"CREATE FUNCTION tricky.note(n varchar(100)) RETURNS int MODIFIES SQL DATA BEGIN INSERT INTO tricky.log VALUES (n); RETURN 1; END;\n")
	u := open(t, database.Options{DSN: server.DSN("tricky"), Query: "SELECT note(:login) AS subject, '' AS hash"})
	_, err := u.Verify(t.Context(), login("alice", "x"))
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
	require.ErrorContains(t, err, "READ ONLY")
}

// Somebody who enters what a column's character set does not have must not look
// like an outage, which opens the breaker for all.
func otherCharacters(t *testing.T, server *mariadbtest.Server) {
	server.Execute(t, "", "CREATE DATABASE latin CHARACTER SET latin1;\nCREATE TABLE latin.people (id int, name varchar(50), pw varchar(100));\n"+
		"INSERT INTO latin.people VALUES (1, 'zoë', '2eb62d171ba8491db496081a8b24738a');\n")
	u := open(t, database.Options{DSN: server.DSN("latin"), Query: "SELECT id AS subject, pw AS hash, 'md5' AS scheme FROM people WHERE name = :login"})
	try(t, u, []attempt{
		{"a letter that is there", "zoë", "correct-horse", "1"},
		{"one that is not", "zoЖ", "correct-horse", "unknown"},
		{"a picture", "😀", "correct-horse", "unknown"},
	})
}

func leastRights(t *testing.T, server *mariadbtest.Server) {
	server.Execute(t, "", "CREATE USER 'reader'@'127.0.0.1' IDENTIFIED BY 'r3ader-secret';\n"+
		"GRANT SELECT ON ossn.ossn_users TO 'reader'@'127.0.0.1';\nGRANT SELECT ON ossn.ossn_entities TO 'reader'@'127.0.0.1';\n"+
		"GRANT SELECT ON ossn.ossn_entities_metadata TO 'reader'@'127.0.0.1';\n")
	u := open(t, preset(t, "ossn", server.DSNOf("reader", "r3ader-secret", "ossn")))
	try(t, u, []attempt{{"it is enough", "alice", "correct-horse", "2"}})
	refused := open(t, preset(t, "ossn", server.DSNOf("reader", "another-secret", "ossn")))
	_, err := refused.Verify(t.Context(), login("alice", "correct-horse"))
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "our own password there says nothing of anybody else's")
	require.NotContains(t, err.Error(), "another-secret")
}

func slowQuery(t *testing.T, server *mariadbtest.Server) {
	server.Execute(t, "", "CREATE DATABASE slow;\nCREATE TABLE slow.people (id int, name varchar(50), pw varchar(100));\n"+
		"INSERT INTO slow.people VALUES (1, 'zoe', '2eb62d171ba8491db496081a8b24738a');\n")
	u := open(t, database.Options{
		DSN:     strings.Replace(server.DSN("slow"), "mysql://", "mariadb://", 1),
		Query:   "SELECT id AS subject, pw AS hash, 'md5' AS scheme FROM people WHERE name = :login AND (SELECT count(*) FROM seq_1_to_9000000000 WHERE seq % 7 = 3) >= 0",
		Timeout: 300 * time.Millisecond,
	})
	begin := time.Now()
	_, err := u.Verify(t.Context(), login("zoe", "correct-horse"))
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
	require.Less(t, time.Since(begin), 5*time.Second)
	running := open(t, database.Options{
		DSN:         server.DSN("slow"),
		Query:       "SELECT count(*) AS subject, '' AS hash FROM information_schema.processlist WHERE info LIKE '%seq_1_to_9%' AND info NOT LIKE '%processlist%' AND :login <> ''",
		FollowQuery: "SELECT count(*) AS subject FROM information_schema.processlist WHERE info LIKE '%seq_1_to_9%' AND info NOT LIKE '%processlist%' AND :id <> ''",
	})
	require.Eventually(t, func() bool {
		_, err := running.Follow(t.Context(), &upstream.Known{Issuer: issuer, Subject: "0"})
		return err == nil
	}, 5*time.Second, 100*time.Millisecond, "nothing goes on there for nobody")
}

func overTLS(t *testing.T, server *mariadbtest.Server) {
	server.Execute(t, "", "CREATE USER 'tls'@'127.0.0.1' IDENTIFIED BY 'tls-secret' REQUIRE SSL;\nGRANT SELECT ON ossn.* TO 'tls'@'127.0.0.1';\n")
	dsn := server.DSNOf("tls", "tls-secret", "ossn")
	for sslmode, want := range map[string]string{
		"sslmode=verify-full&sslrootcert=" + server.Certificate(): "2",
		"sslmode=require":     "2", // nobody vouches for it
		"sslmode=verify-full": "unavailable",
		"sslmode=disable":     "unavailable",
		"":                    "unavailable", // on loopback it is not asked for
	} {
		try(t, open(t, preset(t, "ossn", dsn+"?"+sslmode)), []attempt{{sslmode, "alice", "correct-horse", want}})
	}
	elsewhere := strings.Replace(dsn, "127.0.0.1", "localhost", 1) + "?sslmode=verify-full&sslrootcert=" + server.Certificate()
	_, err := open(t, preset(t, "ossn", elsewhere)).Verify(t.Context(), login("alice", "correct-horse"))
	require.ErrorContains(t, err, "certificate", "it is another name's")
}

func serverAway(t *testing.T, server *mariadbtest.Server) {
	o := preset(t, "ossn", server.DSN("ossn"))
	o.Timeout = 2 * time.Second
	u := open(t, o)
	try(t, u, []attempt{{"before", "alice", "correct-horse", "2"}})
	server.Stop()
	try(t, u, []attempt{
		{"away", "alice", "correct-horse", "unavailable"},
		{"away, for nobody", "nobody", "correct-horse", "unavailable"},
	})
	server.Resume(t)
	try(t, u, []attempt{{"back at once", "alice", "correct-horse", "2"}})
}

// What a legacy login costs here beside the hash: see also the processor's time.
func BenchmarkVerify(b *testing.B) {
	server := mariadbtest.Start(b)
	server.OSSN(b)
	h, err := identity.NewHasher(identity.HasherOptions{Workers: 64})
	require.NoError(b, err)
	f, err := identity.NewForeign(h, time.Now)
	require.NoError(b, err)
	o := preset(b, "ossn", server.DSN("ossn"))
	o.Issuer, o.Hashes = issuer, f
	u, err := database.New(o)
	require.NoError(b, err)
	defer u.Close() //nolint:errcheck // at the end
	begin := processorTime(b)
	for b.Loop() {
		if _, err := u.Verify(b.Context(), login("alice", "correct-horse")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(processorTime(b)-begin)/float64(b.N), "cpu-ns/op")
}
