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
	shared.created++
	name := fmt.Sprintf("keyway_%d", shared.created)
	server := shared.server
	if err := server.execute(`CREATE DATABASE ` + name); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := server.execute(`DROP DATABASE ` + name + ` WITH (FORCE)`); err != nil {
			t.Errorf("drop the database: %v", err)
		}
	})
	return server.DSN(name)
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

// execute runs one statement outside a transaction.
func (s *Server) execute(statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN("postgres"))
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
