package identity_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice := h.user(t, identity.StatusActive, plain("right"), "alice", "alice@example.com")
	h.user(t, identity.StatusUnverified, plain("right"), "newbie")
	h.user(t, identity.StatusDisabled, plain("right"), "gone")
	h.user(t, identity.StatusActive, identity.RecordCredential{}, "passwordless")
	s := h.signIn(t, h.local(t, nil), func(o *identity.SignInOptions) {
		o.Gate = h.gate(t, func(o *identity.GateOptions) { o.Failures = -1 })
	})
	statusFirst := func(c identity.Credentials) identity.Credentials { c.StatusFirst = true; return c }
	allow := func(c identity.Credentials) identity.Credentials { c.AllowUnverified = true; return c }
	for _, tt := range []struct {
		name string
		c    identity.Credentials
		want identity.Reason
	}{
		{"the right password lets in", as("alice", "right"), ""},
		{"another login name of the same user", as("ALICE@example.com", "right"), ""},
		{"a trailing space in the name does not matter", as("alice ", "right"), ""},
		{"a wrong password", as("alice", "wrong"), identity.ReasonWrongPassword},
		{"an empty password", as("alice", ""), identity.ReasonWrongPassword},
		{"a password that is too long", as("alice", strings.Repeat("r", 1<<20)), identity.ReasonWrongPassword},
		{"an unknown name", as("bob", "right"), identity.ReasonUnknownUser},
		{"no name", as("", "right"), identity.ReasonUnknownUser},
		{"a name with a NUL", as("alice\x00", "right"), identity.ReasonUnknownUser},
		{"a name of invalid UTF-8", as("alice\xff", "right"), identity.ReasonUnknownUser},
		{"a very long name", as(strings.Repeat("a", 5000), "right"), identity.ReasonUnknownUser},
		{"another directory", identity.Credentials{Directory: "other", Username: "alice", Password: "right"}, identity.ReasonUnknownUser},
		{"a user without a password", as("passwordless", ""), identity.ReasonWrongPassword},
		{"an unverified user with the right password", as("newbie", "right"), identity.ReasonUnverified},
		{"an unverified user with a wrong password", as("newbie", "wrong"), identity.ReasonWrongPassword},
		{"an unverified user where the status comes first", statusFirst(as("newbie", "wrong")), identity.ReasonUnverified},
		{"an unverified user where that is allowed", allow(as("newbie", "right")), ""},
		{"an unverified user where both hold", allow(statusFirst(as("newbie", "wrong"))), identity.ReasonWrongPassword},
		{"a disabled user with the right password", as("gone", "right"), identity.ReasonDisabled},
		{"a disabled user with a wrong password", as("gone", "wrong"), identity.ReasonWrongPassword},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id, err := s.Authenticate(t.Context(), tt.c)
			require.Equal(t, tt.want, identity.ReasonOf(err))
			if tt.want != "" {
				require.Nil(t, id)
				require.NotContains(t, err.Error(), "right")
				return
			}
			require.Equal(t, []string{"pwd"}, id.AMR)
			require.Equal(t, h.Now(), id.AuthTime)
		})
	}
	t.Run("who signed in is the user", func(t *testing.T) {
		id, err := s.Authenticate(t.Context(), as("alice", "right"))
		require.NoError(t, err)
		require.Equal(t, alice, id.User.Subject)
	})
}

func TestSignInWritesOneEventAFailure(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice := h.user(t, identity.StatusActive, plain("right"), "alice")
	s := h.signIn(t, h.local(t, nil), nil)
	for _, c := range []identity.Credentials{as("alice", "wrong"), as("alice", "right"), as("nobody", "wrong")} {
		c.System, c.Client, c.RequestID = "faveo", "faveo-client", "r1"
		c.RemoteAddr = netip.MustParseAddr("192.0.2.1")
		_, _ = s.Authenticate(t.Context(), c)
	}
	got, err := h.store.ListEvents(t.Context(), store.EventQuery{Kind: "login"})
	require.NoError(t, err)
	event := identity.Event{
		At: h.Now(), Kind: "login", Reason: identity.ReasonWrongPassword, Subject: alice, Directory: "default",
		System: "faveo", ClientID: "faveo-client", RemoteAddr: "192.0.2.1", RequestID: "r1",
	}
	unknown := event
	unknown.Reason, unknown.Subject, unknown.Directory = identity.ReasonUnknownUser, "", ""
	if diff := cmp.Diff([]identity.Event{event, unknown}, got); diff != "" {
		t.Fatal(diff)
	}
}

