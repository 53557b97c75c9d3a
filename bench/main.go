package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"keyway/provider/store/storetest"
)

// settings are the flags.
type settings struct {
	program string
	out     string
	load    load
	only    string // "sqlite", "postgres" or "" for both
	rows    string // part of a row's name, or "" for all
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1) //nolint:gocritic // the process ends anyway
	}
}

func run(ctx context.Context) error {
	var s settings
	floor := flag.String("floor", "", "answer the bare handlers at this address (used by the program itself)")
	flag.StringVar(&s.program, "program", "bin/keyway", "the program to measure")
	flag.StringVar(&s.out, "out", "bench/latest.md", "where the table goes")
	flag.StringVar(&s.only, "only", "", "measure only sqlite, or only postgres")
	flag.StringVar(&s.rows, "rows", "", "measure only rows whose name contains this")
	flag.IntVar(&s.load.Workers, "workers", 16, "concurrent callers")
	flag.DurationVar(&s.load.For, "for", 4*time.Second, "how long each row is driven")
	flag.DurationVar(&s.load.Warm, "warm", time.Second, "how long each row is driven before")
	flag.Parse()
	if *floor != "" {
		return serveFloor(*floor)
	}
	dir, err := os.MkdirTemp("", "keyway-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a temporary folder
	r := newReport(s)
	if err := measureFloor(ctx, s, r, dir); err != nil {
		return fmt.Errorf("floor: %w", err)
	}
	if s.only != "postgres" {
		if err := measureSQLite(ctx, s, r, dir); err != nil {
			return fmt.Errorf("SQLite: %w", err)
		}
	}
	if s.only != "sqlite" {
		if err := measurePostgres(ctx, s, r, dir); err != nil {
			return fmt.Errorf("PostgreSQL: %w", err)
		}
	}
	return r.write(s.out)
}

// measurement is one server under load.
type measurement struct {
	settings

	report *report
	column string // "floor", "sqlite" or "postgres"
	srv    *server
}

func measureFloor(ctx context.Context, s settings, r *report, dir string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	address, err := freeAddress()
	if err != nil {
		return err
	}
	srv, err := start(ctx, address, "/hello", filepath.Join(dir, "floor.log"), self, "-floor", address)
	if err != nil {
		return err
	}
	defer srv.stop()
	return measurement{s, r, "floor", srv}.driveAll(ctx, floorRows(srv.URL))
}

func (m measurement) driveAll(ctx context.Context, rows []row) error {
	for _, row := range rows {
		if !strings.Contains(row.Name, m.rows) {
			continue
		}
		got, err := drive(ctx, m.load, m.srv.PID, row.Call)
		if err != nil {
			return fmt.Errorf("%s: %w", row.Name, err)
		}
		if got.Ops == 0 {
			return fmt.Errorf("%s: not one call succeeded: %s", row.Name, got.First)
		}
		m.report.add(m.column, row, got)
	}
	return nil
}

func measureSQLite(ctx context.Context, s settings, r *report, dir string) error {
	return measureOn(ctx, s, r, "sqlite", func(name string) (string, string, error) {
		d := filepath.Join(dir, name)
		return d, filepath.Join(d, "keyway.db"), os.MkdirAll(d, 0o700)
	})
}

func measurePostgres(ctx context.Context, s settings, r *report, dir string) error {
	pg, err := storetest.OpenServer() //nolint:contextcheck // bounded by itself
	if err != nil {
		return err
	}
	defer pg.Close()
	return measureOn(ctx, s, r, "postgres", func(name string) (string, string, error) { //nolint:contextcheck // bounded by itself
		d := filepath.Join(dir, "pg-"+name)
		dsn, err := pg.NewDatabase()
		return d, dsn, errors.Join(err, os.MkdirAll(d, 0o700))
	})
}

// place makes a folder and an empty database for one server.
type place func(name string) (dir, dsn string, err error)

func measureOn(ctx context.Context, s settings, r *report, column string, fresh place) error {
	dir, dsn, err := fresh("plain")
	if err != nil {
		return err
	}
	in, err := configure(dir, dsn, "0s")
	if err != nil {
		return err
	}
	srv, err := startKeyway(ctx, s, in)
	if err != nil {
		return err
	}
	// Tokens are seeded while it runs, as another replica would make them; the second
	// start is the one on an existing database.
	tokens, err := seedRefresh(ctx, dsn, 4*s.load.Workers)
	srv.stop()
	if err != nil {
		return fmt.Errorf("seeding refresh tokens: %w", err)
	}
	if srv, err = startKeyway(ctx, s, in); err != nil {
		return err
	}
	defer srv.stop()
	r.fact(column, "cold start to ready, existing database", fmt.Sprintf("%d ms", srv.Ready.Milliseconds()))
	if err := r.memory(column, "memory idle", srv.PID); err != nil {
		return err
	}
	rows, err := keywayRows(ctx, srv.URL, tokens)
	if err != nil {
		return err
	}
	m := measurement{s, r, column, srv}
	if err := m.driveAll(ctx, rows); err != nil {
		return err
	}
	if err := r.memory(column, "memory with 16 logins hashing (right after)", srv.PID); err != nil {
		return err
	}
	if err := m.measureCrowded(ctx, rows); err != nil {
		return err
	}
	if err := measureCached(ctx, s, r, column, fresh); err != nil || column != "sqlite" || s.rows != "" {
		return err
	}
	return measureImport(ctx, s, r, column, fresh)
}

func startKeyway(ctx context.Context, s settings, in *instance) (*server, error) {
	return start(ctx, in.Address, "/readyz", in.Log, s.program, "serve", "--config", in.File)
}

// measureCrowded compares introspection's latency with an idle and with a saturated hash pool.
func (m measurement) measureCrowded(ctx context.Context, rows []row) error {
	var introspect call
	for _, row := range rows {
		if row.Name == "introspection, opaque" {
			introspect = row.Call
		}
	}
	few := load{Workers: 2, For: m.load.For, Warm: m.load.Warm}
	idle, err := drive(ctx, few, m.srv.PID, introspect)
	if err != nil {
		return err
	}
	crowd, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		_, err := drive(crowd, load{Workers: 16, For: m.load.For + 2*m.load.Warm}, m.srv.PID, loginCall(m.srv.URL, "full"))
		done <- err
	}()
	time.Sleep(m.load.Warm / 2)
	crowded, err := drive(ctx, few, m.srv.PID, introspect)
	if err != nil {
		return err
	}
	if err := <-done; err != nil {
		return err
	}
	m.report.fact(m.column, "introspection p99, hash pool idle and saturated", fmt.Sprintf("%s and %s (%.1f x)",
		idle.P99.Round(10*time.Microsecond), crowded.P99.Round(10*time.Microsecond), float64(crowded.P99)/float64(idle.P99)))
	return nil
}

// measureCached measures logins whose password was verified moments ago.
func measureCached(ctx context.Context, s settings, r *report, column string, fresh place) error {
	dir, dsn, err := fresh("cached")
	if err != nil {
		return err
	}
	in, err := configure(dir, dsn, "60s")
	if err != nil {
		return err
	}
	srv, err := startKeyway(ctx, s, in)
	if err != nil {
		return err
	}
	defer srv.stop()
	return measurement{s, r, column, srv}.driveAll(ctx, []row{
		{Name: "legacy login, same password again, verified-credential cache on", Target: 0.30, Call: loginCall(srv.URL, "full")},
	})
}
