package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql
var migrations embed.FS

// newest is the version of the last file in migrations.
const newest = 14

// migrate brings the tables to the newest version. On a database that is there
// already it costs one query.
func migrate(ctx context.Context, db *sql.DB, log *slog.Logger) error {
	_, isPostgres := db.Driver().(*stdlib.Driver)
	var err error
	// Two processes may make the tables of an SQLite file at once, and goose has no
	// lock for it; the loser finds them made when it looks again.
	for range 5 {
		version := currentVersion(ctx, db)
		if version == newest {
			return nil
		}
		if version > newest {
			return fmt.Errorf("database: its tables have version %d and this program knows %d: "+
				"it was upgraded by a newer keyway", version, newest)
		}
		if err = upgrade(ctx, db, isPostgres, log); err == nil {
			return nil
		}
		if isPostgres || ctx.Err() != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return classify(err)
}

// currentVersion returns 0 when the tables are not there, and when it cannot
// tell; in that case upgrade finds out why.
func currentVersion(ctx context.Context, db *sql.DB) int64 {
	var version sql.NullInt64
	row := db.QueryRowContext(ctx, `SELECT max(version_id) FROM goose_db_version WHERE is_applied`)
	if row.Scan(&version) != nil {
		return 0
	}
	return version.Int64
}

func upgrade(ctx context.Context, db *sql.DB, isPostgres bool, log *slog.Logger) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	dialect, opts := goose.DialectSQLite3, []goose.ProviderOption{
		goose.WithSlog(log), goose.WithDisableGlobalRegistry(true),
	}
	if isPostgres {
		locker, err := lock.NewPostgresSessionLocker(lock.WithLockTimeout(1, 60))
		if err != nil {
			return err
		}
		dialect, opts = goose.DialectPostgres, append(opts, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, db, files, opts...)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	return nil
}
