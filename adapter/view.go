package adapter

import (
	"time"

	"keyway/provider/identity"
)

// View is what a template of a reply, a header or a token's claims reads.
// Its fields and the functions of [funcs] are the whole vocabulary.
type View struct {
	Outcome  Outcome
	Now      time.Time
	Site     Site
	Settings map[string]any // every declared setting, by name, with its type
	Request  RequestView
	Field    map[string]string // Request.Field, for short
	User     *identity.User    // nil unless somebody is known
	Account  *identity.Account // nil where there is none
	Token    *TokenView        // nil unless there is a token
	Rate     RateView
}

// Site is where the outside sees the legacy system. It is configured and
// never taken from the request.
type Site struct {
	URL string // with a trailing slash
}

// RequestView is what a reply may say of its request.
type RequestView struct {
	ID         string // for the log, in X-Request-Id
	URL        string // Site.URL and the path of the route that answers
	Method     string
	Path       string            // as it was asked
	RemoteAddr string            // the client's address
	Field      map[string]string // every field that any route declares, after normalising; "" when absent
	Raw        map[string]string // the same before normalising
	JSON       map[string]any    // the JSON body's members, numbers as json.Number; for echoing, as in JSON-RPC
}

// TokenView is the access token of the reply.
type TokenView struct {
	Value     string
	ID        string // 16 letters and digits; only in claims
	IssuedAt  time.Time
	ExpiresAt time.Time
	Remaining int64 // from the second of Now to that of ExpiresAt
}

// RateView is the state of the system's own request limit.
type RateView struct {
	Limit     int
	Remaining int
}
