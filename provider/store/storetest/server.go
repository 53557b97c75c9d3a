package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// patience is how long a server may take to start or stop.
const patience = 60 * time.Second

var errNoPrograms = errors.New("PostgreSQL's server programs (initdb, postgres) are not installed; " +
	"`make test` installs them where it may, otherwise install the package postgresql")

// keep runs the server ($1) on the directory ($2) until it is told to stop, or until its
// standard input ends because the test process has ended, of whatever cause; then
// nobody wants the databases any more, and it removes the directory as well.
const keep = `server=$1 dir=$2; shift 2
"$server" -D "$dir/data" "$@" >>"$dir/log" 2>&1 &
pid=$!
read -r word
if [ "$word" = stop ]; then kill -INT $pid; wait $pid; exit; fi
kill -QUIT $pid
wait $pid
rm -rf "$dir"`

// Server is a temporary PostgreSQL server on loopback.
type Server struct {
	programs string // folder of initdb and postgres
	dir      string
	port     string
	password string
	keeper   *exec.Cmd
	hold     io.WriteCloser // the keeper's standard input
}

// StartServer starts a server of the test's own, which may stop and start it
// again. It ends with the test.
func StartServer(t testing.TB) *Server {
	t.Helper()
	s, err := newServer()
	if err != nil {
		giveUp(t, err)
	}
	t.Cleanup(s.close)
	return s
}

func newServer() (*Server, error) {
	programs, err := findPrograms()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "keyway-postgres-")
	if err != nil {
		return nil, err
	}
	s := &Server{programs: programs, dir: dir, password: rand.Text()}
	if err := s.prepare(); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	// Somebody else may take the free port first.
	for range 3 {
		if s.port, err = freePort(); err != nil {
			break
		}
		if err = s.Start(); err == nil {
			return s, nil
		}
	}
	return nil, errors.Join(err, os.RemoveAll(dir))
}

// findPrograms returns the folder of the newest server programs.
func findPrograms() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) == 0 {
		return "", errNoPrograms
	}
	slices.SortFunc(found, func(a, b string) int {
		if len(a) != len(b) {
			return len(a) - len(b) // 9 before 15
		}
		return strings.Compare(a, b)
	})
	return filepath.Dir(found[len(found)-1]), nil
}

func (s *Server) prepare() error {
	secret := filepath.Join(s.dir, "password")
	if err := os.WriteFile(secret, []byte(s.password), 0o600); err != nil {
		return err
	}
	if err := giveAway(s.dir, secret); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	initdb := exec.CommandContext(ctx, filepath.Join(s.programs, "initdb"), "-D", filepath.Join(s.dir, "data"), //nolint:gosec // found above
		"-U", "keyway", "-A", "scram-sha-256", "--pwfile", secret, "-E", "UTF8", "--no-locale", "--no-sync")
	if err := own(initdb); err != nil {
		return err
	}
	initdb.Dir = s.dir
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return nil
}

func freePort() (string, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

// Start starts the server, on the port and with the databases it had before, and
// returns when it answers.
func (s *Server) Start() error {
	s.keeper = exec.CommandContext(context.Background(), "/bin/sh", "-c", keep, "keep", filepath.Join(s.programs, "postgres"), s.dir, //nolint:gosec // our own script
		"-c", "listen_addresses=127.0.0.1", "-c", "port="+s.port, "-c", "unix_socket_directories=",
		"-c", "max_connections=300", "-c", "shared_buffers=32MB")
	if err := own(s.keeper); err != nil {
		return err
	}
	s.keeper.Dir = s.dir
	in, err := s.keeper.StdinPipe()
	if err != nil {
		return err
	}
	if err := s.keeper.Start(); err != nil {
		return err
	}
	s.hold = in
	for range int(patience / (50 * time.Millisecond)) {
		if err = s.execute("postgres", `SELECT 1`); err == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	s.Stop()
	log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
	return fmt.Errorf("postgres does not start: %w\n%s", err, log)
}

// Stop ends the server and waits until it has ended. Its databases stay.
func (s *Server) Stop() {
	if s.keeper == nil {
		return
	}
	_, _ = io.WriteString(s.hold, "stop\n")
	s.wait()
}

func (s *Server) wait() {
	_ = s.hold.Close()
	_ = s.keeper.Wait() // its status is the server's, and of no interest
	s.keeper = nil
}

func (s *Server) close() {
	if s.keeper != nil {
		s.wait()
	}
	_ = os.RemoveAll(s.dir)
}
