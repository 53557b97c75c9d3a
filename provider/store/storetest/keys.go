package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/keys"
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

func addKey(kid string) func([]keys.Record) ([]keys.Record, error) {
	return func(now []keys.Record) ([]keys.Record, error) {
		return append(now, keys.Record{KID: kid, PrivateJWK: []byte(`{"kty":"EC"}`), CreatedAt: noon()}), nil
	}
}

func everyKeyField(t *testing.T, f *fixture) {
	var k keys.Record
	fill(t, &k)
	require.NoError(t, f.UpdateKeys(t.Context(), func(now []keys.Record) ([]keys.Record, error) {
		require.Empty(t, now)
		return []keys.Record{k}, nil
	}))
	stored, err := f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]keys.Record{k}, stored))

	require.NoError(t, f.UpdateKeys(t.Context(), addKey("second")))
	stored, err = f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Equal(t, "second", stored[0].KID, "the oldest first")
	require.Len(t, stored, 2)
	require.NoError(t, f.UpdateKeys(t.Context(), func(now []keys.Record) ([]keys.Record, error) {
		return now[:1], nil
	}))
	stored, err = f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, stored, 1)
}

func keyChangeFails(t *testing.T, f *fixture) {
	require.NoError(t, f.UpdateKeys(t.Context(), addKey("one")))
	wrong := errors.New("no entropy")
	require.ErrorIs(t, f.UpdateKeys(t.Context(), func([]keys.Record) ([]keys.Record, error) {
		return nil, wrong
	}), wrong)
	require.NoError(t, f.UpdateKeys(t.Context(), func(now []keys.Record) ([]keys.Record, error) {
		return now, nil
	}))
	require.Error(t, f.UpdateKeys(t.Context(), addKey("one")), "the same kid twice")
	stored, err := f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, stored, 1)
}

func keyRace(t *testing.T, f *fixture) {
	replicas := []*store.Store{f.Store, f.replica(t)}
	for _, err := range parallel(50, func(i int) error {
		return replicas[i%2].UpdateKeys(t.Context(), addKey(fmt.Sprint(i)))
	}) {
		require.NoError(t, err)
	}
	stored, err := f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, stored, 50)
}

func wrongSealKey(t *testing.T, f *fixture) {
	require.NoError(t, f.UpdateKeys(t.Context(), addKey("one")))
	other := Open(t, store.Options{DSN: f.dsn, SealKey: bytes.Repeat([]byte{8}, 32)})
	_, err := other.ListKeys(t.Context())
	require.ErrorContains(t, err, "the configured secret is not the one")
	require.Equal(t, identity.ReasonInternal, identity.ReasonOf(err))
	require.Error(t, other.UpdateKeys(t.Context(), addKey("two")), "and does not overwrite what it cannot read")
	stored, err := f.ListKeys(t.Context())
	require.NoError(t, err)
	require.Len(t, stored, 1)
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
