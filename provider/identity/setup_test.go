package identity_test

import (
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

// clock is a clock that stands still until it is moved.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// house is a real database with everything that lets people in.
type house struct {
	*clock
	store  *store.Store
	hasher *identity.Hasher
	saver  *identity.Saver
}

func newHouse(t testing.TB) *house {
	t.Helper()
	h := &house{clock: &clock{now: time.Unix(1_800_000_000, 0)}, hasher: newHasher(t)}
	var err error
	h.store, err = store.Open(t.Context(), store.Options{DSN: filepath.Join(t.TempDir(), "keyway.db"), Now: h.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = h.store.Close() })
	h.saver, err = identity.NewSaver(identity.SaverOptions{Directory: h.store, Users: h.store, Hasher: h.hasher})
	require.NoError(t, err)
	return h
}

// user saves a user whose login names are in the default directory, and
// returns the subject.
func (h *house) user(t testing.TB, status identity.Status, c identity.RecordCredential, names ...string) string {
	t.Helper()
	rec := identity.Record{User: identity.User{Status: status}}
	for _, n := range names {
		rec.User.LoginNames = append(rec.User.LoginNames, identity.LoginName{Directory: "default", Name: n, Slot: identity.SlotPassword})
	}
	if c.Password != "" || c.Hash != "" {
		c.Slot = identity.SlotPassword
		rec.Credentials = []identity.RecordCredential{c}
	}
	results, err := h.saver.Save(t.Context(), []identity.Record{rec})
	require.NoError(t, err)
	require.Len(t, results, 1)
	require.NoError(t, results[0].Err)
	return results[0].Subject
}

func plain(password string) identity.RecordCredential {
	return identity.RecordCredential{Password: password}
}

func (h *house) local(t testing.TB, change func(*identity.LocalOptions)) *identity.Local {
	t.Helper()
	o := identity.LocalOptions{Users: h.store, Hasher: h.hasher, Logger: slog.New(slog.DiscardHandler), Now: h.Now}
	if change != nil {
		change(&o)
	}
	a, err := identity.NewLocal(o)
	require.NoError(t, err)
	return a
}

func (h *house) gate(t testing.TB, change func(*identity.GateOptions)) *identity.Gate {
	t.Helper()
	o := identity.GateOptions{Attempts: h.store, Failures: 3, Now: h.Now}
	if change != nil {
		change(&o)
	}
	g, err := identity.NewGate(o)
	require.NoError(t, err)
	return g
}

func (h *house) signIn(t testing.TB, a identity.Authenticator, change func(*identity.SignInOptions)) *identity.SignIn {
	t.Helper()
	o := identity.SignInOptions{Users: h.store, Gate: h.gate(t, nil), Authenticator: a, Now: h.Now}
	if change != nil {
		change(&o)
	}
	s, err := identity.NewSignIn(o)
	require.NoError(t, err)
	return s
}

func as(name, password string) identity.Credentials {
	return identity.Credentials{Directory: "default", Username: name, Password: password}
}
