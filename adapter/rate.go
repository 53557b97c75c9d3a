package adapter

import (
	"net/netip"
	"sync"
	"time"
)

// maxRateEntries bounds the memory of one instance's request limit.
const maxRateEntries = 100_000

// rateLimit counts requests in a fixed window for each client address; an IPv6
// network of 64 bits, which is one customer's, counts as one address.
type rateLimit struct {
	limit int
	per   time.Duration
	mu    sync.Mutex
	seen  map[netip.Addr]*window
}

type window struct {
	ends  time.Time
	count int
}

func newRateLimit(limit int, per time.Duration) *rateLimit {
	return &rateLimit{limit: limit, per: per, seen: map[netip.Addr]*window{}}
}

// take counts one request and says how many more this window allows; ok is
// false beyond the limit.
func (l *rateLimit) take(from netip.Addr, now time.Time) (remaining int, ok bool) {
	from = rateSource(from)
	l.mu.Lock()
	defer l.mu.Unlock()
	w := l.seen[from]
	if w == nil {
		l.makeRoom(now)
		w = &window{}
		l.seen[from] = w
	}
	if !now.Before(w.ends) {
		w.ends, w.count = now.Add(l.per), 0
	}
	if w.count >= l.limit {
		return 0, false
	}
	w.count++
	return l.limit - w.count, true
}

// rateSource is the address under which a client is counted.
func rateSource(from netip.Addr) netip.Addr {
	from = from.Unmap().WithZone("")
	if !from.Is6() {
		return from
	}
	network, err := from.Prefix(64)
	if err != nil {
		return from
	}
	return network.Addr()
}

// makeRoom forgets windows that are over, and if that is not enough some that
// are not: an attacker with very many addresses may escape the count, but
// never exhausts memory.
func (l *rateLimit) makeRoom(now time.Time) {
	if len(l.seen) < maxRateEntries {
		return
	}
	for addr, w := range l.seen {
		if !now.Before(w.ends) {
			delete(l.seen, addr)
		}
	}
	for addr := range l.seen {
		if len(l.seen) < maxRateEntries*9/10 {
			return
		}
		delete(l.seen, addr)
	}
}
