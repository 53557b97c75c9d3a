package database_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream"
	"keyway/provider/upstream/database"
	"keyway/templates"
)

func TestMain(m *testing.M) { storetest.Main(m) }

const issuer = "https://old.example"

func hashes(t *testing.T) *identity.Foreign {
	t.Helper()
	h, err := identity.NewHasher(identity.HasherOptions{Memory: 64, Time: 1})
	require.NoError(t, err)
	f, err := identity.NewForeign(h, time.Now)
	require.NoError(t, err)
	return f
}

func open(t *testing.T, o database.Options) *database.Upstream {
	t.Helper()
	o.Issuer, o.Hashes = issuer, hashes(t)
	u, err := database.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, u.Close()) })
	return u
}

// preset is what ships for a system.
func preset(t testing.TB, system, dsn string) database.Options {
	t.Helper()
	text, err := templates.Systems().(interface {
		ReadFile(name string) ([]byte, error)
	}).ReadFile(system + "/database.yaml")
	require.NoError(t, err)
	var p struct {
		Query        string `yaml:"query"`
		FollowQuery  string `yaml:"follow_query"`
		DisabledWhen string `yaml:"disabled_when"`
		StatusFirst  bool   `yaml:"status_first"`
	}
	require.NoError(t, yaml.Unmarshal(text, &p))
	return database.Options{DSN: dsn, Query: p.Query, FollowQuery: p.FollowQuery, DisabledWhen: p.DisabledWhen, StatusFirst: p.StatusFirst}
}

// processorTime is what this process has used up, which does not depend on what
// others do, in nanoseconds.
func processorTime(t testing.TB) int64 {
	t.Helper()
	var used syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
	return used.Utime.Nano() + used.Stime.Nano()
}

func login(name, password string) *upstream.Login {
	return &upstream.Login{Username: name, Password: password}
}

// attempt is a login, and what comes of it: a subject, or a kind of failure.
type attempt struct{ name, username, password, want string }

func try(t *testing.T, u *database.Upstream, all []attempt) {
	t.Helper()
	for _, a := range all {
		p, err := u.Verify(t.Context(), login(a.username, a.password))
		if err != nil {
			require.Equal(t, a.want, string(upstream.KindOf(err)), "%s: %v", a.name, err)
			require.Nil(t, p, a.name)
			if a.password != "" {
				require.NotContains(t, err.Error(), a.password, a.name)
			}
			continue
		}
		require.Equal(t, a.want, p.Subject, a.name)
		require.Equal(t, issuer, p.Issuer, a.name)
	}
}
