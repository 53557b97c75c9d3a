package storetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func grantChecks() []check {
	return []check{
		{"a revocation counts the live grants it ends and is idempotent", revokeCounts},
		{"a revocation selects by exactly one thing", revokeSelection},
		{"an identifier is remembered once until it expires", rememberOnce},
		{"of 50 that remember one identifier one wins", rememberRace},
		{"every field of an event comes back and pages lose none", eventPages},
		{"events come with an issue and with a revocation", eventsInTransactions},
		{"bytes that no text may hold are replaced", hostileBytes},
	}
}

func revokeCounts(t *testing.T, f *fixture) {
	for _, id := range []string{"a1", "a2"} {
		f.issueGrant(t, id, "alice")
	}
	f.issueGrant(t, "b1", "bob")
	f.issueGrant(t, "none", "")
	q := provider.RevokeQuery{Subject: "alice", Reason: "logout", At: noon().Add(time.Minute)}
	for _, want := range []int{2, 0} {
		n, err := f.Revoke(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	got, err := f.FindToken(t.Context(), hash("a1-access-0"))
	require.NoError(t, err)
	require.Equal(t, q.At, got.Grant.RevokedAt)
	require.Equal(t, "logout", got.Grant.RevokeReason)
	n, err := f.Revoke(t.Context(), provider.RevokeQuery{ClientID: "app"})
	require.NoError(t, err)
	require.Equal(t, 2, n, "those of bob and of nobody are left")

	f.issueGrant(t, "late", "carol")
	n, err = f.Revoke(t.Context(), provider.RevokeQuery{Subject: "carol", At: noon().Add(24 * time.Hour)})
	require.NoError(t, err)
	require.Zero(t, n, "it had expired")
	n, err = f.Revoke(t.Context(), provider.RevokeQuery{GrantID: "no such"})
	require.NoError(t, err)
	require.Zero(t, n)
}

func revokeSelection(t *testing.T, f *fixture) {
	for _, q := range []provider.RevokeQuery{
		{},
		{Reason: "x"},
		{GrantID: "g", Subject: "s"},
		{Subject: "s", ClientID: "c"},
		{GrantID: "g", ClientID: "c"},
	} {
		_, err := f.Revoke(t.Context(), q)
		require.Error(t, err, q)
	}
}

func rememberOnce(t *testing.T, f *fixture) {
	expires := noon().Add(time.Minute)
	require.NoError(t, f.RememberOnce(t.Context(), "a", "1", expires))
	require.ErrorIs(t, f.RememberOnce(t.Context(), "a", "1", expires), identity.ErrConflict)
	require.NoError(t, f.RememberOnce(t.Context(), "b", "1", expires), "another namespace")
	require.NoError(t, f.RememberOnce(t.Context(), "a", "2", expires), "another id")
	f.clock.advance(time.Minute)
	require.NoError(t, f.RememberOnce(t.Context(), "a", "1", expires.Add(time.Minute)), "it has expired")
	require.ErrorIs(t, f.RememberOnce(t.Context(), "a", "1", expires), identity.ErrConflict)
}

func rememberRace(t *testing.T, f *fixture) {
	won := 0
	for _, err := range parallel(50, func(int) error {
		return f.RememberOnce(t.Context(), "jti", "x", noon().Add(time.Hour))
	}) {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
	}
	require.Equal(t, 1, won)
}

func eventPages(t *testing.T, f *fixture) {
	var e identity.Event
	fill(t, &e)
	require.NoError(t, f.RecordEvent(t.Context(), e))
	got, err := f.ListEvents(t.Context(), store.EventQuery{Subject: e.Subject, Kind: e.Kind})
	require.NoError(t, err)
	require.Equal(t, []identity.Event{e}, got)

	for i := range 9 { // three in each millisecond
		at := e.At.Add(time.Duration(1+i/3) * time.Millisecond)
		require.NoError(t, f.RecordEvent(t.Context(), identity.Event{At: at, Kind: "login", Subject: "alice", RequestID: string(rune('0' + i))}))
	}
	var ids string
	for after := e.At; ; {
		page, err := f.ListEvents(t.Context(), store.EventQuery{Subject: "alice", Kind: "login", After: after, Limit: 2})
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, x := range page {
			ids, after = ids+x.RequestID, x.At
		}
	}
	require.Equal(t, "012345678", ids)
	for _, q := range []store.EventQuery{{Subject: "bob"}, {Kind: "logout"}, {After: e.At.Add(time.Second)}} {
		page, err := f.ListEvents(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, page)
	}
	all, err := f.ListEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	require.Len(t, all, 10)
}

func eventsInTransactions(t *testing.T, f *fixture) {
	grant := &provider.GrantRecord{ID: "g", ClientID: "app", ExpiresAt: noon().Add(time.Hour)}
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{
		GrantID: "g", NewGrant: grant, Events: []identity.Event{{At: noon(), Kind: "one"}, {At: noon(), Kind: "two"}},
	}))
	_, err := f.Revoke(t.Context(), provider.RevokeQuery{GrantID: "g", Event: &identity.Event{At: noon(), Kind: "three"}})
	require.NoError(t, err)
	require.Error(t, f.Issue(t.Context(), &provider.Issue{GrantID: "g", Events: []identity.Event{{Kind: "never"}}}))
	events, err := f.ListEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
	}
	require.Equal(t, []string{"one", "two", "three"}, kinds)
}

func hostileBytes(t *testing.T, f *fixture) {
	bad := "a\x00b\xffc"
	require.NoError(t, f.RecordEvent(t.Context(), identity.Event{Kind: "login", RequestID: bad}))
	events, err := f.ListEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	require.Equal(t, "a\uFFFDb\uFFFDc", events[0].RequestID)
	require.NoError(t, f.RememberOnce(t.Context(), bad, bad, noon().Add(time.Hour)))
	require.NoError(t, f.RecordFailure(t.Context(), []string{bad}, identity.Event{Subject: bad}))
	_, err = f.FindLogin(t.Context(), "default", bad)
	require.Equal(t, identity.ErrNotFound, err)
	_, err = f.FindClient(t.Context(), bad)
	require.Equal(t, identity.ErrNotFound, err)
	_, err = f.FindUser(t.Context(), bad)
	require.Equal(t, identity.ErrNotFound, err)
	_, err = f.FindAccountByID(t.Context(), "faveo", bad)
	require.Equal(t, identity.ErrNotFound, err)
}
