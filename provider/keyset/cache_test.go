package keyset_test

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/keyset"
)

// site is somebody's key set, which can be changed, taken away, or hang.
type site struct {
	cache   *keyset.Cache
	mu      sync.Mutex
	now     time.Time
	body    []byte
	err     error
	gate    chan struct{} // when not nil, fetches wait for it
	fetches int
}

func (s *site) fetch(ctx context.Context, _ string) ([]byte, error) {
	s.mu.Lock()
	s.fetches++
	gate := s.gate
	s.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body, s.err
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) set(change func(s *site)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *site) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

const uri = "https://app.example/jwks"

func newSite(t *testing.T, kids ...string) *site {
	t.Helper()
	s := &site{now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), body: setOf(t, kids...)}
	c, err := keyset.NewCache(keyset.Options{Fetch: s.fetch, Now: s.clock})
	require.NoError(t, err)
	s.cache = c
	return s
}

func setOf(t *testing.T, kids ...string) []byte {
	t.Helper()
	keys := map[string]crypto.PublicKey{}
	for _, kid := range kids {
		keys[kid] = ecKey(t).Public()
	}
	return published(t, keys)
}

// want asks for a kid and checks whether it is there, and how many fetches
// there were until then.
func want(t *testing.T, s *site, kid string, has bool, fetches int) {
	t.Helper()
	set, err := s.cache.Keys(t.Context(), uri, kid)
	require.NoError(t, err)
	require.Equal(t, has, keyset.Has(set, kid))
	require.Equal(t, fetches, s.count())
}

func TestKeysAreFetchedOnceWhileTheyAreFresh(t *testing.T) {
	s := newSite(t, "a")
	for range 5 {
		want(t, s, "a", true, 1)
	}
	s.set(func(s *site) { s.now = s.now.Add(4 * time.Minute) })
	want(t, s, "a", true, 1)
}

func TestARotatedKeyIsSeenWithinAMinute(t *testing.T) {
	s := newSite(t, "a")
	want(t, s, "a", true, 1)
	next := setOf(t, "b")
	s.set(func(s *site) { s.body, s.now = next, s.now.Add(10*time.Second) })
	want(t, s, "b", false, 1) // too soon after the last fetch
	s.set(func(s *site) { s.now = s.now.Add(20 * time.Second) })
	want(t, s, "b", true, 2)
	want(t, s, "a", false, 2) // and the old key is gone
}

func TestUnknownKidsCannotMakeUsFetchMoreThanOnceInAWhile(t *testing.T) {
	s := newSite(t, "a")
	for i := range 50 {
		want(t, s, fmt.Sprint("made up ", i), false, 1)
	}
	want(t, s, "", false, 1)
	s.set(func(s *site) { s.now = s.now.Add(30 * time.Second) })
	want(t, s, "", false, 2) // who names no key may have a new one
}

func TestOldKeysAreUsedWhileAFetchFailsAndNotForever(t *testing.T) {
	s := newSite(t, "a")
	want(t, s, "a", true, 1)
	s.set(func(s *site) { s.err, s.now = errors.New("away"), s.now.Add(6*time.Minute) })
	set, err := s.cache.Keys(t.Context(), uri, "a") // the fetch goes on behind it
	require.NoError(t, err)
	require.True(t, keyset.Has(set, "a"))
	require.Eventually(t, func() bool { return s.count() == 2 }, 5*time.Second, time.Millisecond)
	s.set(func(s *site) { s.now = s.now.Add(23*time.Hour + 50*time.Minute) })
	want(t, s, "other", false, 3)
	s.set(func(s *site) { s.now = s.now.Add(10 * time.Minute) })
	_, err = s.cache.Keys(t.Context(), uri, "a")
	require.ErrorIs(t, err, keyset.ErrUnavailable)
	s.set(func(s *site) { s.err, s.now = nil, s.now.Add(time.Minute) })
	want(t, s, "a", true, 5)
}

func TestASetThatIsNoneIsLikeOneThatIsAway(t *testing.T) {
	s := newSite(t)
	_, err := s.cache.Keys(t.Context(), uri, "a")
	require.ErrorIs(t, err, keyset.ErrUnavailable)
	require.ErrorIs(t, err, keyset.ErrEmpty)
	_, err = s.cache.Keys(t.Context(), uri, "a")
	require.ErrorIs(t, err, keyset.ErrUnavailable)
	require.Equal(t, 1, s.count(), "it was asked a moment ago")
}

func TestManyCallersShareOneFetch(t *testing.T) {
	s := newSite(t, "a")
	gate := make(chan struct{})
	s.set(func(s *site) { s.gate = gate })
	var wait sync.WaitGroup
	for range 50 {
		wait.Go(func() {
			set, err := s.cache.Keys(t.Context(), uri, "a")
			require.NoError(t, err)
			require.True(t, keyset.Has(set, "a"))
		})
	}
	require.Eventually(t, func() bool { return s.count() == 1 }, 5*time.Second, time.Millisecond)
	close(gate)
	wait.Wait()
	require.Equal(t, 1, s.count())
}

func TestASlowSiteHoldsUpNobodyWhoseKeyIsKnown(t *testing.T) {
	s := newSite(t, "a")
	want(t, s, "a", true, 1)
	gate := make(chan struct{})
	defer close(gate)
	s.set(func(s *site) { s.gate, s.now = gate, s.now.Add(time.Hour) })
	set, err := s.cache.Keys(t.Context(), uri, "a")
	require.NoError(t, err)
	require.True(t, keyset.Has(set, "a"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = s.cache.Keys(ctx, uri, "b")
	require.ErrorIs(t, err, context.Canceled)
}

func TestSlowSitesAreFewAtATimeAndSetsAreBounded(t *testing.T) {
	s := newSite(t, "a")
	gate := make(chan struct{})
	s.set(func(s *site) { s.gate = gate })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 1100 {
		_, err := s.cache.Keys(ctx, fmt.Sprint(uri, i), "a")
		require.Error(t, err)
	}
	require.Eventually(t, func() bool { return s.count() == 16 }, 5*time.Second, time.Millisecond)
	close(gate)
	require.Eventually(t, func() bool {
		set, err := s.cache.Keys(t.Context(), uri, "a")
		return err == nil && keyset.Has(set, "a")
	}, 5*time.Second, time.Millisecond)
	require.LessOrEqual(t, s.cache.Len(), 1000)
}

func TestACacheNeedsItsOptions(t *testing.T) {
	_, err := keyset.NewCache(keyset.Options{})
	require.Error(t, err)
}
