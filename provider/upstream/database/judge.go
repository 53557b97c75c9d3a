package database

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"

	"keyway/provider/upstream"
)

// Limits of an expression.
const (
	maxExpression = 4 << 10 // bytes
	maxNodes      = 200
	maxMemory     = 10_000 // elements that it may make
)

// What a query may say in the column status.
const (
	statusActive     = "active"
	statusDisabled   = "disabled"
	statusLocked     = "locked"
	statusUnverified = "unverified"
)

// compile returns nil for an empty expression.
func compile(text string) (*vm.Program, error) {
	if text == "" {
		return nil, nil //nolint:nilnil // nobody is disabled
	}
	if len(text) > maxExpression {
		return nil, errors.New("it is too long")
	}
	return expr.Compile(text, expr.Env(environment(&row{})), expr.MaxNodes(maxNodes), expr.AsBool())
}

func environment(r *row) map[string]any {
	claims := make(map[string]any, len(r.claims))
	for name, v := range r.claims {
		claims[name] = inExpressions(v)
	}
	return map[string]any{"claims": claims, "subject": r.subject}
}

// status returns why somebody may not come in.
func (u *Upstream) status(r *row) error {
	switch r.status {
	case "", statusActive:
	case statusDisabled:
		return upstream.Fail(upstream.Disabled, "the status there is disabled")
	case statusLocked:
		return upstream.Fail(upstream.Locked, "the status there is locked")
	case statusUnverified:
		return upstream.Fail(upstream.Unverified, "the status there is unverified")
	default:
		return refused("the column status must be active, disabled, locked or unverified")
	}
	if u.disabled == nil {
		return nil
	}
	machine := vm.VM{MemoryBudget: maxMemory}
	v, err := machine.Run(u.disabled, environment(r))
	if err != nil {
		return refused("disabled_when: the expression failed") // its text may quote claims
	}
	if v == true {
		return upstream.Fail(upstream.Disabled, "disabled_when is true")
	}
	return nil
}

func away(err error) error { return &upstream.Error{Kind: upstream.Unavailable, Err: err} }

// kindOf tells a value that the database cannot hold against its column, which is a
// name that nobody has, from a database that is away: else anybody could open the
// breaker by such names.
func kindOf(err error, value string) error {
	ascii := strings.IndexFunc(value, func(r rune) bool { return r > 0x7f }) < 0
	var pg *pgconn.PgError
	var my *mysql.MySQLError
	kind := upstream.Unavailable
	switch {
	case errors.As(err, &pg) && (pg.Code == "22P02" || pg.Code == "22003" || pg.Code == "22007" || pg.Code == "22008"): // no number or day, or one too large
		kind = upstream.Unknown
	case errors.As(err, &pg) && !ascii && (pg.Code == "22021" || pg.Code == "22P05"): // no such character
		kind = upstream.Unknown
	case errors.As(err, &my) && !ascii && isForeign(my.Number):
		kind = upstream.Unknown
	}
	if kind == upstream.Unknown { // it quotes the name, and people mistype their password as that
		return upstream.Fail(kind, "what the name is compared with cannot hold it")
	}
	return &upstream.Error{Kind: kind, Err: err}
}

// isForeign reports whether MySQL says that a column's character set does not have
// what it is compared with.
func isForeign(code uint16) bool {
	switch code {
	case 1267, 1270, 1271, 1366, 3854, 3988: // illegal mix of collations, incorrect string value, cannot convert
		return true
	}
	return false
}

// inExpressions makes numbers comparable with those of expressions.
func inExpressions(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if i, err := n.Int64(); err == nil {
		return int(i)
	}
	f, err := n.Float64()
	if err != nil {
		return n.String()
	}
	return f
}
