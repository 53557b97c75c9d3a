// Package oidc signs people in at an OpenID provider of somebody else's, with
// go-oidc and x/oauth2.
//
//	AuthCodeURL ── metadata (kept, read anew now and then) ── PKCE, state, nonce
//	Exchange ── iss of the answer ── code ── token endpoint ── ID token ── userinfo ──> upstream.Person
//	              RFC 9207                                       │
//	                  signature, iss, aud, azp, exp, iat, nonce, at_hash, acr
//
// What the libraries leave to their callers is judged here: nonce, azp, at_hash,
// iat, acr, members that stand twice, and how often keys are fetched.
package oidc
