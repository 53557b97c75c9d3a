package identity

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestThrottle(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	t.Run("a key passes once in a while", func(t *testing.T) {
		th := newThrottle(time.Minute, 10)
		require.True(t, th.allow("a", now))
		require.False(t, th.allow("a", now.Add(59*time.Second)))
		require.True(t, th.allow("b", now))
		require.True(t, th.allow("a", now.Add(time.Minute)))
	})
	t.Run("it stays within its size, and goes on when keys have expired", func(t *testing.T) {
		th := newThrottle(time.Minute, 3)
		for i := range 100 {
			require.Equal(t, i < 3, th.allow(fmt.Sprint(i), now))
		}
		require.Len(t, th.passed, 3)
		require.True(t, th.allow("late", now.Add(time.Minute)))
		require.Len(t, th.passed, 1)
	})
	t.Run("many at once pass as one", func(t *testing.T) {
		th := newThrottle(time.Minute, 3)
		var passed atomic.Int64
		var group sync.WaitGroup
		for range 50 {
			group.Go(func() {
				if th.allow("a", now) {
					passed.Add(1)
				}
			})
		}
		group.Wait()
		require.EqualValues(t, 1, passed.Load())
	})
}
