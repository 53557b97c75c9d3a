// Package cors lets the pages of registered clients, and of nobody else, read what
// endpoints answer to a browser (Fetch Standard, section 3.3).
package cors

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
)

// maxAge is how long a browser may remember that it may ask, in seconds.
const maxAge = "600"

// Open answers what everybody may read, such as the metadata. It reports whether
// the request was a preflight, which has been answered then.
func Open(w http.ResponseWriter, r *http.Request, methods string) bool {
	w.Header().Set("Access-Control-Allow-Origin", "*")
	return preflight(w, r, methods)
}

// Public lets every page read what stands behind it.
func Public(c *gin.Context) {
	if Open(c.Writer, c.Request, "GET, HEAD") {
		c.Abort()
	}
}

// Handler lets the pages of clients read what stands behind it.
func (o *Origins) Handler(methods string) gin.HandlerFunc {
	return func(c *gin.Context) {
		if o.Allow(c.Writer, c.Request, methods) {
			c.Abort()
		}
	}
}

// Origins are those of the pages of the provider's clients. It is safe for use by
// several goroutines.
type Origins struct {
	list func(ctx context.Context) ([]string, error)
	ttl  time.Duration
	now  func() time.Time

	mu    sync.Mutex
	known map[string]bool
	until time.Time
}

// NewOrigins keeps what list returns for ttl, so that a new client is soon seen
// and a request costs no read.
func NewOrigins(list func(ctx context.Context) ([]string, error), ttl time.Duration, now func() time.Time) *Origins {
	return &Origins{list: list, ttl: ttl, now: now}
}

// Allow answers for the origin of a request if it is one of ours. It never
// mirrors one that it does not know (CVE-2024-41657), and never allows cookies.
// It reports whether the request was a preflight, which has been answered then.
// Where the origins cannot be read, no page may read the answer.
func (o *Origins) Allow(w http.ResponseWriter, r *http.Request, methods string) bool {
	w.Header().Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if len(r.Header.Values("Origin")) == 1 && o.knows(r.Context(), origin) {
		w.Header().Set("Access-Control-Allow-Origin", origin)
		w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce, Retry-After")
		if isPreflight(r) {
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP")
		}
	} else if isPreflight(r) {
		w.WriteHeader(http.StatusNoContent)
		return true
	}
	return preflight(w, r, methods)
}

func (o *Origins) knows(ctx context.Context, origin string) bool {
	if Of(origin) != origin || origin == "" {
		return false
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if now := o.now(); !now.Before(o.until) {
		origins, err := o.list(ctx)
		if err != nil {
			return false
		}
		o.known = make(map[string]bool, len(origins))
		for _, known := range origins {
			o.known[known] = true
		}
		o.until = now.Add(o.ttl)
	}
	loopback := anyPort(origin)
	return o.known[origin] || loopback != "" && o.known[loopback]
}

// anyPort is how the origins of an app are listed that runs on any port of a
// loopback address (RFC 8252, section 7.3); "" for an origin elsewhere.
func anyPort(origin string) string {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		if rest, ok := strings.CutPrefix(origin, host); ok && (rest == "" || rest[0] == ':') {
			return host + ":*"
		}
	}
	return ""
}

func isPreflight(r *http.Request) bool {
	return r.Method == http.MethodOptions && r.Header.Get("Origin") != "" && r.Header.Get("Access-Control-Request-Method") != ""
}

func preflight(w http.ResponseWriter, r *http.Request, methods string) bool {
	if !isPreflight(r) {
		return false
	}
	h := w.Header()
	h.Set("Access-Control-Allow-Methods", methods)
	h.Set("Access-Control-Max-Age", maxAge)
	w.WriteHeader(http.StatusNoContent)
	return true
}

// Of is the origin of a URI as a browser writes it, "" for a URI whose pages have
// none: one that is not http or https, or that no browser would show.
func Of(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.User != nil || u.Opaque != "" || u.Hostname() == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	host := strings.ToLower(u.Host)
	port := u.Port()
	if port == "" || u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
		host = strings.TrimSuffix(strings.TrimSuffix(host, port), ":")
	}
	return u.Scheme + "://" + host
}

// Check reports an origin that no browser would send.
func Check(origin string) bool { return origin != "" && Of(origin) == origin }

// Merge is all of the origins of the URIs, each once.
func Merge(origins []string, uris ...string) []string {
	for _, uri := range uris {
		if loopback := anyPort(Of(uri)); loopback != "" && !slices.Contains(origins, loopback) {
			origins = append(origins, loopback)
		}
		if origin := Of(uri); origin != "" && !slices.Contains(origins, origin) {
			origins = append(origins, origin)
		}
	}
	return origins
}
