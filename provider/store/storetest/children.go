package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

// childChecks are about grants that were made of others.
func childChecks() []check {
	return []check{
		{"a grant ends with the one that it was made of, however that ends", childrenEnd},
		{"a grant is not made of one that is revoked or gone", orphans},
		{"no grant survives the one that it is being made of", childRace},
		{"a grant is found by its id with the token that lives longest", findGrant},
	}
}

// child makes a grant of client of another one.
func (f *fixture) child(t *testing.T, id, parent, client, subject string) error {
	t.Helper()
	now := f.clock.now()
	return f.Issue(t.Context(), &provider.Issue{
		GrantID: id, Parent: parent,
		NewGrant: &provider.GrantRecord{
			ID: id, ClientID: client, Subject: subject, Origin: "token_exchange", CreatedAt: now, ExpiresAt: now.Add(time.Hour),
		},
		Tokens: []provider.TokenRecord{{Hash: hash(id), GrantID: id, Kind: provider.KindAccess, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}},
	})
}

func (f *fixture) revoked(t *testing.T, id string) bool {
	t.Helper()
	st, err := f.FindToken(t.Context(), hash(id))
	require.NoError(t, err)
	return !st.Grant.RevokedAt.IsZero()
}

func childrenEnd(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	require.NoError(t, f.SaveClient(t.Context(), &provider.Client{ID: "app"}))
	ends := []struct {
		name string
		end  func(root string) error
	}{
		{"its own revocation", func(root string) error {
			n, err := f.Revoke(t.Context(), provider.RevokeQuery{GrantID: root, Reason: "revoked"})
			require.Equal(t, 5, n)
			return err
		}},
		{"a withdrawn consent", func(string) error { return f.RevokeConsent(t.Context(), alice, "app", nil) }},
		{"signing out everywhere", func(string) error {
			return f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, Grants: true})
		}},
		{"a deleted client", func(string) error { return f.DeleteClient(t.Context(), "app") }},
		{"a disabled user", func(string) error { return f.SetStatus(t.Context(), alice, identity.StatusDisabled) }},
	}
	for i, e := range ends {
		id := func(s string) string { return fmt.Sprintf("%d-%s", i, s) }
		f.issueGrant(t, id("root"), alice)
		require.NoError(t, f.child(t, id("stranger"), "", "other", "somebody"))
		require.NoError(t, f.child(t, id("a"), id("root"), "other", alice), e.name)
		require.NoError(t, f.child(t, id("b"), id("root"), "other", alice))
		require.NoError(t, f.child(t, id("a-a"), id("a"), "third", alice))
		require.NoError(t, f.child(t, id("a-a-a"), id("a-a"), "fourth", alice))
		require.NoError(t, e.end(id("root")))
		for _, name := range []string{"a", "b", "a-a", "a-a-a"} {
			require.True(t, f.revoked(t, id(name)), "%s: %s", e.name, name)
		}
		require.False(t, f.revoked(t, id("stranger")))
	}
}

func orphans(t *testing.T, f *fixture) {
	f.issueGrant(t, "root", "alice")
	require.ErrorIs(t, f.child(t, "a", "no such", "other", "alice"), identity.ErrNotFound)
	_, err := f.Revoke(t.Context(), provider.RevokeQuery{GrantID: "root"})
	require.NoError(t, err)
	require.ErrorIs(t, f.child(t, "b", "root", "other", "alice"), identity.ErrNotFound)
	for _, id := range []string{"a", "b"} {
		_, err := f.FindToken(t.Context(), hash(id))
		require.ErrorIs(t, err, identity.ErrNotFound, "nothing of it is written")
	}
}

// childRace makes grants of one while it is revoked, or its user disabled.
func childRace(t *testing.T, f *fixture) {
	for round := range 6 {
		alice := f.person(t, fmt.Sprintf("alice%d", round))
		root := fmt.Sprintf("root%d", round)
		f.issueGrant(t, root, alice)
		var making sync.WaitGroup
		made := make([]bool, 20)
		for i := range made {
			making.Go(func() { made[i] = f.child(t, fmt.Sprintf("%s-%d", root, i), root, "other", alice) == nil })
		}
		var err error
		if round%2 == 0 {
			_, err = f.Revoke(t.Context(), provider.RevokeQuery{GrantID: root})
		} else {
			err = f.SetStatus(t.Context(), alice, identity.StatusDisabled)
		}
		require.NoError(t, err)
		making.Wait()
		for i := range made {
			if made[i] {
				require.True(t, f.revoked(t, fmt.Sprintf("%s-%d", root, i)), "a grant survived the one that it was made of")
			}
		}
	}
}

func findGrant(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "alice")
	got, err := f.FindGrant(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "g", got.Grant.ID)
	require.Equal(t, hash("g-refresh-0"), got.Token.Hash)
	_, err = f.FindGrant(t.Context(), "no such")
	require.ErrorIs(t, err, identity.ErrNotFound)
}
