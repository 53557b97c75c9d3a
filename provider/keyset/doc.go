// Package keyset is the public keys of others: JWK sets (RFC 7517) that
// clients register by value, and those that they publish at a jwks_uri.
// It is also the one place that looks for the key of a signature.
//
//	Keys(uri, kid) ── fresh, and the kid is there ──────────────> the set
//	                │ else, at most once in a while
//	                └── fetch ── good ──────────────────────────> the new set
//	                           └ bad ── the old one is young enough ──> the old set
package keyset
