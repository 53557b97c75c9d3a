package mariadbtest

import (
	"bytes"
	"context"
	"crypto/rand"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

// patience is how long a server may take to start or stop.
const patience = 60 * time.Second

// keep runs the server on the directory ($1) until its standard input ends, because
// it is told to stop or because the test process has ended, of whatever cause.
const keep = `dir=$1; shift
"$@" >>"$dir/log" 2>&1 &
pid=$!
read -r word
if [ "$word" = stop ]; then kill -TERM $pid; wait $pid; exit; fi
kill -KILL $pid
wait $pid
rm -rf "$dir"`

//go:embed ossn.sql
var ossn string

//go:embed faveo.sql
var faveo string

// Server is a temporary MariaDB server on loopback.
type Server struct {
	program  string
	dir      string
	port     string
	password string
	keeper   *exec.Cmd
	hold     io.WriteCloser // the keeper's standard input
}

// Start starts a server that ends with the test. Without MariaDB's programs the
// test is skipped, or fails where CI=true.
func Start(t testing.TB) *Server {
	t.Helper()
	program, err := find("mariadbd", "/usr/sbin/mariadbd", "/usr/libexec/mariadbd")
	if err != nil {
		if os.Getenv("CI") != "true" {
			t.Skip(err)
		}
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "keyway-mariadb-")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{program: program, dir: dir, password: rand.Text()}
	t.Cleanup(s.close)
	if err := errors.Join(s.certify(), s.prepare(), s.choosePort()); err != nil {
		t.Fatal(err)
	}
	s.Resume(t)
	return s
}

func find(name string, elsewhere ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for _, path := range elsewhere {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("MariaDB's server program (mariadbd) is not installed; " +
		"`make test` installs it where it may, otherwise install the package mariadb-server-core")
}

func (s *Server) arguments(more ...string) []string {
	all := append([]string{
		"--no-defaults", "--datadir=" + filepath.Join(s.dir, "data"), "--innodb-log-file-size=8M", "--innodb-buffer-pool-size=16M",
		"--innodb-flush-log-at-trx-commit=0", "--skip-log-bin",
	}, more...)
	if os.Geteuid() == 0 {
		all = append(all, "--user=root")
	}
	return all
}

// prepare makes the system tables as mariadb-install-db does, which needs more
// programs than the server.
func (s *Server) prepare() error {
	if err := os.Mkdir(filepath.Join(s.dir, "data"), 0o700); err != nil {
		return err
	}
	script := bytes.NewBufferString("CREATE DATABASE mysql;\nUSE mysql;\n")
	for _, file := range []string{"mysql_system_tables.sql", "mysql_system_tables_data.sql"} {
		text, err := os.ReadFile(filepath.Join("/usr/share/mysql", file)) //nolint:gosec // a file of the package
		if err != nil {
			return err
		}
		script.Write(text)
	}
	_, _ = fmt.Fprintf(script, "FLUSH PRIVILEGES;\nCREATE USER 'keyway'@'127.0.0.1' IDENTIFIED BY '%s';\n", s.password)
	script.WriteString("GRANT ALL ON *.* TO 'keyway'@'127.0.0.1' WITH GRANT OPTION;\n")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	bootstrap := exec.CommandContext(ctx, s.program, s.arguments("--bootstrap")...) //nolint:gosec // found above
	bootstrap.Stdin = script
	if out, err := bootstrap.CombinedOutput(); err != nil {
		return fmt.Errorf("mariadbd --bootstrap: %w\n%s", err, out)
	}
	return nil
}

func (s *Server) choosePort() error {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_, s.port, err = net.SplitHostPort(l.Addr().String())
	return errors.Join(err, l.Close())
}

// Resume starts the server, on the port and with the databases it had before.
func (s *Server) Resume(t testing.TB) {
	t.Helper()
	args := append([]string{"-c", keep, "keep", s.dir, s.program}, s.arguments(
		"--bind-address=127.0.0.1", "--port="+s.port, "--socket="+filepath.Join(s.dir, "socket"), "--pid-file="+filepath.Join(s.dir, "pid"),
		"--ssl-cert="+s.Certificate(), "--ssl-key="+s.keyFile())...)
	s.keeper = exec.CommandContext(context.Background(), "/bin/sh", args...) //nolint:gosec // our own script
	own(s.keeper)
	in, err := s.keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.keeper.Start(); err != nil {
		t.Fatal(err)
	}
	s.hold = in
	for range int(patience / (50 * time.Millisecond)) {
		if err = s.execute("", "SELECT 1"); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	t.Fatalf("mariadbd does not start: %v\n%s", err, log)
}

// Stop ends the server and waits until it has ended. Its databases stay.
func (s *Server) Stop() { s.end("stop\n") }

func (s *Server) close() {
	s.end("")
	_ = os.RemoveAll(s.dir)
}

func (s *Server) end(word string) {
	if s.keeper == nil {
		return
	}
	_, _ = io.WriteString(s.hold, word)
	_ = s.hold.Close()
	_ = s.keeper.Wait() // its status is the server's, and of no interest
	s.keeper = nil
}

// DSN is the URL of a database, for somebody who may do everything.
func (s *Server) DSN(database string) string { return s.DSNOf("keyway", s.password, database) }

// DSNOf is the URL of a database for a user of the server.
func (s *Server) DSNOf(user, password, database string) string {
	return "mysql://" + user + ":" + password + "@127.0.0.1:" + s.port + "/" + database
}

// Execute runs statements, which ; and a line's end part, in a database; "" for none.
func (s *Server) Execute(t testing.TB, database, statements string) {
	t.Helper()
	for one := range strings.SplitSeq(statements, ";\n") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		if err := s.execute(database, one); err != nil {
			t.Fatalf("%v in %s", err, one)
		}
	}
}

func (s *Server) execute(database, statement string) error {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.Passwd, c.DBName, c.Logger = "tcp", "127.0.0.1:"+s.port, "keyway", s.password, database, &mysql.NopLogger{}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return err
	}
	db := sql.OpenDB(connector)
	defer db.Close() //nolint:errcheck // one connection for one statement
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err = db.ExecContext(ctx, statement)
	return err
}

// OSSN makes the database ossn, with the tables of Open Source Social Network and
// the people of ossn.sql.
func (s *Server) OSSN(t testing.TB) { s.Execute(t, "", ossn) }

// Faveo makes the database faveo, with the table of Faveo Helpdesk and the people
// of faveo.sql.
func (s *Server) Faveo(t testing.TB) { s.Execute(t, "", faveo) }
