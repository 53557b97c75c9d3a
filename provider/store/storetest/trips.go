package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func tripChecks() []check {
	return []check{
		{"every field of a trip is kept", everyTripField},
		{"a trip that many want to take is taken once, and never after its time", tripRace},
		{"one browser has twenty open trips at most", tripsAreBounded},
	}
}

func everyTripField(t *testing.T, f *fixture) {
	var trip federation.Trip
	fill(t, &trip)
	require.NoError(t, f.AddTrip(t.Context(), &trip))
	found, err := f.TakeTrip(t.Context(), trip.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&trip, found))
}

func tripRace(t *testing.T, f *fixture) {
	trip := &federation.Trip{Hash: hash("state"), Connector: "corp", CreatedAt: f.clock.now(), ExpiresAt: f.clock.now().Add(time.Minute)}
	require.NoError(t, f.AddTrip(t.Context(), trip))
	replicas := []*store.Store{f.Store, f.replica(t)}
	won := 0
	for _, err := range parallel(50, func(i int) error {
		_, err := replicas[i%2].TakeTrip(t.Context(), hash("state"))
		return err
	}) {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, identity.ErrNotFound)
	}
	require.Equal(t, 1, won)
	require.NoError(t, f.AddTrip(t.Context(), trip))
	f.clock.advance(time.Minute)
	_, err := f.TakeTrip(t.Context(), trip.Hash)
	require.ErrorIs(t, err, identity.ErrNotFound)
	n, err := f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// tripsAreBounded lets one browser begin more trips than it may have open.
func tripsAreBounded(t *testing.T, f *fixture) {
	add := func(state, browser string) {
		require.NoError(t, f.AddTrip(t.Context(), &federation.Trip{
			Hash: hash(state), Browser: hash(browser), Connector: "corp", CreatedAt: f.clock.now(), ExpiresAt: f.clock.now().Add(time.Hour),
		}))
		f.clock.advance(time.Second)
	}
	add("other", "b2")
	for i := range 25 {
		add(fmt.Sprint("s", i), "b1")
	}
	for state, there := range map[string]bool{"s4": false, "s5": true, "s24": true, "other": true} {
		_, err := f.TakeTrip(t.Context(), hash(state))
		require.Equal(t, there, err == nil, state)
	}
}
