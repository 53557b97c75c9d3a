package identity

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newVerified(t *testing.T, size int) (*Verified, *time.Time) {
	t.Helper()
	now := time.Unix(1_800_000_000, 0)
	v, err := NewVerified(VerifiedOptions{TTL: 30 * time.Second, Size: size, Now: func() time.Time { return now }})
	require.NoError(t, err)
	return v, &now
}

func loginOf(subject, slot string, version int64) *Login {
	return &Login{
		User:       User{Subject: subject, CredentialVersion: version},
		Credential: &Credential{Subject: subject, Slot: slot, Hash: "h"},
	}
}

func TestVerified(t *testing.T) {
	t.Parallel()
	alice := loginOf("alice", SlotPassword, 1)

	t.Run("what was right is known, and nothing else", func(t *testing.T) {
		v, _ := newVerified(t, 0)
		v.remember(alice, "right")
		require.True(t, v.knows(alice, "right"))
		for name, known := range map[string]bool{
			"another password":   v.knows(alice, "wrong"),
			"another user":       v.knows(loginOf("bob", SlotPassword, 1), "right"),
			"another slot":       v.knows(loginOf("alice", "pass_code", 1), "right"),
			"another version":    v.knows(loginOf("alice", SlotPassword, 2), "right"),
			"shifted boundaries": v.knows(loginOf("alic", "epassword", 1), "right"),
		} {
			require.False(t, known, name)
		}
	})
	t.Run("it lasts for seconds, counted from the verification", func(t *testing.T) {
		v, now := newVerified(t, 0)
		v.remember(alice, "right")
		*now = now.Add(29 * time.Second)
		require.True(t, v.knows(alice, "right"))
		*now = now.Add(time.Second)
		require.False(t, v.knows(alice, "right"))
	})
	t.Run("a forgotten user is not known", func(t *testing.T) {
		v, _ := newVerified(t, 0)
		v.remember(alice, "right")
		v.Forget("alice")
		require.False(t, v.knows(alice, "right"))
	})
	t.Run("it stays within its size, and drops the expired first", func(t *testing.T) {
		v, now := newVerified(t, 3)
		v.remember(alice, "right")
		*now = now.Add(time.Minute)
		for i := range 3 {
			v.remember(loginOf(fmt.Sprint(i), SlotPassword, 1), "right")
		}
		require.Len(t, v.entries, 3)
		require.True(t, v.knows(loginOf("0", SlotPassword, 1), "right"))
		for i := range 100 {
			v.remember(loginOf(fmt.Sprint("more", i), SlotPassword, 1), "right")
		}
		require.Len(t, v.entries, 3)
	})
	t.Run("another process has another key", func(t *testing.T) {
		a, _ := newVerified(t, 0)
		b, _ := newVerified(t, 0)
		require.NotEqual(t, a.mac(alice, "right"), b.mac(alice, "right"))
	})
	t.Run("without a time to live it is switched off", func(t *testing.T) {
		v, err := NewVerified(VerifiedOptions{})
		require.NoError(t, err)
		require.Nil(t, v)
		v.remember(alice, "right")
		v.Forget("alice")
		require.False(t, v.knows(alice, "right"))
	})
	t.Run("many may use it at once", func(t *testing.T) {
		v, _ := newVerified(t, 10)
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() {
				l := loginOf(fmt.Sprint(i%20), SlotPassword, 1)
				v.remember(l, "right")
				v.knows(l, "right")
				v.Forget(l.User.Subject)
			})
		}
		group.Wait()
		require.LessOrEqual(t, len(v.entries), 10)
	})
}
