// Package binding binds tokens to what their client holds, so that a stolen token
// is worth nothing: to the key of DPoP proofs (RFC 9449), to a certificate (RFC
// 8705), or to both.
//
//	token endpoint   Binder.Shown ── Bind: what the client must show, and what it showed
//	                                   └─> Key, which is the claim cnf of everything that follows
//	userinfo         Token ── Binder.Check: the same key again, and the right scheme
package binding
