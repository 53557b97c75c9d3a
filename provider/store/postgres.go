package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// repeats bounds how often a transaction that PostgreSQL rolled back because of a
// deadlock is run again.
const repeats = 5

// postgres is a PostgreSQL database. pgx keeps every statement prepared on its
// connection.
type postgres struct {
	db      *sql.DB
	timeout time.Duration
	idle    int // connections that are kept
}

var _ backend = (*postgres)(nil)

func openPostgres(ctx context.Context, dsn string, o Options) (*postgres, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, fmt.Errorf("database: %w", err) // pgx leaves the password out
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = o.Timeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "keyway"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(o.MaxConns)
	db.SetMaxIdleConns(o.MaxConns)
	db.SetConnMaxIdleTime(5 * time.Minute)
	if err := migrate(ctx, db, o.Log); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &postgres{db: db, timeout: o.Timeout, idle: o.MaxConns}, nil
}

func (p *postgres) write(ctx context.Context, fn writeFunc) error {
	again := true // after a broken connection
	for i := 1; ; i++ {
		committing, err := p.transaction(ctx, fn)
		switch {
		case repeatable(err) && i < repeats:
		case again && !committing && broken(err):
			again = false
			p.refresh()
		default:
			return err
		}
	}
}

// transaction runs fn. After committing has begun nobody knows what became of it when
// the connection breaks.
func (p *postgres) transaction(ctx context.Context, fn writeFunc) (committing bool, err error) {
	conn, err := p.connect(ctx)
	if err != nil {
		return false, classify(err)
	}
	defer func() { _ = conn.Close() }() // gives it back
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	tx, err := conn.BeginTx(detached, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return false, classify(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if err := fn(detached, &session{run: tx, share: " FOR SHARE"}); err != nil {
		return false, err
	}
	return true, classify(tx.Commit())
}

// refresh closes the connections that wait in the pool. When one broke because the
// server was restarted, so have the others, and each would fail one caller.
func (p *postgres) refresh() {
	p.db.SetMaxIdleConns(-1)
	p.db.SetMaxIdleConns(p.idle)
}

// patient is the pool for reading: a query that finds its connection broken is
// asked once more, on a fresh one.
type patient struct{ *postgres }

var _ runner = patient{}

// ExecContext implements [runner]; it does not repeat.
func (p patient) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	return p.db.ExecContext(ctx, query, args...)
}

// QueryContext implements [runner]. The driver reads the first row before it
// returns, so a broken connection shows here and no row is read twice.
func (p patient) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	rows, err := p.db.QueryContext(ctx, query, args...)
	if !broken(err) {
		return rows, err
	}
	p.refresh()
	return p.db.QueryContext(ctx, query, args...)
}

// connect waits for a connection no longer than the caller does.
func (p *postgres) connect(ctx context.Context) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	return p.db.Conn(ctx)
}

func (p *postgres) read(ctx context.Context) (context.Context, context.CancelFunc, runner) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	return ctx, cancel, patient{p}
}

func (p *postgres) close() error { return p.db.Close() }
