package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

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
// many ways, while the mistakes are few and listed here.
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
	if strings.HasPrefix(err.Error(), "sql: expected") { // another number of arguments
		return fmt.Errorf("database: %w", err)
	}
	return unavailable(err)
}

// ourMistake reports whether a PostgreSQL error code blames the statement: what
// the server does not support (class 0A), cardinality (21), data (22),
// constraints (23), schemas (3F), and syntax, missing tables and missing rights
// (42). Trying again would not help. A refused password (28) is none: the operator may
// be changing it at this moment.
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

// broken reports whether err says that a connection to PostgreSQL ended before it
// answered: the server was shut down or restarted (57P01, 57P02), or the network
// cut it. A server that is not there refuses connections, which is not meant, and
// nor is a statement that took too long.
func broken(err error) bool {
	if pg := (*pgconn.PgError)(nil); errors.As(err, &pg) {
		return pg.Code == "57P01" || pg.Code == "57P02" || strings.HasPrefix(pg.Code, "08")
	}
	for _, lost := range []error{
		io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE, net.ErrClosed, driver.ErrBadConn,
	} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// expected reports whether err is an answer rather than a fault.
func expected(err error) bool {
	return errors.Is(err, identity.ErrConflict) || errors.Is(err, identity.ErrNotFound)
}
