package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/registration"
	"keyway/provider/store"
)

func registrationChecks() []check {
	return []check{
		{"every field of an invitation comes back", everyInvitationField},
		{"of 50 that use an invitation for three at once, three win", useInvitationInParallel},
		{"an invitation that has expired registers nobody, and is swept", expiredInvitation},
		{"no more clients are registered than may be, by 50 at once", registerUntilFull},
		{"changes of one registered client lose nothing of each other", changeInParallel},
		{"a client that is gone, or did not register itself, is not changed", changeNothing},
	}
}

func (f *fixture) invite(t *testing.T, uses int) *registration.Invitation {
	t.Helper()
	i := &registration.Invitation{MaxUses: uses, CreatedAt: f.clock.now(), ExpiresAt: f.clock.now().Add(time.Hour)}
	require.NotEmpty(t, registration.NewInvitation(i))
	require.NoError(t, f.AddInvitation(t.Context(), i))
	return i
}

// entry is a registration by an invitation, which may be nil.
func entry(id string, by *registration.Invitation, most int) *registration.Entry {
	e := &registration.Entry{
		Client: &client.Client{ID: id, Source: client.SourceDynamic}, MaxClients: most, Event: identity.Event{Kind: "client_registered", ClientID: id},
	}
	if by != nil {
		e.Invitation = &by.Hash
	}
	return e
}

func everyInvitationField(t *testing.T, f *fixture) {
	var i registration.Invitation
	fill(t, &i)
	require.NoError(t, f.AddInvitation(t.Context(), &i))
	got, err := f.FindInvitation(t.Context(), i.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&i, got))
	all, err := f.ListInvitations(t.Context())
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]registration.Invitation{i}, all))
	require.NoError(t, f.DeleteInvitation(t.Context(), i.ID))
	require.ErrorIs(t, f.DeleteInvitation(t.Context(), i.ID), identity.ErrNotFound)
	_, err = f.FindInvitation(t.Context(), i.Hash)
	require.ErrorIs(t, err, identity.ErrNotFound)
	without := f.invite(t, 1)
	got, err = f.FindInvitation(t.Context(), without.Hash)
	require.NoError(t, err)
	require.Nil(t, got.Scopes, "no ceiling is not an empty one")
}

func useInvitationInParallel(t *testing.T, f *fixture) {
	i, replica := f.invite(t, 3), f.replica(t)
	errs := parallel(50, func(n int) error {
		return []*store.Store{f.Store, replica}[n%2].RegisterClient(t.Context(), entry(fmt.Sprint("dyn_", n), i, 1000))
	})
	won := 0
	for n, err := range errs {
		_, find := f.FindClient(t.Context(), fmt.Sprint("dyn_", n))
		if err == nil {
			won++
			require.NoError(t, find)
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
		require.ErrorIs(t, find, identity.ErrNotFound)
	}
	require.Equal(t, 3, won)
	got, err := f.FindInvitation(t.Context(), i.Hash)
	require.NoError(t, err)
	require.Equal(t, 3, got.Uses)
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "client_registered"})
	require.NoError(t, err)
	require.Len(t, events, 3)
}

func expiredInvitation(t *testing.T, f *fixture) {
	i := f.invite(t, 2)
	require.NoError(t, f.RegisterClient(t.Context(), entry("dyn_1", i, 10)))
	f.clock.advance(time.Hour)
	require.ErrorIs(t, f.RegisterClient(t.Context(), entry("dyn_2", i, 10)), identity.ErrConflict)
	all, err := f.ListInvitations(t.Context())
	require.NoError(t, err)
	require.Empty(t, all)
	_, err = f.Sweep(t.Context())
	require.NoError(t, err)
	_, err = f.FindInvitation(t.Context(), i.Hash)
	require.ErrorIs(t, err, identity.ErrNotFound)
	_, err = f.FindClient(t.Context(), "dyn_1")
	require.NoError(t, err, "who was registered stays")
}

func registerUntilFull(t *testing.T, f *fixture) {
	require.NoError(t, f.SaveClient(t.Context(), &client.Client{ID: "declared", Source: client.SourceConfig}))
	require.Error(t, f.RegisterClient(t.Context(), &registration.Entry{Client: &client.Client{ID: "x"}, MaxClients: 5}))
	i, replica := f.invite(t, 100), f.replica(t)
	errs := parallel(50, func(n int) error {
		return []*store.Store{f.Store, replica}[n%2].RegisterClient(t.Context(), entry(fmt.Sprint("dyn_", n), i, 5))
	})
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else {
			require.ErrorIs(t, err, registration.ErrFull)
		}
	}
	require.Equal(t, 5, won)
	got, err := f.FindInvitation(t.Context(), i.Hash)
	require.NoError(t, err)
	require.Equal(t, 5, got.Uses, "who was not registered used nothing up")
	for n, err := range errs {
		if err == nil {
			require.NoError(t, f.DeleteClient(t.Context(), fmt.Sprint("dyn_", n)))
			break
		}
	}
	require.NoError(t, f.RegisterClient(t.Context(), entry("dyn_again", nil, 5)))
}

func changeInParallel(t *testing.T, f *fixture) {
	require.NoError(t, f.RegisterClient(t.Context(), entry("dyn_1", nil, 5)))
	replica := f.replica(t)
	errs := parallel(50, func(n int) error {
		return []*store.Store{f.Store, replica}[n%2].ChangeClient(t.Context(), "dyn_1", func(c *client.Client) error {
			c.Contacts = append(c.Contacts, fmt.Sprint(n))
			return nil
		}, identity.Event{Kind: "client_updated", ClientID: "dyn_1"})
	})
	require.NoError(t, errors.Join(errs...))
	c, err := f.FindClient(t.Context(), "dyn_1")
	require.NoError(t, err)
	require.Len(t, c.Contacts, 50)
}

func changeNothing(t *testing.T, f *fixture) {
	require.NoError(t, f.SaveClient(t.Context(), &client.Client{ID: "declared", Source: client.SourceConfig}))
	never := func(*client.Client) error { return errors.New("called") }
	for _, id := range []string{"declared", "nobody"} {
		require.ErrorIs(t, f.ChangeClient(t.Context(), id, never, identity.Event{}), identity.ErrNotFound)
	}
	require.NoError(t, f.RegisterClient(t.Context(), entry("dyn_1", nil, 5)))
	own := errors.New("no")
	err := f.ChangeClient(t.Context(), "dyn_1", func(c *client.Client) error {
		c.Name = "changed"
		return own
	}, identity.Event{Kind: "client_updated"})
	require.ErrorIs(t, err, own)
	c, err := f.FindClient(t.Context(), "dyn_1")
	require.NoError(t, err)
	require.Empty(t, c.Name)
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "client_updated"})
	require.NoError(t, err)
	require.Empty(t, events)
}
