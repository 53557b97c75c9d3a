package config

import (
	"encoding"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"path/filepath"
	"strings"
)

// DSN says where the database is: a file, or a postgres:// URL whose password
// is hidden wherever the DSN is printed.
type DSN struct {
	value   *string
	literal bool // it stands in the configuration file itself
}

// NewDSN returns value as a DSN.
func NewDSN(value string) DSN { return DSN{value: &value} }

// Reveal returns the DSN with its password, "" when there is none.
func (d DSN) Reveal() string {
	if d.value == nil {
		return ""
	}
	return *d.value
}

// Postgres reports whether the DSN is a postgres:// or postgresql:// URL.
// Everything else is an SQLite file.
func (d DSN) Postgres() bool {
	v := strings.ToLower(d.Reveal())
	return strings.HasPrefix(v, "postgres://") || strings.HasPrefix(v, "postgresql://")
}

// String returns the DSN without its password and its query. A URL that does
// not parse is hidden as a whole.
func (d DSN) String() string {
	if !d.Postgres() {
		return d.Reveal()
	}
	u, err := url.Parse(d.Reveal())
	if err != nil || u.Opaque != "" {
		return "postgres://" + hidden
	}
	shown := url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}
	if u.User == nil {
		return shown.String()
	}
	user := url.User(u.User.Username()).String()
	if _, ok := u.User.Password(); ok {
		user += ":" + hidden
	}
	return strings.Replace(shown.String(), "://", "://"+user+"@", 1)
}

// hasPassword reports whether the URL itself holds a password.
func (d DSN) hasPassword() bool {
	if !d.Postgres() {
		return false
	}
	u, err := url.Parse(d.Reveal())
	if err != nil {
		return true
	}
	_, ok := u.User.Password()
	return ok || u.Query().Has("password")
}

// below returns the DSN with a relative file made relative to dir.
func (d DSN) below(dir string) DSN {
	v := d.Reveal()
	if d.Postgres() || v == "" || strings.Contains(v, "://") || filepath.IsAbs(v) {
		return d
	}
	v = filepath.Join(dir, v)
	return DSN{value: &v, literal: d.literal}
}

// Equal reports whether both are the same DSN.
func (d DSN) Equal(other DSN) bool { return d.Reveal() == other.Reveal() }

// GoString returns what String returns.
func (d DSN) GoString() string { return d.String() }

// Format writes what String returns, whatever the verb.
func (d DSN) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, d.String()) }

// LogValue returns what String returns.
func (d DSN) LogValue() slog.Value { return slog.StringValue(d.String()) }

// MarshalText returns what String returns.
func (d DSN) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

var (
	_ fmt.Formatter          = DSN{}
	_ fmt.GoStringer         = DSN{}
	_ slog.LogValuer         = DSN{}
	_ encoding.TextMarshaler = DSN{}
)
