// Package registration is dynamic client registration (RFC 7591, with the
// members of OpenID Connect Dynamic Client Registration 1.0) and its management
// (RFC 7592).
//
//	body ── Parse: types, sizes ── Policy.Judge: what may be ── a client ── storage: invitation used up, client stored
//
// Nothing that a client says of itself gives it a right that the operator has
// not put into the policy.
package registration
