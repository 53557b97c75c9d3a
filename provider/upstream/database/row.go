package database

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// Limits of a row.
const (
	maxColumns = 200
	maxValue   = 64 << 10 // bytes
)

// row is what the database has of somebody.
type row struct {
	subject    string
	status     string
	credential identity.Credential
	claims     map[string]any
}

// one reads the only row. Errors that are no [*upstream.Error] are the driver's.
func one(rows *sql.Rows) (*row, error) {
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if err := checkColumns(columns); err != nil {
		return nil, err
	}
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return nil, err
		}
		return nil, upstream.Fail(upstream.Unknown, "there is no such row")
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	r, err := newRow(columns, values)
	if err == nil && rows.Next() {
		return nil, refused("there are several rows; the query must lead to one person")
	}
	return r, err
}

func checkColumns(columns []string) error {
	seen := map[string]bool{}
	for _, c := range columns {
		if seen[c] {
			return untrusted("the query has two columns %q", c)
		}
		seen[c] = true
	}
	if !seen["subject"] || len(columns) > maxColumns {
		return untrusted("the query must have a column subject, and at most %d in all", maxColumns)
	}
	return nil
}

// untrusted is a mistake in the query.
func untrusted(format string, args ...any) error {
	return &upstream.Error{Kind: upstream.Untrusted, Err: fmt.Errorf(format, args...)}
}

// refused is about one person's row: to call that untrusted would let anybody open
// the breaker by the name.
func refused(format string, args ...any) error {
	return &upstream.Error{Kind: upstream.Refused, Err: fmt.Errorf(format, args...)}
}

func newRow(columns []string, values []any) (*row, error) {
	r := &row{claims: map[string]any{}}
	texts := map[string]*string{
		"subject": &r.subject, "status": &r.status,
		"hash": &r.credential.Hash, "scheme": &r.credential.Scheme, "salt": &r.credential.Salt,
	}
	for i, name := range columns {
		v, ok := plain(values[i])
		if !ok {
			return nil, refused("column %q: neither a text of at most %d bytes nor a number, a time, true or false", name, maxValue)
		}
		if v == nil {
			continue
		}
		if into := texts[name]; into != nil {
			*into = fmt.Sprint(v)
			continue
		}
		r.claims[name] = v
	}
	if r.subject == "" || len(r.subject) > maxName {
		return nil, refused("column subject: not a text of 1 to %d bytes", maxName)
	}
	return r, nil
}

// plain is a value as claims have it: a text, a [json.Number], true or false; nil for
// NULL. A time becomes a text as RFC 3339 has it.
func plain(v any) (any, bool) {
	switch v := v.(type) {
	case nil, bool:
		return v, true
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), true
	case uint64:
		return json.Number(strconv.FormatUint(v, 10)), true
	case float32:
		return plainFloat(float64(v), 32)
	case float64:
		return plainFloat(v, 64)
	case []byte:
		return plain(string(v))
	case string:
		return v, len(v) <= maxValue && utf8.ValidString(v)
	case time.Time:
		return v.Format(time.RFC3339), true
	}
	return nil, false
}

func plainFloat(f float64, bits int) (any, bool) {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return nil, false
	}
	return json.Number(strconv.FormatFloat(f, 'g', -1, bits)), true
}
