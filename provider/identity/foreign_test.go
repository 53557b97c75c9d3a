package identity_test

import (
	"context"
	"math"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"keyway/provider/identity"
)

func TestForeignHashes(t *testing.T) {
	t.Parallel()
	f, err := identity.NewForeign(newHasher(t), time.Now)
	require.NoError(t, err)
	for _, v := range vectors() {
		c := v.credential()
		for password, want := range map[string]bool{vectorPassword: true, vectorPassword + "x": false, "": false} {
			right, readable, err := f.Verify(t.Context(), &c, password)
			require.NoError(t, err, v.name)
			require.True(t, readable, v.name)
			require.Equal(t, want, right, "%s: %q", v.name, password)
		}
	}
	for name, c := range map[string]*identity.Credential{
		"nothing": {}, "a password in clear": {Hash: vectorPassword}, "an unknown scheme": {Scheme: "rot13", Hash: "c0ed5cee9d646e0794e5afb864d9deb3"},
		"beyond what is computed": {Hash: "$2y$31$22RS.f28tHUsZlt64MxX/.nUYhfu21DI0lYza8ughpa7EQ8uQyzqC"},
	} {
		right, readable, err := f.Verify(t.Context(), c, vectorPassword)
		require.NoError(t, err, name)
		require.False(t, right || readable, name)
	}
	right, readable, err := f.Verify(t.Context(), nil, strings.Repeat("a", identity.MaxPassword+1))
	require.NoError(t, err)
	require.True(t, readable)
	require.False(t, right, "nobody's")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err = f.Verify(ctx, nil, "x")
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	for _, wrong := range []error{second(identity.NewForeign(nil, time.Now)), second(identity.NewForeign(newHasher(t), nil))} {
		require.Error(t, wrong)
	}
}

func second[T any](_ T, err error) error { return err }

// A database of dear hashes must not tell by the time which names it has.
func TestUnknownNamesElsewhereCostWhatDearHashesDo(t *testing.T) {
	h, err := identity.NewHasher(identity.HasherOptions{Memory: 64, Time: 1})
	require.NoError(t, err)
	f, err := identity.NewForeign(h, time.Now)
	require.NoError(t, err)
	dear := &identity.Credential{Hash: "$2y$08$22RS.f28tHUsZlt64MxX/.nUYhfu21DI0lYza8ughpa7EQ8uQyzqC"}
	processor := func() int64 { // what others do on this machine does not count
		var used syscall.Rusage
		require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &used))
		return used.Utime.Nano()
	}
	cost := func(c *identity.Credential) int64 {
		least := int64(math.MaxInt64)
		for range 3 { // the collector of garbage works in between
			begin := processor()
			_, _, err := f.Verify(t.Context(), c, "guess")
			require.NoError(t, err)
			least = min(least, processor()-begin)
		}
		return least
	}
	known := cost(dear)
	for name, c := range map[string]*identity.Credential{"nobody": nil, "a cheap hash": {Scheme: "md5", Hash: "c0ed5cee9d646e0794e5afb864d9deb3"}, "no hash": {}} {
		require.Greater(t, cost(c), known/4, name)
	}
}

func TestAPasswordThatIsTakenOverLetsInWhomItLetInBefore(t *testing.T) {
	t.Parallel()
	h := newHasher(t)
	f, err := identity.NewForeign(h, time.Now)
	require.NoError(t, err)
	for _, v := range vectors() {
		c := v.credential()
		next, err := f.Adopt(t.Context(), &c, vectorPassword)
		require.NoError(t, err, v.name)
		require.Contains(t, next.Hash, "$argon2id$", v.name)
		require.NotEqual(t, c.Hash, next.Hash, v.name)
		for password, want := range map[string]bool{vectorPassword: true, vectorPassword + "x": false, "": false} {
			right, _, err := f.Verify(t.Context(), next, password)
			require.NoError(t, err)
			require.Equal(t, want, right, "%s: %q", v.name, password)
		}
	}
	long := strings.Repeat("a", 80) // of which bcrypt sees 72
	made, err := bcrypt.GenerateFromPassword([]byte(long[:72]), bcrypt.MinCost)
	require.NoError(t, err)
	c := &identity.Credential{Hash: string(made)}
	next, err := f.Adopt(t.Context(), c, long)
	require.NoError(t, err)
	require.Equal(t, c, next, "other passwords are right, too")
	_, err = f.Adopt(t.Context(), &identity.Credential{Hash: "nothing"}, "x")
	require.Equal(t, identity.ReasonInternal, identity.ReasonOf(err))
}
