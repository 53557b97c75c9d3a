package identity_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// imported returns the credential of a vector that verifies vectorPassword.
func imported(t *testing.T, name string) identity.RecordCredential {
	t.Helper()
	for _, v := range vectors() {
		if v.name == name {
			return identity.RecordCredential{Credential: v.credential(), Source: "source of " + name}
		}
	}
	t.Fatalf("no vector %q", name)
	return identity.RecordCredential{}
}

func (h *house) login(t *testing.T, name string) *identity.Login {
	t.Helper()
	l, err := h.store.FindLogin(t.Context(), "default", name)
	require.NoError(t, err)
	return l
}

func TestImportedHashesAreReplaced(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	for _, v := range []string{"bcrypt $2y$ as PHP writes it", "md5 with the salt first", "phpass of passlib"} {
		t.Run("by argon2id of the raw password at a good login: "+v, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.user(t, identity.StatusActive, imported(t, v), "zoe")
			before := h.login(t, "zoe")
			a := h.local(t, nil)

			_, err := a.Authenticate(ctx, as("zoe", "wrong"))
			require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
			require.Equal(t, before.Credential, h.login(t, "zoe").Credential, "a bad login replaces nothing")

			_, err = a.Authenticate(ctx, as("zoe", vectorPassword))
			require.NoError(t, err)
			after := h.login(t, "zoe")
			require.True(t, strings.HasPrefix(after.Credential.Hash, "$argon2id$"))
			require.Empty(t, after.Credential.Scheme)
			require.Empty(t, after.Credential.Salt)
			require.Equal(t, before.User.CredentialVersion, after.User.CredentialVersion)

			_, err = a.Authenticate(ctx, as("zoe", vectorPassword))
			require.NoError(t, err)
			require.Equal(t, after.Credential, h.login(t, "zoe").Credential, "once is enough")
		})
	}
	t.Run("unless they are to be kept", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.user(t, identity.StatusActive, imported(t, "OSSN md5"), "zoe")
		before := h.login(t, "zoe")
		a := h.local(t, func(o *identity.LocalOptions) { o.KeepHashes = true })
		_, err := a.Authenticate(ctx, as("zoe", vectorPassword))
		require.NoError(t, err)
		require.Equal(t, before.Credential, h.login(t, "zoe").Credential)
	})
	t.Run("but a login that cannot replace its hash is a good login", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.user(t, identity.StatusActive, imported(t, "OSSN md5"), "zoe")
		l := h.login(t, "zoe")
		a := h.local(t, nil)
		_, err := a.AuthenticateLogin(ctx, as("zoe", vectorPassword), l)
		require.NoError(t, err)
		_, err = a.AuthenticateLogin(ctx, as("zoe", vectorPassword), l) // somebody else was first
		require.NoError(t, err)
		require.NoError(t, h.store.Close())
		_, err = a.AuthenticateLogin(ctx, as("zoe", vectorPassword), l)
		require.NoError(t, err)
	})
}

func TestEveryLoginCostsAHash(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.user(t, identity.StatusActive, plain("right"), "alice")
	h.user(t, identity.StatusActive, identity.RecordCredential{}, "passwordless")
	over, cancel := context.WithCancel(t.Context())
	cancel() // no hash is computed for a request that is over
	a := h.local(t, nil)
	for name, l := range map[string]*identity.Login{
		"a wrong password": h.login(t, "alice"), "an unknown name": nil, "a user without a password": h.login(t, "passwordless"),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := a.AuthenticateLogin(over, as("x", "wrong"), l)
			require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
		})
	}
}

func TestVerifiedLogins(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice := h.user(t, identity.StatusActive, plain("right"), "alice")
	verified, err := identity.NewVerified(identity.VerifiedOptions{TTL: time.Minute, Now: h.Now})
	require.NoError(t, err)
	local := h.local(t, func(o *identity.LocalOptions) { o.Verified = verified })
	s := h.signIn(t, local, func(o *identity.SignInOptions) { o.Verified = verified })
	over, cancel := context.WithCancel(t.Context())
	cancel() // no hash is computed for a request that is over
	hashes := func(password string) bool {
		_, err := local.AuthenticateLogin(over, as("alice", password), h.login(t, "alice"))
		return identity.ReasonOf(err) == identity.ReasonUnavailable
	}
	enter := func(password string) error {
		_, err := s.Authenticate(t.Context(), as("alice", password))
		return err
	}

	require.True(t, hashes("right"), "nothing is known yet")
	require.NoError(t, enter("right"))
	require.False(t, hashes("right"))
	require.True(t, hashes("wrong"))

	require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(enter("wrong")))
	require.False(t, hashes("right"), "somebody's bad guess changes nothing")

	h.user(t, identity.StatusActive, plain("changed"), "alice")
	require.True(t, hashes("right"), "another password was set")
	require.NoError(t, enter("changed"))
	require.False(t, hashes("changed"))

	for range 3 {
		_ = enter("wrong")
	}
	require.Equal(t, identity.ReasonLocked, identity.ReasonOf(enter("changed")))
	require.True(t, hashes("changed"), "a lockout forgets")

	h.add(time.Hour)
	require.NoError(t, enter("changed"))
	require.NoError(t, h.store.SetStatus(t.Context(), alice, identity.StatusDisabled))
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(enter("changed")), "it never skips the gate")
	require.True(t, hashes("changed"), "disabling forgets")
}
