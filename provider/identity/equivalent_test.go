package identity_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// typed are credentials of zoe, who typed password.
func typed(password string, equivalent ...string) identity.Credentials {
	c := as("zoe", password)
	c.Equivalent = equivalent
	return c
}

func TestPasswordsThatAreTheSameStayTheSame(t *testing.T) {
	t.Parallel()
	const long = "$2b$04$Z97gfLUkRoBsYROC.fXm0.PzrKXI39qV.3YmYMguM8B6FU.i/cXja" // 80 times "y"
	const nul = "$2b$04$HP8Yq4AjaW0RfzSaKecgjermmbZz/Ibp04mVeSbSH86fpPskQ47qi"  // "abc"
	bcrypt := func(hash string) identity.RecordCredential {
		return identity.RecordCredential{Credential: identity.Credential{Hash: hash}, Source: "s"}
	}
	for _, tt := range []struct {
		name            string
		c               identity.RecordCredential
		first, original string
		replaced        bool
	}{
		{"what OSSN squeezes and trims", imported(t, "OSSN md5"), "  " + strings.ReplaceAll(vectorPassword, " ", "   ") + "\t", vectorPassword, true},
		{"what OSSN squeezes, of bcrypt", imported(t, "OSSN bcrypt"), vectorPassword + " ", vectorPassword, true},
		{"what OSSN squeezes, of argon2i", imported(t, "OSSN argon2i"), vectorPassword + " ", vectorPassword, true},
		{"what bcrypt does not see behind 72 bytes", bcrypt(long), strings.Repeat("y", 72) + "other", strings.Repeat("y", 80), false},
		{"72 bytes of bcrypt", bcrypt(long), strings.Repeat("y", 72), strings.Repeat("y", 80), false},
		{"what bcrypt does not see behind a NUL", bcrypt(nul), "abc\x00def", "abc", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			h.user(t, identity.StatusActive, tt.c, "zoe")
			before := h.login(t, "zoe").Credential
			a := h.local(t, nil)
			_, err := a.Authenticate(t.Context(), typed(tt.first))
			require.NoError(t, err)
			after := h.login(t, "zoe").Credential
			require.Equal(t, tt.replaced, before.Hash != after.Hash)
			require.Equal(t, before.Scheme, after.Scheme)
			require.Equal(t, before.Salt, after.Salt)
			for _, password := range []string{tt.first, tt.original} {
				_, err = a.Authenticate(t.Context(), typed(password))
				require.NoError(t, err, "%q", password)
			}
			if tt.replaced {
				require.True(t, strings.HasPrefix(after.Hash, "$argon2id$"))
				require.Equal(t, after, h.login(t, "zoe").Credential, "once is enough")
			}
			_, err = a.Authenticate(t.Context(), typed("wrong"))
			require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
		})
	}
}

func TestEquivalentReadings(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHouse(t)
	h.user(t, identity.StatusActive, plain("correct-horse"), "zoe")
	s := h.signIn(t, h.local(t, nil), nil)
	for _, tt := range []struct {
		name string
		c    identity.Credentials
		want identity.Reason
	}{
		{"another reading of a wrong password may be right", typed("correct-horse ", "correct-horse"), ""},
		{"a right password needs no other reading", typed("correct-horse", "wrong"), ""},
		{"both may be wrong", typed("wrong ", "wrong"), identity.ReasonWrongPassword},
		{"no more than one is tried", typed("wrong  ", "wrong ", "correct-horse"), identity.ReasonWrongPassword},
		{"it may be right where what was typed is too long", typed("correct-horse"+strings.Repeat(" ", 5000), "correct-horse"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := s.Authenticate(ctx, tt.c)
			require.Equal(t, tt.want, identity.ReasonOf(err))
		})
	}
	t.Run("two readings count as one attempt", func(t *testing.T) {
		for range 2 {
			_, err := s.Authenticate(ctx, typed("wrong ", "wrong"))
			require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
		}
		_, err := s.Authenticate(ctx, typed("correct-horse"))
		require.NoError(t, err)
	})
	t.Run("the new hash is of the reading that was right", func(t *testing.T) {
		h.user(t, identity.StatusActive, imported(t, "plain md5"), "yan")
		c := as("yan", vectorPassword+" ")
		c.Equivalent = []string{vectorPassword}
		_, err := s.Authenticate(ctx, c)
		require.NoError(t, err)
		require.True(t, strings.HasPrefix(h.login(t, "yan").Credential.Hash, "$argon2id$"))
		_, err = s.Authenticate(ctx, as("yan", vectorPassword))
		require.NoError(t, err)
	})
}

func TestHopelessLogins(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	h := newHouse(t)
	h.user(t, identity.StatusActive, plain("right"), "zoe")
	verified, err := identity.NewVerified(identity.VerifiedOptions{TTL: 1e12, Now: h.Now})
	require.NoError(t, err)
	gate := h.gate(t, func(o *identity.GateOptions) { o.SourceFailures = 8 })
	local := h.local(t, func(o *identity.LocalOptions) { o.Verified = verified })
	hopeless := typed("right", "right")
	hopeless.Hopeless = true
	hopeless.RemoteAddr = netip.MustParseAddr("192.0.2.1")
	for name, a := range map[string]identity.Authenticator{"our own": local, "another": &counting{Authenticator: local}} {
		t.Run("no password is right, and nobody is locked out by it: "+name+" authenticator", func(t *testing.T) {
			s := h.signIn(t, a, func(o *identity.SignInOptions) { o.Gate = gate })
			_, err := s.Authenticate(ctx, typed("right"))
			require.NoError(t, err)
			for range 4 {
				_, err := s.Authenticate(ctx, hopeless)
				require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
			}
			_, err = s.Authenticate(ctx, typed("right"))
			require.NoError(t, err)
		})
	}
	t.Run("but the source is", func(t *testing.T) {
		_, err := h.signIn(t, local, func(o *identity.SignInOptions) { o.Gate = gate }).Authenticate(ctx, hopeless)
		require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err))
	})
	t.Run("an authenticator on its own lets nobody in either", func(t *testing.T) {
		_, err := local.Authenticate(ctx, hopeless)
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
	})
}
