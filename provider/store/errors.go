package store

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"keyway/provider/identity"
)

var errClosed = errors.New("the store is closed")

func unavailable(err error) error {
	return identity.Fail(identity.ReasonUnavailable, fmt.Errorf("database: %w", err))
}

// classify says of an error of a driver whether it is an outage or a mistake
// in a statement. What it does not know is an outage: connections break in
// many ways, and a caller told to try again does no harm.
func classify(err error) error {
	if err == nil {
		return nil
	}
	if f := (*identity.Failure)(nil); errors.As(err, &f) || errors.Is(err, identity.ErrNotFound) {
		return err
	}
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) && ourMistake(pg.Code) {
		return fmt.Errorf("database: %w", err)
	}
	if lite := (*sqlite.Error)(nil); errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case 1, 19, 20, 21, 25: // SQLITE_ERROR, _CONSTRAINT, _MISMATCH, _MISUSE, _RANGE
			return fmt.Errorf("database: %w", err)
		}
	}
	if strings.HasPrefix(err.Error(), "sql: Scan error") || strings.HasPrefix(err.Error(), "sql: expected") {
		return fmt.Errorf("database: %w", err)
	}
	return unavailable(err)
}

// ourMistake reports whether a PostgreSQL error code blames the statement:
// invalid data, constraints, syntax, missing tables and rights (classes 21 to
// 23, 28, 3F and 42). 42501, a missing right, and 42P01, a missing table, are
// found by the operator only if they are told apart from an outage as well.
func ourMistake(code string) bool {
	for _, class := range []string{"0A", "21", "22", "23", "42", "3F"} {
		if strings.HasPrefix(code, class) {
			return true
		}
	}
	return false
}

// repeatable reports whether PostgreSQL rolled a transaction back because of
// others, so that running it again will do: a deadlock or a serialization
// failure.
func repeatable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001")
}

// expected reports whether err is an answer rather than a fault.
func expected(err error) bool {
	return errors.Is(err, identity.ErrConflict) || errors.Is(err, identity.ErrNotFound)
}
