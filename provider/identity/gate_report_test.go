package identity_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

// logins are the events of failed sign-ins.
func (h *house) logins(t *testing.T) []identity.Event {
	t.Helper()
	events, err := h.store.ListEvents(t.Context(), store.EventQuery{Kind: "login", Limit: 1000})
	require.NoError(t, err)
	return events
}

func TestFloodsOfRefusalsFillNoDatabase(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	shut := map[string][]netip.Prefix{"faveo": {netip.MustParsePrefix("10.0.0.0/8")}}
	newFlood := func(t *testing.T) (*house, *identity.SignIn) {
		h := newHouse(t)
		h.user(t, identity.StatusActive, plain("right"), "alice")
		h.user(t, identity.StatusActive, plain("right"), "bob")
		h.user(t, identity.StatusDisabled, plain("right"), "gone")
		return h, h.signIn(t, h.local(t, nil), func(o *identity.SignInOptions) {
			o.Gate = h.gate(t, func(o *identity.GateOptions) { o.Networks, o.SourceFailures = shut, 9 })
		})
	}
	from := func(addr string, c identity.Credentials) identity.Credentials {
		c.RemoteAddr = netip.MustParseAddr(addr)
		return c
	}
	t.Run("a locked name makes one event a minute", func(t *testing.T) {
		h, s := newFlood(t)
		for i := range 30 {
			_, _ = s.Authenticate(ctx, from(fmt.Sprintf("192.0.2.%d", i), as("alice", "wrong")))
		}
		require.Len(t, h.logins(t), 3+1)
		h.add(time.Minute)
		for range 5 {
			_, err := s.Authenticate(ctx, as("alice", "wrong"))
			require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
		}
		require.Len(t, h.logins(t), 3+2)
		for range 5 {
			_, _ = s.Authenticate(ctx, as("bob", "wrong"))
		}
		require.Len(t, h.logins(t), 3+2+3+1, "another name has its own")
	})
	t.Run("a locked source makes one event a minute, whatever names it tries", func(t *testing.T) {
		h, s := newFlood(t)
		for i := range 50 {
			_, _ = s.Authenticate(ctx, from("192.0.2.1", as(fmt.Sprint("name", i), "wrong")))
		}
		require.Len(t, h.logins(t), 9+1)
	})
	t.Run("a network that may not call makes one event a minute, whatever names it tries", func(t *testing.T) {
		h, s := newFlood(t)
		for i := range 50 {
			c := from("192.0.2.1", as(fmt.Sprint("name", i), "wrong"))
			c.System = "faveo"
			_, err := s.Authenticate(ctx, c)
			require.Equal(t, identity.ReasonInvalidClient, identity.ReasonOf(err))
		}
		require.Len(t, h.logins(t), 1)
		_, err := s.Authenticate(ctx, from("192.0.2.1", as("alice", "right")))
		require.NoError(t, err, "nothing was guessed, and nothing was counted")
	})
	t.Run("a status that is told first makes one event a minute where no sources are counted", func(t *testing.T) {
		h := newHouse(t)
		h.user(t, identity.StatusDisabled, plain("right"), "gone")
		s := h.signIn(t, h.local(t, nil), nil)
		c := as("gone", "wrong")
		c.StatusFirst = true
		for range 20 {
			_, err := s.Authenticate(ctx, c)
			require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
		}
		require.Len(t, h.logins(t), 1)
	})
	t.Run("a status that cost a password is recorded each time", func(t *testing.T) {
		h, s := newFlood(t)
		for range 5 {
			_, err := s.Authenticate(ctx, as("gone", "right"))
			require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
		}
		require.Len(t, h.logins(t), 5)
	})
}

func TestGateCallingApplications(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	from := func(addr string) identity.Question {
		return identity.Question{Moment: identity.MomentTry, System: "faveo", RemoteAddr: netip.MustParseAddr(addr)}
	}
	guess := func(t *testing.T, h *house, g *identity.Gate, addr string, n int) {
		t.Helper()
		for range n {
			e := identity.Event{At: h.Now(), Kind: "login", System: "faveo", Reason: identity.ReasonInvalidClient}
			require.NoError(t, g.Report(ctx, from(addr), e))
		}
	}
	newGate := func(t *testing.T) (*house, *identity.Gate) {
		h := newHouse(t)
		return h, h.gate(t, func(o *identity.GateOptions) {
			o.SourceFailures = 5
			o.Networks = map[string][]netip.Prefix{"faveo": {netip.MustParsePrefix("10.0.0.0/8")}}
		})
	}
	t.Run("guesses of an API key lock the source, and each is recorded", func(t *testing.T) {
		h, g := newGate(t)
		guess(t, h, g, "10.0.0.1", 4)
		require.NoError(t, g.Ask(ctx, from("10.0.0.1")))
		guess(t, h, g, "10.0.0.1", 1)
		require.Len(t, h.logins(t), 5)
		require.Equal(t, identity.ReasonLocked, identity.ReasonOf(g.Ask(ctx, from("10.0.0.1"))))
		require.NoError(t, g.Ask(ctx, from("10.0.0.2")))
		h.add(time.Hour)
		require.NoError(t, g.Ask(ctx, from("10.0.0.1")))
	})
	t.Run("they lock no user", func(t *testing.T) {
		h, g := newGate(t)
		q := from("10.0.0.1")
		q.Subject, q.Status = "a1", identity.StatusActive
		for range 5 {
			require.NoError(t, g.Report(ctx, q, identity.Event{At: h.Now(), Reason: identity.ReasonInvalidClient}))
		}
		q.RemoteAddr = netip.MustParseAddr("10.0.0.2")
		require.NoError(t, g.Ask(ctx, q))
	})
	t.Run("a network that may not call is told so without a name, and is not counted", func(t *testing.T) {
		h, g := newGate(t)
		require.Equal(t, identity.ReasonInvalidClient, identity.ReasonOf(g.Ask(ctx, from("192.0.2.1"))))
		guess(t, h, g, "192.0.2.1", 20)
		require.Len(t, h.logins(t), 1)
		q := from("192.0.2.1")
		q.System = ""
		require.NoError(t, g.Ask(ctx, q))
	})
	t.Run("what a locked source goes on sending makes one event a minute", func(t *testing.T) {
		h, g := newGate(t)
		guess(t, h, g, "10.0.0.1", 5)
		for range 20 {
			require.NoError(t, g.Report(ctx, from("10.0.0.1"), identity.Event{At: h.Now(), Kind: "login", Reason: identity.ReasonLocked}))
		}
		require.Len(t, h.logins(t), 6)
	})
}
