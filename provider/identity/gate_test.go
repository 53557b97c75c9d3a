package identity_test

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func TestGateStatus(t *testing.T) {
	t.Parallel()
	g := newHouse(t).gate(t, nil)
	const (
		try, enter, stay = identity.MomentTry, identity.MomentEnter, identity.MomentStay
		unverified       = identity.ReasonUnverified
		disabled         = identity.ReasonDisabled
	)
	for _, tt := range []struct {
		name string
		q    identity.Question
		want identity.Reason
	}{
		{"an active user may enter", identity.Question{Moment: enter, Status: identity.StatusActive}, ""},
		{"an active user may stay", identity.Question{Moment: stay, Status: identity.StatusActive}, ""},
		{"an unverified user may not enter", identity.Question{Moment: enter, Status: identity.StatusUnverified}, unverified},
		{"an unverified user may not stay", identity.Question{Moment: stay, Status: identity.StatusUnverified}, unverified},
		{"an unverified user may enter where it is allowed", identity.Question{Moment: enter, Status: identity.StatusUnverified, AllowUnverified: true}, ""},
		{"a disabled user may not enter even there", identity.Question{Moment: enter, Status: identity.StatusDisabled, AllowUnverified: true}, disabled},
		{"a disabled user may not stay", identity.Question{Moment: stay, Status: identity.StatusDisabled}, disabled},
		{"a deleted user may not stay", identity.Question{Moment: stay, Status: identity.StatusDeleted}, disabled},
		{"a user who is gone may not stay", identity.Question{Moment: stay}, disabled},
		{"a status nobody knows lets nobody in", identity.Question{Moment: enter, Status: "new"}, disabled},
		{"a disabled user may try", identity.Question{Moment: try, Status: identity.StatusDisabled}, ""},
		{"a disabled user may not try where the status comes first", identity.Question{Moment: try, Status: identity.StatusDisabled, StatusFirst: true}, disabled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.q.Subject = "alice"
			require.Equal(t, tt.want, identity.ReasonOf(g.Ask(t.Context(), tt.q)))
		})
	}
	t.Run("a client that acts for itself may stay", func(t *testing.T) {
		require.NoError(t, g.Ask(t.Context(), identity.Question{Moment: stay, Client: "c"}))
	})
}

func TestGateStayCostsNothing(t *testing.T) {
	h := newHouse(t)
	g := h.gate(t, nil)
	require.NoError(t, h.store.Close()) // so that a query would fail
	q := identity.Question{Moment: identity.MomentStay, Subject: "alice", Status: identity.StatusActive}
	ctx := t.Context()
	n := testing.AllocsPerRun(100, func() {
		if err := g.Ask(ctx, q); err != nil {
			t.Error(err)
		}
	})
	require.Zero(t, n)
}

// fails reports n failures of q.
func fails(t *testing.T, g *identity.Gate, h *house, q identity.Question, n int) {
	t.Helper()
	reason := identity.ReasonWrongPassword
	if q.Subject == "" {
		reason = identity.ReasonUnknownUser
	}
	for range n {
		require.NoError(t, g.Report(t.Context(), q, identity.Event{At: h.Now(), Kind: "login", Reason: reason}))
	}
}

func TestGateLockout(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	alice := identity.Question{Moment: identity.MomentTry, Directory: "default", Name: "alice", Subject: "a1", Status: identity.StatusActive}
	nobody := identity.Question{Moment: identity.MomentTry, Directory: "default", Name: "nobody"}
	locked := func(g *identity.Gate, q identity.Question) bool {
		return identity.ReasonOf(g.Ask(t.Context(), q)) == identity.ReasonLocked
	}
	for name, q := range map[string]identity.Question{"a known": alice, "an unknown": nobody} {
		t.Run(name+" name is locked after as many failures, until they leave the window", func(t *testing.T) {
			h := newHouse(t)
			g := h.gate(t, nil)
			fails(t, g, h, q, 2)
			require.NoError(t, g.Ask(ctx, q))
			h.add(10 * time.Minute)
			fails(t, g, h, q, 1)
			require.True(t, locked(g, q))
			h.add(5*time.Minute + time.Second)
			require.False(t, locked(g, q), "the first two are out of the window")
			fails(t, g, h, q, 2)
			require.True(t, locked(g, q), "the third one is still in it")
		})
	}
	t.Run("all names of a user count as one", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, nil)
		other := alice
		other.Name, other.Directory = "alice@example.com", "elsewhere"
		fails(t, g, h, alice, 2)
		fails(t, g, h, other, 1)
		require.True(t, locked(g, alice))
		require.True(t, locked(g, other))
	})
	t.Run("an unknown name counts however it is written", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, nil)
		upper := nobody
		upper.Name = "NOBODY "
		fails(t, g, h, nobody, 2)
		fails(t, g, h, upper, 1)
		require.True(t, locked(g, nobody))
		elsewhere := nobody
		elsewhere.Directory = "elsewhere"
		require.False(t, locked(g, elsewhere))
	})
	t.Run("who is locked may not enter another way, but may stay", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, nil)
		fails(t, g, h, alice, 3)
		q := alice
		q.Moment = identity.MomentEnter
		require.True(t, locked(g, q))
		q.Moment = identity.MomentStay
		require.NoError(t, g.Ask(ctx, q))
	})
	t.Run("being turned away does not prolong it, and success ends it", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, nil)
		fails(t, g, h, alice, 2)
		for range 5 {
			require.NoError(t, g.Report(ctx, alice, identity.Event{At: h.Now(), Reason: identity.ReasonLocked}))
		}
		require.False(t, locked(g, alice))
		require.NoError(t, g.Report(ctx, alice, identity.Event{}))
		fails(t, g, h, alice, 2)
		require.False(t, locked(g, alice))
	})
	t.Run("a negative limit never locks", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, func(o *identity.GateOptions) { o.Failures, o.SourceFailures = -1, -1 })
		fails(t, g, h, alice, 20)
		require.False(t, locked(g, alice))
	})
	t.Run("many at once lose no failure", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, func(o *identity.GateOptions) { o.Failures = 50 })
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if err := g.Report(ctx, alice, identity.Event{At: h.Now(), Reason: identity.ReasonWrongPassword}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		require.True(t, locked(g, alice))
	})
	t.Run("failures that cannot be counted let nobody in", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, nil)
		require.NoError(t, h.store.Close())
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(g.Ask(ctx, alice)))
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(g.Report(ctx, alice, identity.Event{Reason: identity.ReasonWrongPassword})))
	})
}

