package registration

import (
	"net/netip"
	"time"

	"keyway/provider/client"
)

// Through is what is left of m when a client was made of it.
func (m *Metadata) Through() Metadata {
	var c client.Client
	m.apply(&c)
	return of(&c)
}

// Limiter returns how a limiter of most answers.
func Limiter(most int) func(netip.Addr, time.Time) (time.Duration, bool) {
	return newLimiter(most).allow
}
