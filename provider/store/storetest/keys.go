package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func keyChecks() []check {
	return []check{
		{"every field of a signing key comes back, and keys can go", everyKeyField},
		{"a change that fails, or changes nothing, stores nothing", keyChangeFails},
		{"of 50 changes on two replicas none is lost", keyRace},
		{"another seal key opens nothing and says what to check", wrongSealKey},
		{"without a seal key no signing key can be stored", noSealKey},
	}
}

func addKey(kid string) func([]provider.KeyRecord) ([]provider.KeyRecord, error) {
	return func(now []provider.KeyRecord) ([]provider.KeyRecord, error) {
		return append(now, provider.KeyRecord{KID: kid, PrivateJWK: []byte(`{"kty":"EC"}`), CreatedAt: noon()}), nil
	}
}

func everyKeyField(t *testing.T, f *fixture) {
	var k provider.KeyRecord
	fill(t, &k)
	require.NoError(t, f.UpdateKeys(t.Context(), func(now []provider.KeyRecord) ([]provider.KeyRecord, error) {
		require.Empty(t, now)
		return []provider.KeyRecord{k}, nil
	}))
	keys, err := f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]provider.KeyRecord{k}, keys))

	require.NoError(t, f.UpdateKeys(t.Context(), addKey("second")))
	keys, err = f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Equal(t, "second", keys[0].KID, "the oldest first")
	require.Len(t, keys, 2)
	require.NoError(t, f.UpdateKeys(t.Context(), func(now []provider.KeyRecord) ([]provider.KeyRecord, error) {
		return now[:1], nil
	}))
	keys, err = f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
}

func keyChangeFails(t *testing.T, f *fixture) {
	require.NoError(t, f.UpdateKeys(t.Context(), addKey("one")))
	wrong := errors.New("no entropy")
	require.ErrorIs(t, f.UpdateKeys(t.Context(), func([]provider.KeyRecord) ([]provider.KeyRecord, error) {
		return nil, wrong
	}), wrong)
	require.NoError(t, f.UpdateKeys(t.Context(), func(now []provider.KeyRecord) ([]provider.KeyRecord, error) {
		return now, nil
	}))
	require.Error(t, f.UpdateKeys(t.Context(), addKey("one")), "the same kid twice")
	keys, err := f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
}

func keyRace(t *testing.T, f *fixture) {
	replicas := []*store.Store{f.Store, f.replica(t)}
	for _, err := range parallel(50, func(i int) error {
		return replicas[i%2].UpdateKeys(t.Context(), addKey(fmt.Sprint(i)))
	}) {
		require.NoError(t, err)
	}
	keys, err := f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 50)
}

func wrongSealKey(t *testing.T, f *fixture) {
	require.NoError(t, f.UpdateKeys(t.Context(), addKey("one")))
	other := Open(t, store.Options{DSN: f.dsn, SealKey: bytes.Repeat([]byte{8}, 32)})
	_, err := other.ListKeys(t.Context())
	require.ErrorContains(t, err, "the configured secret is not the one")
	require.Equal(t, identity.ReasonInternal, identity.ReasonOf(err))
	require.Error(t, other.UpdateKeys(t.Context(), addKey("two")), "and does not overwrite what it cannot read")
	keys, err := f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, keys, 1)
}

func noSealKey(t *testing.T, f *fixture) {
	s, err := store.Open(context.Background(), store.Options{DSN: f.dsn, Now: noon})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	keys, err := s.ListKeys(t.Context())
	require.NoError(t, err)
	require.Empty(t, keys)
	require.ErrorContains(t, s.UpdateKeys(t.Context(), addKey("one")), "seal key")
	_, err = store.Open(context.Background(), store.Options{DSN: f.dsn, Now: noon, SealKey: []byte("short")})
	require.ErrorContains(t, err, "must have 32")
}
