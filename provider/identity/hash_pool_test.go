package identity

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// occupy fills every slot of p until the returned function is called.
func occupy(t *testing.T, p *pool) (release func()) {
	t.Helper()
	done := make(chan struct{})
	var running, finished sync.WaitGroup
	for range cap(p.slots) {
		running.Add(1)
		finished.Go(func() {
			err := p.run(context.Background(), func() { running.Done(); <-done })
			require.NoError(t, err)
		})
	}
	running.Wait()
	return func() { close(done); finished.Wait() }
}

func TestPoolBounds(t *testing.T) {
	t.Parallel()
	t.Run("no more run at once than there are workers", func(t *testing.T) {
		t.Parallel()
		p := newPool(3, 1000, time.Minute)
		var now, most atomic.Int64
		var group sync.WaitGroup
		for range 200 {
			group.Go(func() {
				err := p.run(t.Context(), func() {
					n := now.Add(1)
					for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
					}
					now.Add(-1)
				})
				require.NoError(t, err)
			})
		}
		group.Wait()
		require.LessOrEqual(t, most.Load(), int64(3))
		require.Zero(t, p.waiting.Load())
	})
	t.Run("a full queue is unavailable at once", func(t *testing.T) {
		t.Parallel()
		p := newPool(1, 0, time.Hour)
		release := occupy(t, p)
		defer release()
		err := p.run(t.Context(), func() { t.Error("it ran") })
		require.Equal(t, ReasonUnavailable, ReasonOf(err))
		require.Zero(t, p.waiting.Load(), "a refused caller holds no place")
	})
	t.Run("the queue is as long as it says", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(1, 2, time.Hour)
			release := occupy(t, p)
			var ran atomic.Int64
			var group sync.WaitGroup
			for range 2 {
				group.Go(func() { require.NoError(t, p.run(t.Context(), func() { ran.Add(1) })) })
			}
			synctest.Wait()
			require.Equal(t, ReasonUnavailable, ReasonOf(p.run(t.Context(), func() { ran.Add(100) })))
			release()
			group.Wait()
			require.EqualValues(t, 2, ran.Load())
		})
	})
	t.Run("who waits too long is sent away", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(1, 10, 5*time.Second)
			release := occupy(t, p)
			start := time.Now()
			err := p.run(t.Context(), func() { t.Error("it ran") })
			require.Equal(t, ReasonUnavailable, ReasonOf(err))
			require.Equal(t, 5*time.Second, time.Since(start))
			release()
			require.NoError(t, p.run(t.Context(), func() {}))
		})
	})
	t.Run("who gives up frees the place in the queue", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			p := newPool(1, 1, time.Hour)
			release := occupy(t, p)
			ctx, cancel := context.WithCancel(t.Context())
			gone := make(chan error, 1)
			go func() { gone <- p.run(ctx, func() { t.Error("it ran") }) }()
			synctest.Wait()
			cancel()
			err := <-gone
			require.Equal(t, ReasonUnavailable, ReasonOf(err))
			require.ErrorIs(t, err, context.Canceled)
			next := make(chan error, 1)
			go func() { next <- p.run(t.Context(), func() {}) }()
			synctest.Wait()
			release()
			require.NoError(t, <-next)
		})
	})
	t.Run("a request that was cancelled already is not hashed", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := newPool(1, 1, time.Hour).run(ctx, func() { t.Error("it ran") })
		require.ErrorIs(t, err, context.Canceled)
	})
}
