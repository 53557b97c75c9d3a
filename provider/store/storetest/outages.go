package storetest

import (
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func outageChecks() []check {
	return []check{
		{"a closed store is unavailable", closedStore},
		{"a caller that has gone away before its write began gets no write", cancelledCaller},
		{"several replicas that start at once make the tables once", startAtOnce},
	}
}

// calls are one call of each kind, none of which finds anything.
func calls(s *store.Store) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Ping":          s.Ping,
		"FindToken":     func(ctx context.Context) error { _, err := s.FindToken(ctx, hash("x")); return err },
		"FindLogin":     func(ctx context.Context) error { _, err := s.FindLogin(ctx, "default", "x"); return err },
		"FindClient":    func(ctx context.Context) error { _, err := s.FindClient(ctx, "x"); return err },
		"ListKeys":      func(ctx context.Context) error { _, err := s.ListKeys(ctx); return err },
		"FindDevice":    func(ctx context.Context) error { _, err := s.FindDevice(ctx, "x"); return err },
		"PollDevice":    func(ctx context.Context) error { _, err := s.PollDevice(ctx, hash("x"), noon()); return err },
		"CountFailures": func(ctx context.Context) error { _, err := s.CountFailures(ctx, []string{"x"}, noon()); return err },
		"Issue":         func(ctx context.Context) error { return s.Issue(ctx, &provider.Issue{GrantID: "x"}) },
		"Revoke": func(ctx context.Context) error {
			_, err := s.Revoke(ctx, provider.RevokeQuery{Subject: "x"})
			return err
		},
		"RecordEvent": func(ctx context.Context) error { return s.RecordEvent(ctx, identity.Event{Kind: "x"}) },
		"UpdateKeys":  func(ctx context.Context) error { return s.UpdateKeys(ctx, addKey("x")) },
		"SaveRecords": func(ctx context.Context) error {
			_, err := s.SaveRecords(ctx, []identity.Record{record("x")})
			return err
		},
		"Sweep": func(ctx context.Context) error { _, err := s.Sweep(ctx); return err },
	}
}

// RequireUnavailable fails unless every kind of call says that the database is
// away.
func RequireUnavailable(t *testing.T, s *store.Store) {
	t.Helper()
	for name, call := range calls(s) {
		err := call(t.Context())
		require.Error(t, err, name)
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err), "%s: %v", name, err)
		require.NotErrorIs(t, err, identity.ErrNotFound, name)
		require.NotErrorIs(t, err, identity.ErrConflict, name)
	}
}

func closedStore(t *testing.T, f *fixture) {
	s, err := store.Open(context.Background(), store.Options{DSN: f.dsn, Now: noon, SealKey: sealKey()})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	RequireUnavailable(t, s)
	require.NoError(t, s.Close(), "closing twice does no harm")
}

func cancelledCaller(t *testing.T, f *fixture) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := f.RecordEvent(ctx, identity.Event{Kind: "x"})
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	require.ErrorIs(t, err, context.Canceled)
	events, err := f.ListEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	require.Empty(t, events)
}

func startAtOnce(t *testing.T, f *fixture) {
	dsn := f.dsn + ".fresh"
	if strings.HasPrefix(f.dsn, "postgres://") {
		dsn = Postgres(t)
	}
	for _, err := range parallel(4, func(int) error {
		s, err := store.Open(context.Background(), store.Options{DSN: dsn, Now: noon})
		if err != nil {
			return err
		}
		if err := s.Ping(t.Context()); err != nil {
			return err
		}
		return s.Close()
	}) {
		require.NoError(t, err)
	}
}
