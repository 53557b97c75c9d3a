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
	return &postgres{db: db, timeout: o.Timeout}, nil
}

func (p *postgres) write(ctx context.Context, fn writeFunc) error {
	for i := 1; ; i++ {
		err := p.transaction(ctx, fn)
		if !repeatable(err) || i == repeats {
			return err
		}
	}
}

func (p *postgres) transaction(ctx context.Context, fn writeFunc) error {
	conn, err := p.connect(ctx)
	if err != nil {
		return classify(err)
	}
	defer func() { _ = conn.Close() }() // gives it back
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	tx, err := conn.BeginTx(detached, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return classify(err)
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if err := fn(detached, &session{run: tx}); err != nil {
		return err
	}
	return classify(tx.Commit())
}

// connect waits for a connection no longer than the caller does.
func (p *postgres) connect(ctx context.Context) (*sql.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	return p.db.Conn(ctx)
}

func (p *postgres) read(ctx context.Context) (context.Context, context.CancelFunc, runner) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	return ctx, cancel, p.db
}

func (p *postgres) close() error { return p.db.Close() }
