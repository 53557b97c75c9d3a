// Package dpop judges DPoP proofs (RFC 9449): JWTs by which a caller shows that it
// holds the key to which its tokens are bound, so that a token alone is worth
// nothing.
//
// A proof is for one request: its method, its URL, about now, once. Where an
// access token comes with it, it names that token. [Check] judges all that a
// proof says itself; [Verifier] adds what has to be remembered, which is that it
// is used once, and the nonces, which are not.
package dpop
