package store

import (
	"context"
	"strconv"
	"strings"
)

// chunk is how many rows, or values of a list, one statement takes at most. SQLite
// looks a parameter up by going through all of a statement's, so more is
// slower again.
const chunk = 32

// eachChunk calls do for parts of values, with the placeholders and arguments of
// an IN list that is as long as a power of two.
func eachChunk(values []string, do func(in string, args []any) error) error {
	for len(values) > 0 {
		n := min(chunk, len(values))
		part := padded(values[:n])
		args := make([]any, len(part))
		for i, v := range part {
			args[i] = v
		}
		if err := do(placeholders(1, len(args)), args); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// insertRows inserts rows, many in a statement. The number in a statement is a power
// of two, so that few statements have to be prepared.
func insertRows(ctx context.Context, tx *session, into string, rows [][]any) error {
	for n := chunk; len(rows) > 0; {
		for n > len(rows) {
			n /= 2
		}
		args := make([]any, 0, n*len(rows[0]))
		for _, r := range rows[:n] {
			args = append(args, r...)
		}
		if _, err := tx.exec(ctx, into+values(n, len(rows[0])), args...); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

// values returns " VALUES ($1,$2),($3,$4)" for two rows of two.
func values(rows, columns int) string {
	var b strings.Builder
	b.WriteString(" VALUES ")
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		for j := range columns {
			b.WriteByte("(,"[min(j, 1)])
			b.WriteByte('$')
			b.WriteString(strconv.Itoa(i*columns + j + 1))
		}
		b.WriteByte(')')
	}
	return b.String()
}
