// Package recent keeps what was just read, for endpoints that are asked about
// the same thing again and again.
package recent

import (
	"sync"
	"time"
)

const (
	// For is how long what was read is believed. Another replica's revocation
	// bites here within it; one of this process at once.
	For  = 500 * time.Millisecond
	most = 10_000
)

// Reads are what was just read, by key. The zero value is ready.
type Reads[K comparable, V any] struct {
	mu    sync.RWMutex
	round uint64 // grows when everything is forgotten
	kept  map[K]keptValue[V]
}

type keptValue[V any] struct {
	value V
	until time.Time
}

// Get also returns the round, which a later Put is to be given.
func (r *Reads[K, V]) Get(key K, now time.Time) (v V, round uint64, ok bool) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	hit, ok := r.kept[key]
	return hit.value, r.round, ok && now.Before(hit.until)
}

// Put keeps v, unless everything was forgotten since Get gave round: what was
// read may be older than the reason to forget it.
func (r *Reads[K, V]) Put(key K, v V, round uint64, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.round != round {
		return
	}
	if r.kept == nil || len(r.kept) >= most {
		r.kept = map[K]keptValue[V]{}
	}
	r.kept[key] = keptValue[V]{value: v, until: now.Add(For)}
}

// Forget everything.
func (r *Reads[K, V]) Forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round++
	r.kept = nil
}
