package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func janitorChecks() []check {
	return []check{
		{"a sweep deletes what has expired and keeps what lives", sweep},
		{"a used refresh token stays at least 30 minutes after its use", sweepUsed},
		{"a sweep goes through more rows than a batch has", sweepMany},
		{"only one replica sweeps at a time", sweepLease},
		{"the janitor sweeps until its context ends", janitorLoop},
		{"replicas that sweep while tokens are issued hinder nobody", sweepBusy},
	}
}

func sweep(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	require.NoError(t, f.RememberOnce(t.Context(), "n", "1", noon().Add(time.Minute)))
	require.NoError(t, f.RecordFailure(t.Context(), []string{"k"}, identity.Event{Kind: "login"}))
	n, err := f.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)

	f.clock.advance(time.Minute)
	n, err = f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n, "the identifier")
	f.clock.advance(15*time.Minute + time.Hour)
	n, err = f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n, "the access token, an hour after its end")
	_, err = f.FindToken(t.Context(), hash("g-access-0"))
	require.Equal(t, identity.ErrNotFound, err)
	_, err = f.FindToken(t.Context(), hash("g-refresh-0"))
	require.NoError(t, err)
	f.clock.advance(24 * time.Hour)
	n, err = f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n, "the grant, which takes its refresh token along, and the failure")
	_, err = f.FindToken(t.Context(), hash("g-refresh-0"))
	require.Equal(t, identity.ErrNotFound, err)

	events, err := f.ListEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	require.Len(t, events, 1, "events stay unless there is a limit")
	strict := Open(t, store.Options{DSN: f.dsn, Now: f.clock.now, KeepEvents: time.Hour})
	n, err = strict.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func sweepUsed(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	quick := Open(t, store.Options{DSN: f.dsn, Now: f.clock.now, KeepExpired: time.Second})
	f.clock.advance(24*time.Hour - time.Minute)
	require.NoError(t, f.rotate(t, "g", "0", "1", 0))
	f.clock.advance(29 * time.Minute)
	_, err := quick.Sweep(t.Context())
	require.NoError(t, err)
	_, err = f.FindToken(t.Context(), hash("g-refresh-0"))
	require.NoError(t, err)
	f.clock.advance(3 * time.Minute)
	_, err = quick.Sweep(t.Context())
	require.NoError(t, err)
	_, err = f.FindToken(t.Context(), hash("g-refresh-0"))
	require.Equal(t, identity.ErrNotFound, err)
}

func sweepMany(t *testing.T, f *fixture) {
	for _, err := range parallel(600, func(i int) error {
		return f.RememberOnce(t.Context(), "n", fmt.Sprint(i), noon().Add(time.Minute))
	}) {
		require.NoError(t, err)
	}
	f.clock.advance(time.Hour)
	n, err := f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 600, n)
}

func sweepLease(t *testing.T, f *fixture) {
	other := f.replica(t)
	for i := range 40 {
		require.NoError(t, f.RememberOnce(t.Context(), "n", fmt.Sprint(i), noon()))
	}
	total := make([]int, 10)
	for _, err := range parallel(10, func(i int) (err error) {
		total[i], err = []*store.Store{f.Store, other}[i%2].Sweep(t.Context())
		return err
	}) {
		require.NoError(t, err)
	}
	sum := 0
	for _, n := range total {
		sum += n
	}
	require.Equal(t, 40, sum)
}

func janitorLoop(t *testing.T, f *fixture) {
	require.NoError(t, f.RememberOnce(t.Context(), "n", "1", noon()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.Janitor(ctx, time.Millisecond)
	}()
	require.Eventually(t, func() bool {
		n, err := f.Sweep(t.Context())
		return err == nil && n == 0
	}, 10*time.Second, time.Millisecond)
	cancel()
	<-done
}

func sweepBusy(t *testing.T, f *fixture) {
	other := f.replica(t)
	for _, err := range parallel(40, func(i int) error {
		if i%10 == 0 {
			_, err := other.Sweep(t.Context())
			return err
		}
		id := fmt.Sprint(i)
		return f.Issue(t.Context(), &provider.Issue{
			GrantID: id, NewGrant: &provider.GrantRecord{ID: id, ExpiresAt: noon().Add(-3 * time.Hour)}, Tokens: f.tokens(id, "0"),
		})
	}) {
		require.NoError(t, err)
	}
}
