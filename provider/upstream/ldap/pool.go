package ldap

import (
	"context"
	"slices"
	"sync"
	"time"

	"keyway/provider/upstream"
)

// pool keeps connections for use one after the other.
type pool struct {
	open func(context.Context) (*conn, error)
	keep time.Duration
	now  func() time.Time
	// slots has one element for each connection that somebody has.
	slots chan struct{}

	mu     sync.Mutex
	idle   []*conn // the one used last is used next, so that those too many get old
	closed bool
}

func newPool(o *Options, open func(context.Context) (*conn, error)) *pool {
	return &pool{open: open, keep: o.Idle, now: o.Now, slots: make(chan struct{}, o.Connections)}
}

// take returns a connection that give has to get back, and whether it was used
// before.
func (p *pool) take(ctx context.Context) (c *conn, reused bool, err error) {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, false, upstream.Fail(upstream.Unavailable, "no connection became free in time")
	}
	for c := p.pop(); c != nil; c = p.pop() {
		if c.alive(ctx, p.now()) {
			return c, true, nil
		}
		c.close()
	}
	c, err = p.open(ctx)
	if err != nil {
		<-p.slots
		return nil, false, err
	}
	return c, false, nil
}

func (p *pool) pop() *conn {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if n == 0 {
		return nil
	}
	c := p.idle[n-1]
	p.idle = p.idle[:n-1]
	c.expiry.Stop()
	return c
}

func (p *pool) give(c *conn) {
	defer func() { <-p.slots }()
	if c.broken || c.ldap.IsClosing() || !p.push(c) {
		c.close()
	}
}

func (p *pool) push(c *conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	c.since = p.now()
	c.expiry = time.AfterFunc(p.keep, func() { p.expire(c) })
	p.idle = append(p.idle, c)
	return true
}

// expire closes c unless somebody has taken it meanwhile.
func (p *pool) expire(c *conn) {
	p.mu.Lock()
	i := slices.Index(p.idle, c)
	if i >= 0 {
		p.idle = slices.Delete(p.idle, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		c.close()
	}
}

// close closes the idle ones; those in use are closed when they come back.
func (p *pool) close() {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	for _, c := range idle {
		c.expiry.Stop()
		c.close()
	}
}
