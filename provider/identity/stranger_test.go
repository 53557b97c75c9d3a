package identity_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

// anybody lets everybody in, as an upstream that knows nothing of our systems may.
type anybody struct{}

func (anybody) Authenticate(context.Context, identity.Credentials) (*identity.Identity, error) {
	return &identity.Identity{User: identity.User{Subject: "x", Status: identity.StatusActive}}, nil
}

func TestAStrangerSignsInAsANameThatNobodyHas(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice := h.user(t, identity.StatusActive, plain("right"), "alice")
	s := h.signIn(t, h.local(t, nil), nil)
	stranger := func(password string) identity.Credentials {
		c := as("alice", password)
		c.Stranger = true
		return c
	}
	t.Run("the right password and a wrong one are unknown_user, counted and recorded", func(t *testing.T) {
		for _, password := range []string{"right", "wrong", "right"} {
			_, err := s.Authenticate(t.Context(), stranger(password))
			require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
		}
		_, err := s.Authenticate(t.Context(), stranger("right"))
		require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
		events, err := h.store.ListEvents(t.Context(), store.EventQuery{})
		require.NoError(t, err)
		require.Len(t, events, 4)
		for i, e := range events {
			require.Empty(t, e.Subject+e.Directory)
			require.Equal(t, i < 3, e.Reason == identity.ReasonUnknownUser)
		}
	})
	t.Run("the user whose name it is elsewhere is not locked out", func(t *testing.T) {
		id, err := s.Authenticate(t.Context(), as("alice", "right"))
		require.NoError(t, err)
		require.Equal(t, alice, id.User.Subject)
	})
	t.Run("an authenticator that would let them in is not asked", func(t *testing.T) {
		c := stranger("right")
		c.Username = "another"
		_, err := h.signIn(t, anybody{}, nil).Authenticate(t.Context(), c)
		require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
	})
	t.Run("a login that was resolved before is not looked up again", func(t *testing.T) {
		c := as("alice", "right")
		var err error
		c.Login, err = c.Resolve(t.Context(), h.store)
		require.NoError(t, err)
		c.Username = "not looked at"
		id, err := s.Authenticate(t.Context(), c)
		require.NoError(t, err)
		require.Equal(t, alice, id.User.Subject)
	})
}
