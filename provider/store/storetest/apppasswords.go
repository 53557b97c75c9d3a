package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

func appPasswordChecks() []check {
	return []check{
		{"every field of an app password is kept", everyAppPasswordField},
		{"an app password is one system's, and removing it ends that system's grants", appPasswordOfOneSystem},
		{"nobody has more than fifty app passwords, however many they make at once", appPasswordsAreBounded},
	}
}

func everyAppPasswordField(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	var p identity.AppPassword
	fill(t, &p)
	p.Subject = alice
	require.NoError(t, f.AddAppPassword(t.Context(), &p))
	found, err := f.FindAppPassword(t.Context(), p.System, p.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&p, found))
	all, err := f.ListAppPasswords(t.Context(), alice)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]identity.AppPassword{p}, all))
	later := p.UsedAt.Add(time.Hour)
	require.NoError(t, f.TouchAppPassword(t.Context(), p.ID, later))
	require.NoError(t, f.TouchAppPassword(t.Context(), p.ID, p.UsedAt))
	found, err = f.FindAppPassword(t.Context(), p.System, p.Hash)
	require.NoError(t, err)
	require.Equal(t, later, found.UsedAt)
	p.Subject = "nobody"
	require.ErrorIs(t, f.AddAppPassword(t.Context(), &p), identity.ErrNotFound)
}

func appPasswordOfOneSystem(t *testing.T, f *fixture) {
	alice, bob := f.person(t, "alice"), f.person(t, "bob")
	_, h := identity.NewAppPassword()
	require.NoError(t, f.AddAppPassword(t.Context(), &identity.AppPassword{ID: "p1", Subject: alice, System: "faveo", Hash: h}))
	_, err := f.FindAppPassword(t.Context(), "ossn", h)
	require.ErrorIs(t, err, identity.ErrNotFound)
	require.ErrorIs(t, f.RemoveAppPassword(t.Context(), bob, "p1"), identity.ErrNotFound)
	for _, system := range []string{"faveo", "ossn"} {
		g := f.grantOf(t, system, alice)
		require.NotEmpty(t, g)
	}
	require.NoError(t, f.RemoveAppPassword(t.Context(), alice, "p1"))
	require.ErrorIs(t, f.RemoveAppPassword(t.Context(), alice, "p1"), identity.ErrNotFound)
	for system, revoked := range map[string]bool{"faveo": true, "ossn": false} {
		st, err := f.FindToken(t.Context(), hash(system+"-token"))
		require.NoError(t, err)
		require.Equal(t, revoked, !st.Grant.RevokedAt.IsZero(), system)
	}
}

func appPasswordsAreBounded(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	made := 0
	for _, err := range parallel(60, func(i int) error {
		_, h := identity.NewAppPassword()
		return f.AddAppPassword(t.Context(), &identity.AppPassword{ID: fmt.Sprint("p", i), Subject: alice, System: "faveo", Hash: h})
	}) {
		if err == nil {
			made++
			continue
		}
		require.True(t, errors.Is(err, identity.ErrConflict), "%v", err)
	}
	require.Equal(t, 50, made)
	for limit, want := range map[int]int{-1: 0, 7: 7, 100: 50} {
		all, err := f.AllAppPasswords(t.Context(), limit)
		require.NoError(t, err)
		require.Len(t, all, want)
	}
}

// grantOf adds a grant of a legacy system, with an access token.
func (f *fixture) grantOf(t *testing.T, system, subject string) string {
	t.Helper()
	now := f.clock.now()
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{
		GrantID: system + "-grant",
		NewGrant: &provider.GrantRecord{
			ID: system + "-grant", ClientID: "legacy:" + system, Subject: subject, Origin: "password", System: system,
			CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		},
		Tokens: []provider.TokenRecord{{
			Hash: hash(system + "-token"), GrantID: system + "-grant", Kind: provider.KindAccess, IssuedAt: now, ExpiresAt: now.Add(time.Hour),
		}},
	}))
	return system + "-grant"
}
