package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// SQLite returns the path of an SQLite file that is not there yet and goes with
// the test.
func SQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "keyway.db")
}

// shared is the server of this test process. It is the one thing here that
// outlives a test, because starting a server takes a second.
var shared struct {
	sync.Mutex
	server  *Server
	err     error
	created int
	free    []string // databases that were emptied
}

// Postgres returns the DSN of an empty database in a temporary PostgreSQL server that
// all tests of this process share and that ends with it. Without PostgreSQL's
// programs the test is skipped, or fails where CI=true.
func Postgres(t testing.TB) string {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.server == nil && shared.err == nil {
		shared.server, shared.err = newServer()
	}
	if shared.err != nil {
		giveUp(t, shared.err)
	}
	server := shared.server
	var name string
	if last := len(shared.free) - 1; last >= 0 {
		name, shared.free = shared.free[last], shared.free[:last]
	} else {
		shared.created++
		name = fmt.Sprintf("keyway_%d", shared.created)
		if err := server.execute("postgres", `CREATE DATABASE `+name); err != nil {
			t.Fatalf("create a database: %v", err)
		}
	}
	t.Cleanup(func() { recycle(t, server, name) })
	return server.DSN(name)
}

// recycle empties a database for the next test. Dropping it would make the
// server write everything out to the disk.
func recycle(t testing.TB, server *Server, name string) {
	t.Helper()
	if err := server.execute(name, `DROP SCHEMA public CASCADE; CREATE SCHEMA public`); err != nil {
		t.Errorf("empty the database: %v", err)
		return
	}
	shared.Lock()
	defer shared.Unlock()
	shared.free = append(shared.free, name)
}

// Main runs the tests and then stops the server that [Postgres] started, for use as
//
//	func TestMain(m *testing.M) { storetest.Main(m) }
//
// Without it the server still ends with the process, only a moment later.
func Main(m *testing.M) {
	code := m.Run()
	shared.Lock()
	if shared.server != nil {
		shared.server.close()
	}
	shared.Unlock()
	os.Exit(code)
}

func giveUp(t testing.TB, err error) {
	t.Helper()
	if err == errNoPrograms && os.Getenv("CI") != "true" { //nolint:errorlint // it is returned bare
		t.Skip(err)
	}
	t.Fatal(err)
}

func (s *Server) execute(database, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN(database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	_ = conn.Close(ctx)
	return err
}

// DSN returns the URL of a database of the server.
func (s *Server) DSN(database string) string {
	return strings.Join([]string{"postgres://keyway:", s.password, "@127.0.0.1:", s.port, "/", database, "?sslmode=disable"}, "")
}
