package keyset

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v3"
)

// How long fetched sets count. Whoever signs with a new kid is seen after
// retryAfter at the latest, and so is whoever signs without one.
const (
	freshFor   = 5 * time.Minute
	retryAfter = 30 * time.Second // between two fetches of one set, however they end
	staleFor   = 24 * time.Hour   // that a set is used while it cannot be fetched
	fetchTime  = 10 * time.Second // for one fetch, whatever the fetcher allows
	maxSets    = 1000
	maxFetches = 16 // at a time
)

// Options are what a [Cache] needs; both must be given.
type Options struct {
	// Fetch returns what stands at a URI, within its own limits of size and time.
	Fetch func(ctx context.Context, uri string) ([]byte, error)
	Now   func() time.Time
}

// Cache keeps the key sets that others publish.
type Cache struct {
	options Options
	slots   chan struct{} // one for each fetch that runs

	mu   sync.Mutex
	sets map[string]*entry
}

// entry is one set. Its fields are guarded by the cache.
type entry struct {
	set    *jose.JSONWebKeySet // the last good one, nil for none
	at     time.Time           // when it was fetched
	tried  time.Time           // when the last fetch began
	err    error               // of the last fetch
	flight chan struct{}       // closed when the fetch that runs ends; nil while none does
}

// ErrUnavailable says that a set cannot be fetched, and that no copy of it is
// young enough.
var ErrUnavailable = errors.New("the key set cannot be fetched")

// NewCache returns an empty Cache.
func NewCache(o Options) (*Cache, error) {
	if o.Fetch == nil || o.Now == nil {
		return nil, errors.New("keyset: fetch and now must be given")
	}
	return &Cache{options: o, slots: make(chan struct{}, maxFetches), sets: map[string]*entry{}}, nil
}

// Keys returns the set at uri. A kid that is not in the copy at hand, or "" for
// who names none, makes it fetch the set anew, yet not more often than every
// 30 s; the set that it returns may lack that kid still. The error is
// [ErrUnavailable] or that of ctx.
func (c *Cache) Keys(ctx context.Context, uri, kid string) (*jose.JSONWebKeySet, error) {
	c.mu.Lock()
	now := c.options.Now()
	e := c.entry(uri, now)
	set := e.usable(now)
	good := set != nil && Has(set, kid)
	if good && now.Sub(e.at) < freshFor {
		c.mu.Unlock()
		return set, nil
	}
	c.begin(ctx, uri, e, now)
	flight := e.flight
	c.mu.Unlock()
	if !good && flight != nil {
		select {
		case <-flight:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if set = e.usable(now); set == nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, e.err)
	}
	return set, nil
}

// usable is the set, unless it is too old to go by.
func (e *entry) usable(now time.Time) *jose.JSONWebKeySet {
	if e.set == nil || now.Sub(e.at) >= staleFor {
		return nil
	}
	return e.set
}

// begin starts a fetch, unless one runs or ran a moment ago. It goes on when
// its caller leaves: others wait for it, and the next one will want it.
func (c *Cache) begin(ctx context.Context, uri string, e *entry, now time.Time) {
	if e.flight != nil || !e.tried.IsZero() && now.Sub(e.tried) < retryAfter {
		return
	}
	select {
	case c.slots <- struct{}{}:
	default:
		e.err = errors.New("too many fetches at a time")
		return
	}
	e.tried, e.flight = now, make(chan struct{})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	go func() {
		defer func() { <-c.slots }()
		defer cancel()
		set, err := c.fetch(ctx, uri)
		c.mu.Lock()
		defer c.mu.Unlock()
		if e.err = err; err == nil {
			e.set, e.at = set, now
		}
		close(e.flight)
		e.flight = nil
	}()
}

func (c *Cache) fetch(ctx context.Context, uri string) (*jose.JSONWebKeySet, error) {
	body, err := c.options.Fetch(ctx, uri)
	if err != nil {
		return nil, err
	}
	return Parse(body)
}

// entry finds the entry of uri or makes one. A full cache loses one that is of
// no use any more, or any one.
func (c *Cache) entry(uri string, now time.Time) *entry {
	if e := c.sets[uri]; e != nil {
		return e
	}
	if len(c.sets) >= maxSets {
		c.evict(now)
	}
	e := &entry{err: errors.New("not fetched yet")}
	c.sets[uri] = e
	return e
}

func (c *Cache) evict(now time.Time) {
	victim := ""
	for uri, e := range c.sets {
		if victim = uri; e.usable(now) == nil && e.flight == nil {
			break
		}
	}
	delete(c.sets, victim)
}
