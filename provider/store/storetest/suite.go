package storetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/store"
)

// fixture is a store, its clock, and where its database is.
type fixture struct {
	*store.Store
	clock *clock
	dsn   string
}

// clock stands still until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// noon is where the clocks begin. It has no fraction of a millisecond, for times are
// stored without.
func noon() time.Time { return time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC) }

func sealKey() []byte { return bytes.Repeat([]byte{7}, 32) }

// Open opens a store that closes with the test. Its clock and seal key are fixed
// unless o says otherwise.
func Open(t testing.TB, o store.Options) *store.Store {
	t.Helper()
	if o.Now == nil {
		o.Now = noon
	}
	if o.SealKey == nil {
		o.SealKey = sealKey()
	}
	s, err := store.Open(context.Background(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newFixture(t *testing.T, dsn string) *fixture {
	t.Helper()
	c := &clock{at: noon()}
	return &fixture{Store: Open(t, store.Options{DSN: dsn, Now: c.now}), clock: c, dsn: dsn}
}

// replica opens the database a second time, as another process would.
func (f *fixture) replica(t *testing.T) *store.Store {
	t.Helper()
	return Open(t, store.Options{DSN: f.dsn, Now: f.clock.now})
}

// Run runs the suite, each test on an empty database of its own, for which
// newDSN is [SQLite] or [Postgres].
func Run(t *testing.T, newDSN func(testing.TB) string) {
	for _, group := range [][]check{
		tokenChecks(), rotationChecks(), grantChecks(), childChecks(), clientChecks(), keyChecks(), userChecks(), statusChecks(),
		recordChecks(), attemptChecks(), janitorChecks(), outageChecks(), browserChecks(), deviceChecks(), registrationChecks(),
		linkChecks(), unlinkChecks(), followChecks(),
		appPasswordChecks(), logoutChecks(),
		tripChecks(), factorChecks(),
		requestChecks(),
	} {
		for _, c := range group {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				c.run(t, newFixture(t, newDSN(t)))
			})
		}
	}
}

// check is one test of the suite; its name is a sentence.
type check struct {
	name string
	run  func(t *testing.T, f *fixture)
}

func hash(s string) provider.Hash { return sha256.Sum256([]byte(s)) }

// issueGrant stores a grant that lives a day, with an access token of 15 minutes and a
// refresh token of a day, named after id.
func (f *fixture) issueGrant(t *testing.T, id, subject string) {
	t.Helper()
	now := f.clock.now()
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{
		GrantID: id,
		NewGrant: &provider.GrantRecord{
			ID: id, ClientID: "app", Subject: subject, Origin: "password", CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour),
		},
		Tokens: f.tokens(id, "0"),
	}))
}

// tokens returns the n-th pair of tokens of a grant.
func (f *fixture) tokens(id, n string) []provider.TokenRecord {
	now := f.clock.now()
	return []provider.TokenRecord{
		{
			Hash: hash(id + "-access-" + n), GrantID: id, Kind: provider.KindAccess, IssuedAt: now, ExpiresAt: now.Add(15 * time.Minute),
		},
		{
			Hash: hash(id + "-refresh-" + n), GrantID: id, Kind: provider.KindRefresh, IssuedAt: now,
			ExpiresAt: now.Add(24 * time.Hour), Pair: hash(id + "-access-" + n),
		},
	}
}

// parallel calls do n times at once and returns the errors.
func parallel(n int, do func(i int) error) []error {
	var (
		wait  sync.WaitGroup
		start = make(chan struct{})
		errs  = make([]error, n)
	)
	for i := range n {
		wait.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	wait.Wait()
	return errs
}
