package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

func attemptChecks() []check {
	return []check{
		{"failures are counted by key and time, with their event", countFailures},
		{"clearing forgets the failures of the given keys only", clearFailures},
		{"50 failures at once are all counted", failuresAtOnce},
	}
}

func countFailures(t *testing.T, f *fixture) {
	for i := range 3 {
		at := noon().Add(time.Duration(i) * time.Minute)
		require.NoError(t, f.RecordFailure(t.Context(), []string{"user", "source"}, identity.Event{At: at, Kind: "login", Reason: identity.ReasonWrongPassword}))
	}
	require.NoError(t, f.RecordFailure(t.Context(), []string{"source"}, identity.Event{At: noon(), Kind: "login"}))
	for since, want := range map[time.Time][2]int{
		noon():                      {3, 4},
		noon().Add(time.Minute):     {2, 2},
		noon().Add(3 * time.Minute): {0, 0},
	} {
		got, err := f.CountFailures(t.Context(), []string{"user", "source", "nothing"}, since)
		require.NoError(t, err)
		require.Equal(t, map[string]int{"user": want[0], "source": want[1], "nothing": 0}, got)
	}
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "login"})
	require.NoError(t, err)
	require.Len(t, events, 4)
	got, err := f.CountFailures(t.Context(), nil, noon())
	require.NoError(t, err)
	require.Empty(t, got)
}

func clearFailures(t *testing.T, f *fixture) {
	require.NoError(t, f.ClearFailures(t.Context(), nil))
	require.NoError(t, f.ClearFailures(t.Context(), []string{"user"}))
	require.NoError(t, f.RecordFailure(t.Context(), []string{"user", "source", "third"}, identity.Event{}))
	require.NoError(t, f.ClearFailures(t.Context(), []string{"user", "third", "nothing"}))
	got, err := f.CountFailures(t.Context(), []string{"user", "source", "third"}, noon())
	require.NoError(t, err)
	require.Equal(t, map[string]int{"user": 0, "source": 1, "third": 0}, got)
}

func failuresAtOnce(t *testing.T, f *fixture) {
	for _, err := range parallel(50, func(int) error {
		return f.RecordFailure(t.Context(), []string{"user"}, identity.Event{At: noon()})
	}) {
		require.NoError(t, err)
	}
	got, err := f.CountFailures(t.Context(), []string{"user"}, noon())
	require.NoError(t, err)
	require.Equal(t, 50, got["user"])
}
