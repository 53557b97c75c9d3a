package identity_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// TestHangingUp has clients that go away while their password is looked at, as
// net/http makes of a connection that is closed in one direction.
func TestHangingUp(t *testing.T) {
	t.Parallel()
	newHangup := func(t *testing.T) (*house, func(name, password string) error) {
		t.Helper()
		h := newHouse(t)
		g := h.gate(t, nil)
		h.user(t, identity.StatusActive, plain("right"), "alice")
		h.user(t, identity.StatusDisabled, plain("right"), "gone")
		return h, func(name, password string) error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			// Our own Local finishes a hash that has begun, and then finds this.
			a := &hangup{Authenticator: h.local(t, nil), cancel: cancel}
			s := h.signIn(t, a, func(o *identity.SignInOptions) { o.Gate = g })
			_, err := s.Authenticate(ctx, as(name, password))
			return err
		}
	}
	for _, name := range []string{"alice", "nobody"} {
		t.Run("a guess at "+name+" is counted and recorded all the same", func(t *testing.T) {
			h, try := newHangup(t)
			for range 3 {
				require.NotEqual(t, identity.ReasonUnavailable, identity.ReasonOf(try(name, "wrong")))
			}
			require.Len(t, h.logins(t), 3)
			require.Equal(t, identity.ReasonLocked, identity.ReasonOf(try(name, "right")))
		})
	}
	t.Run("a status that was found out is recorded", func(t *testing.T) {
		h, try := newHangup(t)
		require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(try("gone", "right")))
		require.Len(t, h.logins(t), 1)
	})
	t.Run("a right password forgets the failures", func(t *testing.T) {
		_, try := newHangup(t)
		for range 3 {
			for range 2 {
				require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(try("alice", "wrong")))
			}
			require.NoError(t, try("alice", "right"))
		}
	})
	t.Run("reporting to the gate outlives the request", func(t *testing.T) {
		h := newHouse(t)
		g := h.gate(t, nil)
		over, cancel := context.WithCancel(t.Context())
		cancel()
		q := identity.Question{Moment: identity.MomentTry, Subject: "a"}
		for range 3 {
			require.NoError(t, g.Report(over, q, identity.Event{At: h.Now(), Kind: "login", Reason: identity.ReasonSecondFactor}))
		}
		require.Equal(t, identity.ReasonLocked, identity.ReasonOf(g.Ask(t.Context(), q)))
		require.NoError(t, g.Report(over, q, identity.Event{}))
		require.NoError(t, g.Ask(t.Context(), q))
	})
}

// hangup looks at the password, and finds the request over.
type hangup struct {
	identity.Authenticator
	cancel func()
}

func (h *hangup) Authenticate(ctx context.Context, c identity.Credentials) (*identity.Identity, error) {
	id, err := h.Authenticator.Authenticate(ctx, c)
	h.cancel()
	return id, err
}
