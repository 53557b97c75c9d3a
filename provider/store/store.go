package store

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"keyway/provider"
	"keyway/provider/identity"
)

// Options say which database a [Store] opens, and how.
type Options struct {
	// DSN is a postgres:// or postgresql:// URL, or else the path of an SQLite
	// file, which is made if it is not there.
	DSN string
	// SealKey is the 32-byte AES-256 key that private keys are sealed with. It
	// may be nil as long as no signing key is stored.
	SealKey []byte
	Now     func() time.Time
	Log     *slog.Logger // nil: nothing is logged

	// MaxConns bounds the connections to PostgreSQL; 0 means 16.
	MaxConns int
	// Timeout ends a statement or a write transaction on PostgreSQL, and the wait for
	// another process that writes to the SQLite file; 0 means 10 seconds.
	Timeout time.Duration
	// KeepExpired is how long [Store.Sweep] leaves expired tokens, so that they are still
	// told from unknown ones; 0 means one hour.
	KeepExpired time.Duration
	// KeepAttempts is how long failed sign-ins are kept; it must not be shorter
	// than the lockout window. 0 means 24 hours.
	KeepAttempts time.Duration
	// KeepEvents is how long audit events are kept; 0 means for ever.
	KeepEvents time.Duration
}

// Store is the database of Keyway. Its methods may be called concurrently.
type Store struct {
	backend backend
	seal    *sealer
	now     func() time.Time
	log     *slog.Logger
	keep    retention
	holder  string // names this Store in leases
	serial  atomic.Uint32
	keys    chan struct{} // held while UpdateKeys runs in this process
}

type retention struct {
	expired, attempts, events time.Duration
}

// backend is what differs between the two databases.
type backend interface {
	// write runs fn in a transaction. fn may run several times.
	write(ctx context.Context, fn writeFunc) error
	// read returns where to read, and a context for it.
	read(ctx context.Context) (context.Context, context.CancelFunc, runner)
	close() error
}

// writeFunc is the body of a write transaction. Its context does not end with the
// caller's.
type writeFunc func(ctx context.Context, tx *session) error

var (
	_ provider.Storage   = (*Store)(nil)
	_ identity.Users     = (*Store)(nil)
	_ identity.Attempts  = (*Store)(nil)
	_ identity.Directory = (*Store)(nil)
)

// Close waits for the writes that have begun and closes the database.
func (s *Store) Close() error { return s.backend.close() }

// Ping reports whether the database answers; if not, the error is an
// [identity.ReasonUnavailable].
func (s *Store) Ping(ctx context.Context) error {
	var one int
	return s.readRow(ctx, `SELECT 1`, nil, &one)
}

func (s *Store) write(ctx context.Context, fn writeFunc) error { return s.backend.write(ctx, fn) }

// readRow scans the first row that query returns, or returns
// [identity.ErrNotFound].
func (s *Store) readRow(ctx context.Context, query string, args []any, dest ...any) error {
	rctx, cancel, run := s.backend.read(ctx)
	defer cancel()
	return (&session{run: run}).row(rctx, query, args, dest...)
}

// readRows calls each once for every row that query returns.
func (s *Store) readRows(ctx context.Context, query string, args []any, each func(scanFunc) error) error {
	rctx, cancel, run := s.backend.read(ctx)
	defer cancel()
	return (&session{run: run}).rows(rctx, query, args, each)
}
