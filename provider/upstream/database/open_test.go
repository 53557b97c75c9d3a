package database

import (
	"context"
	"crypto/tls"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestDSNsThatAreRefused(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	for name, tt := range map[string][2]string{
		"no scheme":                  {"keyway.db", "it must begin by"},
		"another database":           {"sqlserver://sa:hunter2@db/x", "it must begin by"},
		"no URL":                     {"mysql://u:hunter2%zz@db/x", "not a URL"},
		"a parameter of Go's":        {"mysql://u:hunter2@db/x?multiStatements=true", "multiStatements"},
		"splicing, of Go's":          {"mysql://u:hunter2@db/x?interpolateParams=true", "interpolateParams"},
		"splicing, of pgx":           {"postgres://u:hunter2@db/x?default_query_exec_mode=simple_protocol", "splice"},
		"a promise that is none":     {"postgres://u:hunter2@db/x?sslmode=prefer", "sslmode"},
		"the same of MySQL":          {"mysql://u:hunter2@db/x?sslmode=preferred", "sslmode"},
		"authorities not there":      {"mysql://u:hunter2@db/x?sslrootcert=" + filepath.Join(dir, "none.pem"), "sslrootcert"},
		"authorities that are none":  {"mysql://u:hunter2@db/x?sslrootcert=" + empty, "no certificate"},
		"a relative file":            {"sqlite://old.db", "whole path"},
		"a file with settings":       {"sqlite:///old.db?mode=rwc", "whole path"},
		"a host beside this machine": {"postgres://u:hunter2@localhost/x?host=db.example", "sslmode"},
		"this machine among hosts":   {"postgres://u:hunter2@/x?host=/run/postgresql,db.example", "sslmode"},
		"a port that is none":        {"postgres://u:hunter2@db:port/x", "not a URL"},
	} {
		db, _, err := open(tt[0], time.Second)
		require.ErrorContains(t, err, tt[1], name)
		require.NotContains(t, err.Error(), "hunter2", name)
		require.Nil(t, db, name)
	}
}

func TestCertificatesAreVerifiedUnlessTheDSNSaysOtherwise(t *testing.T) {
	for dsn, want := range map[string]string{
		"mysql://u@db.example/x":                      sslVerifyFull,
		"mysql://u@db.example/x?sslmode=require":      sslRequire,
		"mysql://u@db.example/x?sslmode=verify-ca":    sslVerifyFull,
		"mysql://u@db.example/x?sslmode=disable":      sslDisable,
		"mysql://u@192.0.2.7/x":                       sslVerifyFull,
		"mysql://u@localhost.example/x":               sslVerifyFull,
		"mysql://u@localhost/x":                       sslDisable,
		"mysql://u@127.0.0.1/x":                       sslDisable,
		"mysql://u@[::1]/x":                           sslDisable,
		"mysql://u@/x?socket=/run/mysqld/mysqld.sock": sslDisable,
		"mysql://u@localhost/x?sslmode=verify-full":   sslVerifyFull,
		"postgres://u@one.example,two.example:5433/x": sslVerifyFull,
		"postgres://u@/x?host=/run/postgresql":        sslDisable,
	} {
		u, err := url.Parse(dsn)
		require.NoError(t, err, dsn)
		mode, err := sslMode(u, u.Hostname())
		require.NoError(t, err, dsn)
		require.Equal(t, want, mode, dsn)
		if u.Scheme != "mysql" {
			continue
		}
		c, err := mysqlTLS(u)
		require.NoError(t, err)
		require.Equal(t, want == sslDisable, c == nil, dsn)
		if c != nil {
			require.Equal(t, want == sslRequire, c.InsecureSkipVerify, dsn)
			require.Equal(t, u.Hostname(), c.ServerName)
			require.Equal(t, uint16(tls.VersionTLS12), c.MinVersion)
		}
	}
}

// What is asked for the first time finds out that nobody is there; opening does not.
func TestOpeningCallsNobody(t *testing.T) {
	for _, dsn := range []string{
		"postgres://u@127.0.0.1:1/x", "mysql://u@127.0.0.1:1/x", "mariadb://u@/x?socket=/nowhere", "sqlite:///nowhere/old.db",
	} {
		db, _, err := open(dsn, time.Second)
		require.NoError(t, err, dsn)
		require.Error(t, db.PingContext(context.Background()), dsn)
		require.NoError(t, db.Close())
	}
	_, err := os.Stat("/nowhere")
	require.ErrorIs(t, err, os.ErrNotExist)
}
