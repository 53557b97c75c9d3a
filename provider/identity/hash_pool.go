package identity

import (
	"context"
	"errors"
	"sync/atomic"
	"time"
)

// pool lets a fixed number of callers run at once and a fixed number wait.
type pool struct {
	slots   chan struct{}
	queue   int64
	waiting atomic.Int64
	wait    time.Duration
}

func newPool(workers, queue int, wait time.Duration) *pool {
	return &pool{slots: make(chan struct{}, workers), queue: int64(queue), wait: wait}
}

// run calls f on the caller's goroutine as soon as there is a slot. Errors are
// [*Failure] with [ReasonUnavailable]; then f was not called.
func (p *pool) run(ctx context.Context, f func()) error {
	if err := p.acquire(ctx); err != nil {
		return Failf(ReasonUnavailable, "password hashing: %w", err)
	}
	defer func() { <-p.slots }()
	f()
	return nil
}

func (p *pool) acquire(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	select {
	case p.slots <- struct{}{}:
		return nil
	default:
	}
	defer p.waiting.Add(-1)
	if p.waiting.Add(1) > p.queue {
		return errors.New("queue is full")
	}
	timer := time.NewTimer(p.wait)
	defer timer.Stop()
	select {
	case p.slots <- struct{}{}:
		return nil
	case <-timer.C:
		return errors.New("waited too long for a worker")
	case <-ctx.Done():
		return ctx.Err()
	}
}
