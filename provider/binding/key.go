package binding

import (
	"errors"
	"net/http"

	"keyway/provider/dpop"
	"keyway/provider/wire"
)

// The schemes by which access tokens are presented, which are also their
// token_type (RFC 6750, section 2.1; RFC 9449, section 7.1).
const (
	Bearer = "Bearer"
	DPoP   = "DPoP"
)

// Key is what tokens are bound to, as the claim cnf says it (RFC 7800, section
// 3.1). A nil Key is that of bearer tokens.
type Key struct {
	Proof       string `json:"jkt,omitempty"`      // thumbprint of the key of DPoP proofs (RFC 9449, section 6.1)
	Certificate string `json:"x5t#S256,omitempty"` // thumbprint of the certificate (RFC 8705, section 3.1)
}

// TokenType is how tokens bound to k are presented.
func (k *Key) TokenType() string {
	if k != nil && k.Proof != "" {
		return DPoP
	}
	return Bearer
}

// Equal reports whether both are bound to the same.
func (k *Key) Equal(other *Key) bool {
	return k == other || k != nil && other != nil && *k == *other
}

// Demand is what a client must show for its tokens.
type Demand struct {
	Proof       bool // it registered dpop_bound_access_tokens
	Certificate bool // it registered tls_client_certificate_bound_access_tokens
	Held        *Key // what the code or the refresh token is bound to
	Keep        bool // that it must be shown again, as by a public client
}

// Bind decides what new tokens are bound to. Errors are [*wire.Error].
func Bind(shown Key, d Demand) (*Key, error) {
	held := Key{}
	if d.Keep && d.Held != nil {
		held = *d.Held
	}
	if !d.Certificate && held.Certificate == "" {
		shown.Certificate = "" // a certificate that only authenticates binds nothing
	}
	switch {
	case shown.Proof == "" && (d.Proof || held.Proof != ""):
		return nil, wire.Of("invalid_dpop_proof", errors.New("there is no DPoP proof"))
	case shown.Certificate == "" && (d.Certificate || held.Certificate != ""):
		return nil, wire.BadRequest("A client certificate is needed.")
	case held.Proof != "" && held.Proof != shown.Proof:
		return nil, wire.Of("invalid_grant", errors.New("it is bound to another key"))
	case held.Certificate != "" && held.Certificate != shown.Certificate:
		return nil, wire.Of("invalid_grant", errors.New("it is bound to another certificate"))
	case shown == Key{}:
		return nil, nil
	}
	return &shown, nil
}

// refusal is an error of a protected resource (RFC 9449, section 7.1; RFC 6750,
// section 3.1).
func refusal(scheme, code string, cause error) *wire.Error {
	e := wire.Of(code, cause)
	if e.Challenge = scheme; e.Status == http.StatusBadRequest {
		e.Status = http.StatusUnauthorized
	}
	if scheme == DPoP {
		e.Algorithms = dpop.Algorithms()
	}
	return e
}