// counting counts how often a password is looked at.
type counting struct {
	identity.Authenticator
	calls  atomic.Int64
	before func()
}

func (c *counting) Authenticate(ctx context.Context, cr identity.Credentials) (*identity.Identity, error) {
	c.calls.Add(1)
	if c.before != nil {
		c.before()
	}
	return c.Authenticator.Authenticate(ctx, cr)
}

func TestLockedNames(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, name := range []string{"alice", "nobody"} {
		t.Run("no password of "+name+" is looked at while the name is locked", func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.user(t, identity.StatusActive, plain("right"), "alice")
			a := &counting{Authenticator: h.local(t, nil)}
			s := h.signIn(t, a, nil)
			for range 3 {
				_, err := s.Authenticate(ctx, as(name, "wrong"))
				require.NotEqual(t, identity.ReasonLocked, identity.ReasonOf(err))
			}
			for _, password := range []string{"wrong", "right"} {
				_, err := s.Authenticate(ctx, as(name, password))
				require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
			}
			require.EqualValues(t, 3, a.calls.Load())
		})
	}
	t.Run("success forgets the failures", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.user(t, identity.StatusActive, plain("right"), "alice")
		s := h.signIn(t, h.local(t, nil), nil)
		for range 3 {
			for range 2 {
				_, err := s.Authenticate(ctx, as("alice", "wrong"))
				require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
			}
			_, err := s.Authenticate(ctx, as("alice", "right"))
			require.NoError(t, err)
		}
	})
	for _, password := range []string{"right", "wrong"} {
		t.Run("the "+password+" guess that was under way when the lock fell is locked too", func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.user(t, identity.StatusActive, plain("right"), "alice")
			other := h.signIn(t, h.local(t, nil), nil)
			a := &counting{Authenticator: h.local(t, nil), before: func() {
				for range 3 {
					_, _ = other.Authenticate(ctx, as("alice", "wrong"))
				}
			}}
			_, err := h.signIn(t, a, nil).Authenticate(ctx, as("alice", password))
			require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
		})
	}
	t.Run("many guesses at once find out no more than one after the other", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.user(t, identity.StatusActive, plain("right"), "alice")
		s := h.signIn(t, h.local(t, nil), nil)
		var told atomic.Int64
		var group sync.WaitGroup
		for i := range 60 {
			group.Go(func() {
				_, err := s.Authenticate(ctx, as("alice", fmt.Sprint("guess", i)))
				if identity.ReasonOf(err) == identity.ReasonWrongPassword {
					told.Add(1)
				}
			})
		}
		group.Wait()
		require.LessOrEqual(t, told.Load(), int64(3))
		_, err := s.Authenticate(ctx, as("alice", "right"))
		require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
	})
}

func TestSignInWithoutADatabase(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.user(t, identity.StatusActive, plain("right"), "alice")
	s := h.signIn(t, h.local(t, nil), nil)
	require.NoError(t, h.store.Close())
	for _, name := range []string{"alice", "nobody", ""} {
		_, err := s.Authenticate(t.Context(), as(name, "right"))
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	}
}

func TestConstructorsNameWhatIsMissing(t *testing.T) {
	t.Parallel()
	_, err := identity.NewSignIn(identity.SignInOptions{})
	require.ErrorContains(t, err, "Gate")
	_, err = identity.NewGate(identity.GateOptions{})
	require.ErrorContains(t, err, "Attempts")
	_, err = identity.NewLocal(identity.LocalOptions{})
	require.ErrorContains(t, err, "Hasher")
	_, err = identity.NewSaver(identity.SaverOptions{})
	require.ErrorContains(t, err, "Directory")
	_, err = identity.NewVerified(identity.VerifiedOptions{TTL: 1})
	require.ErrorContains(t, err, "Now")
}
