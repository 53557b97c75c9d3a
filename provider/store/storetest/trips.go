package storetest

import (
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
