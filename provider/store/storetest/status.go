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

func statusChecks() []check {
	return []check{
		{"a user who is disabled or deleted gets no grant", noGrantForDisabled},
		{"no grant survives a disabling that it races", statusRace},
		{"each change of a status, a client and the keys is an event", administrativeEvents},
	}
}

func (f *fixture) grantTo(ctx context.Context, id, subject string) error {
	return f.Issue(ctx, &provider.Issue{
		GrantID:  id,
		NewGrant: &provider.GrantRecord{ID: id, ClientID: "app", Subject: subject, ExpiresAt: noon().Add(time.Hour)},
		Tokens:   []provider.TokenRecord{{Hash: hash(id), GrantID: id, Kind: provider.KindAccess, ExpiresAt: noon().Add(time.Hour)}},
	})
}

func noGrantForDisabled(t *testing.T, f *fixture) {
	subject := f.saveUser(t, "alice")
	for i, status := range []identity.Status{identity.StatusDisabled, identity.StatusDeleted, identity.StatusUnverified, identity.StatusActive} {
		require.NoError(t, f.SetStatus(t.Context(), subject, status))
		err := f.grantTo(t.Context(), fmt.Sprint("g", i), subject)
		_, missing := f.FindToken(t.Context(), hash(fmt.Sprint("g", i)))
		if i < 2 {
			require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err), status)
			require.Equal(t, identity.ErrNotFound, missing)
			continue
		}
		require.NoError(t, err, status)
		require.NoError(t, missing)
	}
	require.NoError(t, f.grantTo(t.Context(), "upstream", "somebody elsewhere"))
}

func statusRace(t *testing.T, f *fixture) {
	subject := f.saveUser(t, "alice")
	replicas := []*store.Store{f.Store, f.replica(t)}
	for round := range 10 {
		id := func(i int) string { return fmt.Sprint("g", round, "-", i) }
		errs := parallel(20, func(i int) error {
			if i == 10 {
				return replicas[0].SetStatus(t.Context(), subject, identity.StatusDisabled)
			}
			return (&fixture{Store: replicas[i%2]}).grantTo(t.Context(), id(i), subject)
		})
		require.NoError(t, errs[10])
		require.NoError(t, f.SetStatus(t.Context(), subject, identity.StatusActive))
		for i, err := range errs {
			if i == 10 {
				continue
			}
			got, missing := f.FindToken(t.Context(), hash(id(i)))
			if err != nil {
				require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err), err)
				require.Equal(t, identity.ErrNotFound, missing)
				continue
			}
			require.NoError(t, missing)
			require.False(t, got.Grant.RevokedAt.IsZero(), "it works again when the user is enabled")
		}
	}
}

func administrativeEvents(t *testing.T, f *fixture) {
	subject := f.saveUser(t, "alice")
	c := provider.Client{ID: "app"}
	for _, do := range []func(context.Context) error{
		func(ctx context.Context) error { return f.SetStatus(ctx, subject, identity.StatusDisabled) },
		func(ctx context.Context) error { return f.SetStatus(ctx, subject, identity.StatusActive) },
		func(ctx context.Context) error { return f.SetStatus(ctx, subject, identity.StatusDeleted) },
		func(ctx context.Context) error {
			r := record("alice")
			r.User.Status = identity.StatusUnverified
			_, err := f.SaveRecords(ctx, []identity.Record{r})
			return err
		},
		func(ctx context.Context) error { return f.SaveClient(ctx, &c) },
		func(ctx context.Context) error { c.Name = "other"; return f.SaveClient(ctx, &c) },
		func(ctx context.Context) error { return f.UpdateKeys(ctx, addKey("one")) },
	} {
		require.NoError(t, do(t.Context()))
		require.NoError(t, f.SaveClient(t.Context(), &provider.Client{ID: "same"})) // an event the first time only
	}
	require.NoError(t, f.SetStatus(t.Context(), subject, identity.StatusUnverified), "it is so already")
	require.NoError(t, f.DeleteClient(t.Context(), "app"))
	require.Error(t, f.DeleteClient(t.Context(), "app"))
	require.Error(t, f.SetStatus(t.Context(), "nobody", identity.StatusActive))
	events, err := f.ListEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	var got []string
	for _, e := range events {
		got = append(got, e.Kind+" "+e.Subject+e.ClientID)
	}
	require.Equal(t, []string{
		"user_disabled " + subject, "client_saved same", "user_enabled " + subject, "user_deleted " + subject,
		"user_unverified " + subject, "client_saved app", "client_saved app", "keys_rotated ", "client_deleted app",
	}, got)
}
