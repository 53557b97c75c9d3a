package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/vm"

	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// maxName is the longest login name and the longest subject, in bytes.
const maxName = 512

// Options are what an [Upstream] needs. Zero values mean the defaults.
type Options struct {
	DSN         string // postgres://, mysql://, mariadb:// or sqlite://; with its password
	Issuer      string // that its people are of
	Query       string // with :login
	FollowQuery string // with :id, and the same columns but for the credential; "" for none
	// DisabledWhen is an expression (expr-lang.org) over claims and subject: true
	// for who is disabled there. "" for nobody.
	DisabledWhen string
	Import       bool // a right password is handed on, hashed anew, to sign people in without the database
	StatusFirst  bool // the status is told before the password is looked at
	Hashes       *identity.Foreign
	Timeout      time.Duration // of a query; default 5 s
	MaxConns     int           // default 8
}

// Upstream is the database of an old system. It is safe for concurrent use.
type Upstream struct {
	db            *sql.DB
	options       Options
	login, follow statement
	disabled      *vm.Program
}

var (
	_ upstream.Verifier = (*Upstream)(nil)
	_ upstream.Follower = (*Upstream)(nil)
)

// Check returns why New would not take o, but for what a file or the hasher is
// needed for. The error has no part of the DSN that may be secret.
func Check(o Options) error {
	d := dialect{numbered: strings.HasPrefix(o.DSN, "postgres")}
	_, err := d.parse(o.Query, "login")
	if err != nil {
		err = fmt.Errorf("query: %w", err)
	}
	if o.FollowQuery != "" {
		if _, bad := d.parse(o.FollowQuery, "id"); bad != nil {
			err = errors.Join(err, fmt.Errorf("follow_query: %w", bad))
		}
	}
	if _, bad := compile(o.DisabledWhen); bad != nil {
		err = errors.Join(err, fmt.Errorf("disabled_when: %w", bad))
	}
	return err
}

// New returns an Upstream. It connects to nothing: a database that is away keeps
// nobody else from signing in.
func New(o Options) (*Upstream, error) {
	if o.Issuer == "" || o.Hashes == nil || o.Timeout < 0 || o.MaxConns < 0 {
		return nil, errors.New("database: an issuer and hashes are needed, and nothing may be negative")
	}
	if err := Check(o); err != nil {
		return nil, err
	}
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
	}
	if o.MaxConns == 0 {
		o.MaxConns = 8
	}
	db, d, err := open(o.DSN, o.Timeout)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(o.MaxConns)
	db.SetMaxIdleConns(o.MaxConns)
	db.SetConnMaxIdleTime(time.Minute)
	db.SetConnMaxLifetime(10 * time.Minute)
	u := &Upstream{db: db, options: o}
	u.login, _ = d.parse(o.Query, "login") // Check has seen to it that they parse
	u.follow, _ = d.parse(o.FollowQuery, "id")
	u.disabled, _ = compile(o.DisabledWhen)
	return u, nil
}

// Close ends the connections.
func (u *Upstream) Close() error { return u.db.Close() }

// Follows reports whether there is a query for following people.
func (u *Upstream) Follows() bool { return u.follow.args > 0 }

// Verify implements [upstream.Verifier].
func (u *Upstream) Verify(ctx context.Context, l *upstream.Login) (*upstream.Person, error) {
	r, err := u.find(ctx, u.login, l.Username)
	if err != nil && upstream.KindOf(err) == upstream.Unavailable {
		return nil, err
	}
	if r == nil { // nobody, or several: as slow as a wrong password
		if _, _, busy := u.options.Hashes.Verify(ctx, nil, l.Password); busy != nil {
			return nil, away(busy)
		}
		return nil, err
	}
	if err := u.judge(ctx, r, l.Password); err != nil {
		return nil, &upstream.Error{Kind: upstream.KindOf(err), Err: err, Issuer: u.options.Issuer, Subject: r.subject}
	}
	p := u.person(r)
	if u.options.Import {
		if p.Password, err = u.options.Hashes.Adopt(ctx, &r.credential, l.Password); err != nil {
			return nil, away(err)
		}
	}
	return p, nil
}

// judge holds the password against the row.
func (u *Upstream) judge(ctx context.Context, r *row, password string) error {
	if u.options.StatusFirst {
		if err := u.status(r); err != nil {
			return err
		}
	}
	right, readable, err := u.options.Hashes.Verify(ctx, &r.credential, password)
	switch {
	case err != nil:
		return away(err)
	case !readable:
		return upstream.Fail(upstream.Wrong, "the hash there has no form that could be verified")
	case !right:
		return upstream.Fail(upstream.Wrong, "the password is not the one there")
	}
	return u.status(r)
}

// Follow implements [upstream.Follower]. Who is locked there for a while keeps what
// they have: guessing somebody's password must not end their sessions.
func (u *Upstream) Follow(ctx context.Context, k *upstream.Known) (*upstream.Person, error) {
	if !u.Follows() {
		return nil, upstream.Fail(upstream.Unavailable, "there is no follow_query")
	}
	if k.Issuer != u.options.Issuer {
		return nil, upstream.Fail(upstream.Unknown, "the person is of another issuer")
	}
	r, err := u.find(ctx, u.follow, k.Subject)
	if err != nil {
		return nil, err
	}
	if r.subject != k.Subject {
		return nil, upstream.Fail(upstream.Untrusted, "the row is about somebody else") // MySQL takes '2x' for 2
	}
	if err := u.status(r); err != nil && upstream.KindOf(err) != upstream.Locked {
		return nil, err
	}
	return u.person(r), nil
}

func (u *Upstream) person(r *row) *upstream.Person {
	return &upstream.Person{Issuer: u.options.Issuer, Subject: r.subject, Claims: r.claims}
}

// find returns the one row. A nil one has an error of kind unknown or untrusted.
func (u *Upstream) find(ctx context.Context, s statement, value string) (*row, error) {
	if value == "" || len(value) > maxName || !utf8.ValidString(value) || strings.IndexByte(value, 0) >= 0 {
		return nil, upstream.Fail(upstream.Unknown, "nobody can have such a name")
	}
	ctx, cancel := context.WithTimeout(ctx, u.options.Timeout)
	defer cancel()
	r, err := u.ask(ctx, s, value)
	if err != nil && upstream.KindOf(err) == upstream.Unavailable && ctx.Err() == nil {
		r, err = u.ask(ctx, s, value) // a connection that broke is known by its next use; reading twice does no harm
	}
	return r, err
}

func (u *Upstream) ask(ctx context.Context, s statement, value string) (*row, error) {
	tx, err := u.db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return nil, away(err)
	}
	defer func() { _ = tx.Rollback() }() // there is nothing to keep
	args := make([]any, s.args)
	for i := range args {
		args[i] = value
	}
	rows, err := tx.QueryContext(ctx, s.text, args...)
	if err != nil {
		return nil, kindOf(err, value)
	}
	defer rows.Close() //nolint:errcheck // only read from
	r, err := one(rows)
	if err == nil {
		err = rows.Err()
	}
	var told *upstream.Error
	if err != nil && !errors.As(err, &told) {
		return nil, kindOf(err, value)
	}
	return r, err
}
