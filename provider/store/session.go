package store

import (
	"context"
	"database/sql"
	"strings"
	"sync"
	"unicode/utf8"

	"keyway/provider/identity"
)

// runner runs SQL: a pool, a connection or a transaction of [database/sql], or
// [statements].
type runner interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

type scanFunc func(dest ...any) error

// session runs SQL for one caller and gives errors their class.
type session struct {
	run     runner
	share   string // the end of a SELECT that locks its rows against changes; "" where there is one writer
	changed bool   // a statement changed a row
}

// exec returns how many rows the statement changed.
func (s *session) exec(ctx context.Context, query string, args ...any) (int, error) {
	r, err := s.run.ExecContext(ctx, query, clean(args)...)
	if err != nil {
		return 0, classify(err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		return 0, classify(err)
	}
	s.changed = s.changed || n > 0
	return int(n), nil
}

// row scans the first row, or returns [identity.ErrNotFound].
func (s *session) row(ctx context.Context, query string, args []any, dest ...any) error {
	found := false
	err := s.rows(ctx, query, args, func(scan scanFunc) error {
		if found {
			return nil
		}
		found = true
		return scan(dest...)
	})
	if err == nil && !found {
		return identity.ErrNotFound
	}
	return err
}

// rows calls each once for every row.
func (s *session) rows(ctx context.Context, query string, args []any, each func(scanFunc) error) error {
	rows, err := s.run.QueryContext(ctx, query, clean(args)...)
	if err != nil {
		return classify(err)
	}
	defer func() { _ = rows.Close() }() // what matters of it is in Err
	for rows.Next() {
		if err := each(rows.Scan); err != nil {
			return err
		}
	}
	return classify(rows.Err())
}

// returning is rows for a statement that changes what it returns.
func (s *session) returning(ctx context.Context, query string, args []any, each func(scanFunc) error) error {
	return s.rows(ctx, query, args, func(scan scanFunc) error {
		s.changed = true
		return each(scan)
	})
}

// clean replaces what PostgreSQL does not take in a text, NUL and invalid UTF-8, by
// U+FFFD, in place. Such bytes come from outside, in a user agent's request id or
// a client's name, and must not look like an outage.
func clean(args []any) []any {
	for i, a := range args {
		if s, ok := a.(string); ok && !storable(s) {
			args[i] = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
		}
	}
	return args
}

func storable(s string) bool { return strings.IndexByte(s, 0) < 0 && utf8.ValidString(s) }

// preparer is a pool or a connection.
type preparer interface {
	PrepareContext(ctx context.Context, query string) (*sql.Stmt, error)
}

// statements runs every statement prepared, and keeps it prepared. There are as
// many as there are texts in this package.
type statements struct {
	db   preparer
	kept sync.Map // query -> *sql.Stmt
}

func (p *statements) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := p.kept.Load(query); ok {
		return st.(*sql.Stmt), nil
	}
	st, err := p.db.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	if kept, loaded := p.kept.LoadOrStore(query, st); loaded {
		return kept.(*sql.Stmt), st.Close() //nolint:sqlclosecheck // closed because another was kept first
	}
	return st, nil
}

// ExecContext implements [runner].
func (p *statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, err := p.prepared(ctx, query) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

// QueryContext implements [runner].
func (p *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, err := p.prepared(ctx, query) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (p *statements) close() {
	p.kept.Range(func(_, st any) bool {
		_ = st.(*sql.Stmt).Close() // the connection goes next
		return true
	})
	p.kept.Clear()
}

var _ runner = (*statements)(nil)
