package database

import (
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// The values of sslmode that keep what they promise.
const (
	sslDisable    = "disable"
	sslRequire    = "require" // encrypted, to whoever answers
	sslVerifyFull = "verify-full"
)

// open makes a pool for a DSN, and connects to nothing. Its errors have no part of
// the DSN that may be secret.
func open(dsn string, timeout time.Duration) (*sql.DB, dialect, error) {
	u, err := url.Parse(dsn)
	if err != nil {
		return nil, dialect{}, errors.New("dsn: not a URL; a password in it must be percent-encoded") // err quotes it
	}
	var db *sql.DB
	switch u.Scheme {
	case "postgres", "postgresql":
		db, err = openPostgres(u, timeout)
	case "mysql", "mariadb":
		db, err = openMySQL(u, timeout)
	case "sqlite":
		db, err = openSQLite(u, timeout)
	default:
		err = errors.New("it must begin by postgres://, mysql://, mariadb:// or sqlite://")
	}
	if err != nil {
		return nil, dialect{}, fmt.Errorf("dsn: %w", err)
	}
	return db, dialect{numbered: strings.HasPrefix(u.Scheme, "postgres")}, nil
}

// sslMode is what the DSN says; without, certificates are verified everywhere but on
// this machine.
func sslMode(u *url.URL, host string) (string, error) {
	switch mode := u.Query().Get("sslmode"); mode {
	case "":
		if isLocal(host) {
			return sslDisable, nil
		}
		return sslVerifyFull, nil
	case sslDisable, sslRequire, sslVerifyFull:
		return mode, nil
	case "verify-ca":
		return sslVerifyFull, nil // the name costs nothing more
	}
	return "", errors.New("sslmode must be verify-full, require or disable")
}

// isLocal reports whether nobody else can listen on the way.
func isLocal(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "" || host[0] == '/' || host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

func openPostgres(u *url.URL, timeout time.Duration) (*sql.DB, error) {
	q := u.Query()
	host := u.Hostname()
	if host == "" {
		host = q.Get("host")
	}
	mode, err := sslMode(u, host)
	if err != nil {
		return nil, err
	}
	given := q.Get("sslmode") != ""
	q.Set("sslmode", mode)
	u.RawQuery = q.Encode()
	config, err := pgx.ParseConfig(u.String())
	if err != nil {
		return nil, err // pgx leaves the password out
	}
	if !given && mode == sslDisable && leavesMachine(config) {
		return nil, errors.New("sslmode is needed: a host beside that of the URL (host=, PGHOST, a service) is another machine; write sslmode=verify-full")
	}
	if config.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		return nil, errors.New("default_query_exec_mode must not be simple_protocol: it would splice the login name into the query")
	}
	config.ConnectTimeout = timeout
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "keyway"
	}
	return stdlib.OpenDB(*config), nil
}

// leavesMachine reports whether pgx found another machine than the URL names: by a
// parameter, by the environment or by a file.
func leavesMachine(c *pgx.ConnConfig) bool {
	return !isLocal(c.Host) || slices.ContainsFunc(c.Fallbacks, func(f *pgconn.FallbackConfig) bool { return !isLocal(f.Host) })
}

func openMySQL(u *url.URL, timeout time.Duration) (*sql.DB, error) {
	q := u.Query()
	for name := range q {
		if !slices.Contains([]string{"sslmode", "sslrootcert", "socket"}, name) {
			return nil, fmt.Errorf("the parameter %s is not known; there are sslmode, sslrootcert and socket", strconv.Quote(name))
		}
	}
	c := mysql.NewConfig() // no several statements, no splicing of parameters, no local files
	c.User, c.DBName, c.Logger = u.User.Username(), strings.TrimPrefix(u.Path, "/"), &mysql.NopLogger{}
	c.Passwd, _ = u.User.Password()
	c.Timeout, c.ReadTimeout, c.WriteTimeout = timeout, timeout, timeout
	if u.Scheme == "mariadb" { // it gives up what nobody waits for any more; MySQL does not know the setting
		c.Params = map[string]string{"max_statement_time": strconv.FormatFloat(timeout.Seconds(), 'f', 3, 64)}
	}
	c.Net, c.Addr = "tcp", net.JoinHostPort(u.Hostname(), port(u, "3306"))
	if socket := q.Get("socket"); socket != "" {
		c.Net, c.Addr = "unix", socket
		u.Host = ""
	}
	var err error
	if c.TLS, err = mysqlTLS(u); err != nil {
		return nil, err
	}
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errors.New("not a DSN of MySQL")
	}
	return sql.OpenDB(connector), nil
}

func port(u *url.URL, standard string) string {
	if p := u.Port(); p != "" {
		return p
	}
	return standard
}

func mysqlTLS(u *url.URL) (*tls.Config, error) {
	mode, err := sslMode(u, u.Hostname())
	if err != nil || mode == sslDisable {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	file := u.Query().Get("sslrootcert")
	if file == "" {
		c.InsecureSkipVerify = mode == sslRequire
		return c, nil
	}
	pem, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("sslrootcert: %w", err)
	}
	if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
		return nil, errors.New("sslrootcert: there is no certificate in the file")
	}
	return c, nil
}

// openSQLite opens a file that is there, for reading.
func openSQLite(u *url.URL, timeout time.Duration) (*sql.DB, error) {
	if u.Host != "" || !path.IsAbs(u.Path) || u.RawQuery != "" {
		return nil, errors.New("an SQLite file is named by its whole path: sqlite:///var/lib/old/users.db")
	}
	q := url.Values{"mode": {"ro"}, "_query_only": {"1"}, "_busy_timeout": {strconv.FormatInt(timeout.Milliseconds(), 10)}}
	return sql.Open("sqlite", "file:"+(&url.URL{Path: u.Path}).EscapedPath()+"?"+q.Encode())
}
