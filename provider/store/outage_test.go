package store_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

func TestOutages(t *testing.T) {
	t.Run("a PostgreSQL that stops is unavailable, and used again when it is back", func(t *testing.T) {
		t.Parallel()
		server := storetest.StartServer(t)
		s := storetest.Open(t, store.Options{DSN: server.DSN("postgres")})
		require.NoError(t, s.Ping(t.Context()))
		require.NoError(t, s.RecordEvent(t.Context(), identity.Event{Kind: "before"}))
		server.Stop()
		for range 3 {
			storetest.RequireUnavailable(t, s)
		}
		require.NoError(t, server.Start())
		// A connection that broke within the last second may be tried once more.
		require.Eventually(t, func() bool { return s.Ping(t.Context()) == nil }, 30*time.Second, 10*time.Millisecond)
		require.Eventually(t, func() bool {
			return s.RecordEvent(t.Context(), identity.Event{Kind: "after"}) == nil
		}, 30*time.Second, 10*time.Millisecond)
		events, err := s.ListEvents(t.Context(), store.EventQuery{})
		require.NoError(t, err)
		require.Len(t, events, 2)
	})
	t.Run("once a restarted PostgreSQL answers again no call fails on a connection of before", func(t *testing.T) {
		t.Parallel()
		server := storetest.StartServer(t)
		s := storetest.Open(t, store.Options{DSN: server.DSN("postgres")})
		crowd := func() { // leaves many connections in the pool
			var all sync.WaitGroup
			for range 40 {
				all.Go(func() { _ = s.RecordEvent(t.Context(), identity.Event{Kind: "crowd"}) })
			}
			all.Wait()
		}
		calls := func() {
			for i := range 25 {
				require.NoError(t, s.RecordEvent(t.Context(), identity.Event{Kind: "after"}), i)
				_, err := s.ListKeys(t.Context())
				require.NoError(t, err, i)
			}
		}
		crowd()
		server.Stop()
		require.NoError(t, server.Start())
		require.NoError(t, s.Ping(t.Context()))
		calls()

		crowd()
		db, err := sql.Open("pgx", server.DSN("postgres"))
		require.NoError(t, err)
		defer func() { require.NoError(t, db.Close()) }()
		for _, first := range []func() error{
			func() error { return s.Ping(t.Context()) },
			func() error { return s.RecordEvent(t.Context(), identity.Event{Kind: "first"}) },
		} {
			crowd()
			_, err = db.Exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'keyway'`)
			require.NoError(t, err)
			require.NoError(t, first())
			calls()
		}
		events, err := s.ListEvents(t.Context(), store.EventQuery{Kind: "after", Limit: 1000})
		require.NoError(t, err)
		require.Len(t, events, 75, "none was written twice")
	})
	t.Run("a file that another process locks is unavailable, and written again afterwards", func(t *testing.T) {
		t.Parallel()
		path := storetest.SQLite(t)
		s := storetest.Open(t, store.Options{DSN: path, Timeout: 20 * time.Millisecond})
		other, err := sql.Open("sqlite", path)
		require.NoError(t, err)
		defer func() { require.NoError(t, other.Close()) }()
		tx, err := other.Begin()
		require.NoError(t, err)
		_, err = tx.Exec(`DELETE FROM event`)
		require.NoError(t, err)

		err = s.RecordEvent(t.Context(), identity.Event{Kind: "x"})
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err), err)
		require.NoError(t, s.Ping(t.Context()), "reading goes on")
		require.NoError(t, tx.Rollback())
		require.NoError(t, s.RecordEvent(t.Context(), identity.Event{Kind: "x"}))
	})
	t.Run("a PostgreSQL that is not there fails the start", func(t *testing.T) {
		_, err := store.Open(t.Context(), store.Options{DSN: "postgres://u:secret@127.0.0.1:1/none", Now: noon})
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
		require.NotContains(t, err.Error(), "secret")
	})
}

func TestOpen(t *testing.T) {
	for _, c := range []struct{ name, dsn, want string }{
		{"no DSN", "", "the DSN is empty"},
		{"another database", "mysql://localhost/x", "mysql:// is not supported"},
		{"a malformed URL", "postgres://u:secret@[::1/x", "cannot parse"},
		{"a path that is a folder", t.TempDir(), "is a directory"},
	} {
		t.Run(c.name+" is refused", func(t *testing.T) {
			_, err := store.Open(context.Background(), store.Options{DSN: c.dsn, Now: noon})
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "secret")
		})
	}
	t.Run("a file that is no database is refused", func(t *testing.T) {
		path := storetest.SQLite(t)
		require.NoError(t, os.WriteFile(path, []byte("this is a text, and rather a long one at that, of more than a hundred bytes: .........................."), 0o600))
		_, err := store.Open(context.Background(), store.Options{DSN: path, Now: noon})
		require.ErrorContains(t, err, "not a database")
	})
	t.Run("a path with odd characters works, and only the owner may read the file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "new", "a b%20?#&é.db")
		s := storetest.Open(t, store.Options{DSN: path})
		require.NoError(t, s.RecordEvent(t.Context(), identity.Event{Kind: "x"}))
		at, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), at.Mode().Perm())
	})
	t.Run("tables of a newer version are refused", func(t *testing.T) {
		for name, dsn := range map[string]string{"sqlite": storetest.SQLite(t), "pgx": storetest.Postgres(t)} {
			require.NoError(t, storetest.Open(t, store.Options{DSN: dsn}).Ping(t.Context()))
			db, err := sql.Open(name, dsn)
			require.NoError(t, err)
			_, err = db.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)`)
			require.NoError(t, err)
			require.NoError(t, db.Close())
			_, err = store.Open(context.Background(), store.Options{DSN: dsn, Now: noon})
			require.ErrorContains(t, err, "upgraded by a newer keyway")
		}
	})
	t.Run("what was stored is there after opening again", func(t *testing.T) {
		for _, dsn := range []string{storetest.SQLite(t), storetest.Postgres(t)} {
			s, err := store.Open(t.Context(), store.Options{DSN: dsn, Now: noon})
			require.NoError(t, err)
			require.NoError(t, s.RecordEvent(t.Context(), identity.Event{Kind: "kept"}))
			require.NoError(t, s.Close())
			events, err := storetest.Open(t, store.Options{DSN: dsn}).ListEvents(t.Context(), store.EventQuery{})
			require.NoError(t, err)
			require.Len(t, events, 1)
		}
	})
}
