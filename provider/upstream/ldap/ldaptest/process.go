package ldaptest

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// patience is how long a server may take to start.
const patience = 60 * time.Second

// keep runs a server ($2 and on) until its standard input ends, which it does with
// the test process, of whatever cause.
const keep = `log=$1; shift
"$@" >>"$log" 2>&1 &
pid=$!
read -r word
kill -TERM $pid
wait $pid`

// process is a server that runs.
type process struct {
	keeper *exec.Cmd
	hold   io.Closer
}

func start(log string, command ...string) (*process, error) {
	p := &process{keeper: exec.CommandContext(context.Background(), "/bin/sh", append([]string{"-c", keep, "keep", log}, command...)...)} //nolint:gosec // our own script
	in, err := p.keeper.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.hold = in
	return p, p.keeper.Start()
}

func (p *process) stop() {
	if p == nil {
		return
	}
	_ = p.hold.Close()
	_ = p.keeper.Wait() // its status is the server's
}

// await returns when a server answers, and fails the test with its log where it does
// not.
func await(t testing.TB, log string, answers func() error) {
	t.Helper()
	var err error
	for range int(patience / (50 * time.Millisecond)) {
		if err = answers(); err == nil {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	said, _ := os.ReadFile(log) //nolint:gosec // of a folder of ours
	t.Fatalf("the server does not start: %v\n%s", err, said)
}

// giveUp skips the test, and fails it where nothing may be skipped.
func giveUp(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close() //nolint:errcheck // it is to be free
	return l.Addr().String()
}
