// Package request judges authorization requests (RFC 6749, section 4.1.1; OpenID
// Connect Core 1.0, section 3.1.2.1) by all that they say themselves: nothing here
// knows who is signed in, or asks storage.
//
//	query ── Read ── values ── Judge ── Request, or the Error that goes back
package request