func TestGateSources(t *testing.T) {
	t.Parallel()
	from := func(addr, name string) identity.Question {
		return identity.Question{
			Moment: identity.MomentTry, Directory: "default", Name: name, Subject: name, Status: identity.StatusActive,
			RemoteAddr: netip.MustParseAddr(addr),
		}
	}
	for _, tt := range []struct {
		name, failed, asked string
		want                identity.Reason
	}{
		{"an address is locked for everybody", "192.0.2.1", "192.0.2.1", identity.ReasonLocked},
		{"its neighbour is not", "192.0.2.1", "192.0.2.2", ""},
		{"a mapped address is the same", "192.0.2.1", "::ffff:192.0.2.1", identity.ReasonLocked},
		{"an IPv6 source is its /64", "2001:db8::1", "2001:db8::ffff:2", identity.ReasonLocked},
		{"the next /64 is another", "2001:db8::1", "2001:db8:0:1::1", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			g := h.gate(t, func(o *identity.GateOptions) { o.SourceFailures = 4 })
			for _, name := range []string{"a", "b", "c", "d"} {
				fails(t, g, h, from(tt.failed, name), 1)
			}
			require.Equal(t, tt.want, identity.ReasonOf(g.Ask(t.Context(), from(tt.asked, "e"))))
		})
	}
	t.Run("finding out a status counts against the source alone", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, func(o *identity.GateOptions) { o.SourceFailures = 4 })
		q := from("192.0.2.1", "a")
		for range 4 {
			require.NoError(t, g.Report(t.Context(), q, identity.Event{At: h.Now(), Reason: identity.ReasonUnverified}))
		}
		require.Equal(t, identity.ReasonLocked, identity.ReasonOf(g.Ask(t.Context(), q)))
		q.RemoteAddr = netip.MustParseAddr("192.0.2.9")
		require.NoError(t, g.Ask(t.Context(), q))
	})
}

func TestGateNetworks(t *testing.T) {
	t.Parallel()
	g := newHouse(t).gate(t, func(o *identity.GateOptions) {
		o.Networks = map[string][]netip.Prefix{
			"faveo": {netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")},
			"shut":  {},
		}
	})
	for _, tt := range []struct {
		name, system, addr string
		want               identity.Reason
	}{
		{"inside", "faveo", "10.1.2.3", ""},
		{"inside, mapped", "faveo", "::ffff:10.1.2.3", ""},
		{"inside by IPv6", "faveo", "2001:db8::1", ""},
		{"outside", "faveo", "192.0.2.1", identity.ReasonInvalidClient},
		{"from nowhere", "faveo", "", identity.ReasonInvalidClient},
		{"a system that is called from nowhere", "shut", "10.1.2.3", identity.ReasonInvalidClient},
		{"a system without networks", "ossn", "192.0.2.1", ""},
		{"no system", "", "192.0.2.1", ""},
	} {
		for _, moment := range []identity.Moment{identity.MomentTry, identity.MomentEnter, identity.MomentStay} {
			if tt.addr == "" && moment == identity.MomentStay {
				continue // nobody knows where a token is introspected for
			}
			t.Run(tt.name+", at "+string(moment), func(t *testing.T) {
				q := identity.Question{Moment: moment, System: tt.system, Subject: "a", Status: identity.StatusActive}
				if tt.addr != "" {
					q.RemoteAddr = netip.MustParseAddr(tt.addr)
				}
				require.Equal(t, tt.want, identity.ReasonOf(g.Ask(t.Context(), q)))
			})
		}
	}
}
