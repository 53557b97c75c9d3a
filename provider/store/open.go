package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
)

// Open opens the database, and makes or upgrades its tables. Several replicas may
// start at once.
func Open(ctx context.Context, o Options) (*Store, error) {
	if o.Now == nil {
		return nil, errors.New("store: Options.Now is missing")
	}
	seal, err := newSealer(o.SealKey)
	if err != nil {
		return nil, err
	}
	o = o.withDefaults()
	s := &Store{
		seal: seal, now: o.Now, log: o.Log, holder: rand.Text(), keys: make(chan struct{}, 1),
		keep: retention{expired: o.KeepExpired, attempts: o.KeepAttempts, events: o.KeepEvents},
	}
	scheme, _, isURL := strings.Cut(o.DSN, "://")
	switch {
	case !isURL:
		s.backend, err = backendOrNil(openSQLite(ctx, o.DSN, o))
	case scheme == "postgres" || scheme == "postgresql":
		s.backend, err = backendOrNil(openPostgres(ctx, o.DSN, o))
	default:
		err = fmt.Errorf("database: %s:// is not supported; give a postgres:// URL or the path of an SQLite file", scheme)
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// backendOrNil keeps a nil pointer from becoming a non-nil interface.
func backendOrNil[B backend](b B, err error) (backend, error) {
	if err != nil {
		return nil, err
	}
	return b, nil
}

func (o Options) withDefaults() Options {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.MaxConns <= 0 {
		o.MaxConns = 16
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.KeepExpired <= 0 {
		o.KeepExpired = time.Hour
	}
	if o.KeepAttempts <= 0 {
		o.KeepAttempts = 24 * time.Hour
	}
	return o
}
