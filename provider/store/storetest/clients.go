package storetest

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

func clientChecks() []check {
	return []check{
		{"every field of a client comes back", everyClientField},
		{"clients are listed in the order of their ids", listClients},
		{"deleting a client revokes its grants", deleteClient},
		{"a client without a usable id is refused", clientWithoutID},
	}
}

func everyClientField(t *testing.T, f *fixture) {
	var c provider.Client
	fill(t, &c)
	for range 2 {
		require.NoError(t, f.SaveClient(t.Context(), &c))
		got, err := f.FindClient(t.Context(), c.ID)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(&c, got))
	}
	c.Name, c.Scopes = "another", nil
	require.NoError(t, f.SaveClient(t.Context(), &c))
	got, err := f.FindClient(t.Context(), c.ID)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&c, got))
	_, err = f.FindClient(t.Context(), "nobody")
	require.Equal(t, identity.ErrNotFound, err)
}

func listClients(t *testing.T, f *fixture) {
	for _, id := range []string{"b", "B", "a", "_", "ä"} {
		require.NoError(t, f.SaveClient(t.Context(), &provider.Client{ID: id}))
	}
	clients, err := f.ListClients(t.Context())
	require.NoError(t, err)
	var ids []string
	for _, c := range clients {
		ids = append(ids, c.ID)
	}
	require.Equal(t, []string{"B", "_", "a", "b", "ä"}, ids)
}

func deleteClient(t *testing.T, f *fixture) {
	require.Equal(t, identity.ErrNotFound, f.DeleteClient(t.Context(), "app"))
	require.NoError(t, f.SaveClient(t.Context(), &provider.Client{ID: "app"}))
	f.issueGrant(t, "g", "")
	require.NoError(t, f.DeleteClient(t.Context(), "app"))
	_, err := f.FindClient(t.Context(), "app")
	require.Equal(t, identity.ErrNotFound, err)
	got, err := f.FindToken(t.Context(), hash("g-access-0"))
	require.NoError(t, err)
	require.Equal(t, noon(), got.Grant.RevokedAt)
}

func clientWithoutID(t *testing.T, f *fixture) {
	for _, id := range []string{"", "a\x00", "\xff", string(make([]byte, 600))} {
		require.Error(t, f.SaveClient(t.Context(), &provider.Client{ID: id}))
	}
}
