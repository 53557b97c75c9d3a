// Package exchange judges who may turn one token into another: token exchange
// (RFC 8693) and the grant of a signed assertion (RFC 7523, section 2.1).
//
//	form ── Parse ──> Request ──┐
//	subject_token ─> Party ─────┼── Decide ──> Decision: scopes, audience, end, act
//	actor_token ───> Party ─────┤
//	who calls ─────> Caller ────┘
//
//	assertion, or a JWT of a trusted issuer ── Reader ──> Statement: who, until when, what at most
//
// A Decision is never more than its subject token was, nor than the caller's
// own ceiling. Nothing here asks storage: who has a token of ours, and whether it
// is live, the caller has found out before.
package exchange
