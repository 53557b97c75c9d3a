package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

func requestChecks() []check {
	return []check{
		{"every field of a pushed request comes back, until it expires", everyPushedField},
		{"of 50 that use one pushed request one wins (regression 10)", pushedRace},
		{"an issue uses its pushed request up, or does nothing", issueEndsPushed},
		{"a pushed request that somebody signs in for outlives its time, and the sweep", pushedIsKept},
		{"a source has so many pushed requests at most", pushedBound},
		{"a browser and a source have so many interactions at most, and the newest stay", interactionBound},
		{"an interaction that has ended is told apart for a while", endedInteraction},
		{"of 50 consents at once none is lost", consentRace},
	}
}

func (f *fixture) pushed(t *testing.T, name, source string) *provider.PushedRequest {
	t.Helper()
	r := &provider.PushedRequest{Hash: hash(name), ClientID: "app", Source: source, Query: "a=b", ExpiresAt: f.clock.now().Add(90 * time.Second)}
	require.NoError(t, f.AddPushed(t.Context(), r))
	return r
}

func everyPushedField(t *testing.T, f *fixture) {
	var want provider.PushedRequest
	fill(t, &want)
	want.ExpiresAt = noon().Add(time.Minute)
	require.NoError(t, f.AddPushed(t.Context(), &want))
	got, err := f.FindPushed(t.Context(), want.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want, got))
	_, err = f.FindPushed(t.Context(), hash("nope"))
	require.Equal(t, identity.ErrNotFound, err)
	f.clock.advance(time.Minute)
	_, err = f.FindPushed(t.Context(), want.Hash)
	require.Equal(t, identity.ErrNotFound, err)
}

func pushedRace(t *testing.T, f *fixture) {
	r := f.pushed(t, "r", "")
	second := f.replica(t)
	won := 0
	for _, err := range parallel(50, func(i int) error {
		id := fmt.Sprint("g", i)
		x := &provider.Issue{GrantID: id, Pushed: &r.Hash, NewGrant: &provider.GrantRecord{ID: id, ClientID: "app", ExpiresAt: noon().Add(time.Hour)}}
		if i%2 == 0 {
			return second.Issue(t.Context(), x)
		}
		return f.Issue(t.Context(), x)
	}) {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
	}
	require.Equal(t, 1, won)
	_, err := f.FindPushed(t.Context(), r.Hash)
	require.Equal(t, identity.ErrNotFound, err)
	require.Equal(t, identity.ErrNotFound, f.EndPushed(t.Context(), r.Hash))
}

func issueEndsPushed(t *testing.T, f *fixture) {
	r, i := f.pushed(t, "r", ""), f.interaction(t, "i")
	require.NoError(t, f.EndInteraction(t.Context(), i.Hash))
	issue := &provider.Issue{
		GrantID: "g", Pushed: &r.Hash, Interaction: &i.Hash, NewGrant: &provider.GrantRecord{ID: "g", ExpiresAt: noon().Add(time.Hour)},
	}
	require.ErrorIs(t, f.Issue(t.Context(), issue), identity.ErrConflict)
	_, err := f.FindPushed(t.Context(), r.Hash)
	require.NoError(t, err, "nothing was written")
}

func pushedIsKept(t *testing.T, f *fixture) {
	r := f.pushed(t, "r", "")
	f.pushed(t, "abandoned", "")
	i := &provider.Interaction{Hash: hash("i"), Browser: hash("b"), Pushed: r.Hash, CreatedAt: noon(), ExpiresAt: noon().Add(time.Hour)}
	require.NoError(t, f.AddInteraction(t.Context(), i))
	f.clock.advance(30 * time.Minute)
	n, err := f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n, "the one that nobody came for")
	_, err = f.FindPushed(t.Context(), r.Hash)
	require.Equal(t, identity.ErrNotFound, err, "nobody else may begin with it")
	require.NoError(t, f.EndPushed(t.Context(), r.Hash))
	again := *i
	again.Hash = hash("again")
	require.ErrorIs(t, f.AddInteraction(t.Context(), &again), identity.ErrNotFound)
}

func pushedBound(t *testing.T, f *fixture) {
	for n := range provider.MaxPushedPerSource + 1 {
		f.pushed(t, fmt.Sprint("r", n), "192.0.2.1/32")
		f.clock.advance(time.Millisecond)
	}
	other := f.pushed(t, "other", "192.0.2.2/32")
	confidential := f.pushed(t, "confidential", "")
	_, err := f.FindPushed(t.Context(), hash("r0"))
	require.Equal(t, identity.ErrNotFound, err, "the oldest went")
	for _, h := range []provider.Hash{hash("r1"), hash(fmt.Sprint("r", provider.MaxPushedPerSource)), other.Hash, confidential.Hash} {
		_, err := f.FindPushed(t.Context(), h)
		require.NoError(t, err)
	}
}

func interactionBound(t *testing.T, f *fixture) {
	add := func(name, browser, source string) {
		require.NoError(t, f.AddInteraction(t.Context(), &provider.Interaction{
			Hash: hash(name), Browser: hash(browser), Source: source, CreatedAt: f.clock.now(), ExpiresAt: f.clock.now().Add(time.Hour),
		}))
		f.clock.advance(time.Millisecond)
	}
	there := func(name string) bool {
		_, err := f.FindInteraction(t.Context(), hash(name))
		if err != nil {
			require.Equal(t, identity.ErrNotFound, err)
		}
		return err == nil
	}
	add("mine", "elsewhere", "192.0.2.2/32")
	for n := range provider.MaxInteractionsPerBrowser + 1 {
		add(fmt.Sprint("tab", n), "many tabs", "")
	}
	require.False(t, there("tab0"))
	require.True(t, there("tab1"))
	require.True(t, there(fmt.Sprint("tab", provider.MaxInteractionsPerBrowser)))
	for n := range provider.MaxInteractionsPerSource + 2 {
		add(fmt.Sprint("flood", n), fmt.Sprint("no cookies", n), "192.0.2.1/32")
	}
	require.False(t, there("flood1"))
	require.True(t, there("flood2"))
	require.True(t, there("mine"), "of another source")
	require.True(t, there("tab1"), "of no source")
}

func endedInteraction(t *testing.T, f *fixture) {
	i := f.interaction(t, "i")
	require.NoError(t, f.EndInteraction(t.Context(), i.Hash))
	got, err := f.FindInteraction(t.Context(), i.Hash)
	require.NoError(t, err)
	require.Equal(t, noon(), got.EndedAt)
	require.Equal(t, identity.ErrNotFound, f.UpdateInteraction(t.Context(), i))
	require.Equal(t, identity.ErrNotFound, f.EndInteraction(t.Context(), i.Hash))
	f.clock.advance(2 * time.Minute)
	_, err = f.FindInteraction(t.Context(), i.Hash)
	require.Equal(t, identity.ErrNotFound, err)
}

func consentRace(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	for _, err := range parallel(50, func(i int) error {
		id := fmt.Sprint("g", i)
		return f.Issue(t.Context(), &provider.Issue{
			GrantID: id, NewGrant: &provider.GrantRecord{ID: id, ExpiresAt: noon().Add(time.Hour)},
			Consent: &provider.Consent{Subject: alice, ClientID: "app", Scopes: []string{"openid", fmt.Sprint("scope", i)}, GivenAt: noon()},
		})
	}) {
		require.NoError(t, err)
	}
	got, err := f.FindConsent(t.Context(), alice, "app")
	require.NoError(t, err)
	require.Len(t, got.Scopes, 51)
}
