package registration

import (
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/wire"
)

const (
	window     = time.Hour
	maxSources = 10_000
)

// limiter bounds what comes from one address in an hour, in this process.
type limiter struct {
	most int

	mu      sync.Mutex
	sources map[netip.Prefix]count
}

type count struct {
	n     int
	since time.Time
}

func newLimiter(most int) *limiter { return &limiter{most: most, sources: map[netip.Prefix]count{}} }

// allow counts one more, or says how long to wait. Where too many sources are
// counted already, no other one may.
func (l *limiter) allow(addr netip.Addr, now time.Time) (wait time.Duration, ok bool) {
	from := sourceOf(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	c, known := l.sources[from]
	if known && now.Sub(c.since) >= window {
		c, known = count{}, false
	}
	if !known && len(l.sources) >= maxSources {
		l.sweep(now)
	}
	switch {
	case !known && len(l.sources) >= maxSources:
		return window, false
	case c.n >= l.most:
		return window - now.Sub(c.since), false
	case c.n == 0:
		c.since = now
	}
	c.n++
	l.sources[from] = c
	return 0, true
}

func (l *limiter) sweep(now time.Time) {
	for from, c := range l.sources {
		if now.Sub(c.since) >= window {
			delete(l.sources, from)
		}
	}
}

// sourceOf is the network that one subscriber has: an IPv4 address, or a /64.
func sourceOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap().WithZone("")
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

func tooMany(g *gin.Context, wait time.Duration) error {
	g.Header("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	return &wire.Error{
		Status: http.StatusTooManyRequests, Code: "temporarily_unavailable", Description: "Too many clients were registered or changed from here; try again later.",
	}
}
