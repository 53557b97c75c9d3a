// Package farewell is the endpoint at which a browser signs out (OpenID Connect
// RP-Initiated Logout 1.0).
//
//	a request ── who asks, where do they want to go? ── a hint of who is signed in: out
//	                                                  ── none: the page that asks first
//	out ── clients that want to hear of it in the browser ── a page of frames, which goes on
//	    ── none ── back to where the client registered, or our own page
package farewell
