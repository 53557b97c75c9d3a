package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// lite is an SQLite file: one writer, several readers.
type lite struct {
	writer  *writer
	writes  *sql.DB
	reads   *sql.DB
	readers *statements
}

var _ backend = (*lite)(nil)

func openSQLite(ctx context.Context, path string, o Options) (*lite, error) {
	path = strings.TrimPrefix(path, "file:")
	if err := makeFile(path); err != nil {
		return nil, err
	}
	writes, err := sql.Open("sqlite", liteDSN(path, o.Timeout, false))
	if err != nil {
		return nil, err
	}
	if err := migrate(ctx, writes, o.Log); err != nil {
		return nil, errors.Join(err, writes.Close())
	}
	writes.SetMaxOpenConns(1)
	reads, err := sql.Open("sqlite", liteDSN(path, o.Timeout, true))
	if err != nil {
		return nil, errors.Join(err, writes.Close())
	}
	n := max(4, runtime.GOMAXPROCS(0))
	reads.SetMaxOpenConns(n)
	reads.SetMaxIdleConns(n)
	return &lite{writer: startWriter(writes), writes: writes, reads: reads, readers: &statements{db: reads}}, nil //nolint:contextcheck // the writer outlives ctx
}

// makeFile makes the file, for its owner's eyes only: it holds password
// hashes.
func makeFile(path string) error {
	if path == "" {
		return errors.New("no database: the DSN is empty")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600) //nolint:gosec // the operator's own path
	if err != nil {
		return err
	}
	return f.Close()
}

func liteDSN(path string, wait time.Duration, readOnly bool) string {
	q := url.Values{
		"_busy_timeout": {strconv.FormatInt(wait.Milliseconds(), 10)},
		"_foreign_keys": {"1"},
		"_synchronous":  {"FULL"},
		"_pragma":       {"journal_size_limit(67108864)"},
	}
	if readOnly {
		q.Set("_query_only", "1")
	} else {
		q.Add("_pragma", "cache_size(-8192)") // imports touch many pages
		q.Set("_journal_mode", "WAL")
		q.Set("_txlock", "immediate")
	}
	return "file:" + (&url.URL{Path: filepath.ToSlash(path)}).EscapedPath() + "?" + q.Encode()
}

func (l *lite) write(ctx context.Context, fn writeFunc) error { return l.writer.write(ctx, fn) }

// read detaches the context: a read takes microseconds, and watching a context
// costs as much.
func (l *lite) read(ctx context.Context) (context.Context, context.CancelFunc, runner) {
	return context.WithoutCancel(ctx), func() {}, l.readers
}

func (l *lite) close() error {
	l.writer.close()
	l.readers.close()
	if err := errors.Join(l.reads.Close(), l.writes.Close()); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}
