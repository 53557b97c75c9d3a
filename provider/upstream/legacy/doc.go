// Package legacy asks an old server whether a password is right, by the login call
// that it has always had. What that call is, and what its answers mean, is said by a
// [Description] and not in Go:
//
//	username, password, settings ── fields ──> form, JSON or XML ── POST ──> status, headers, cookies, body
//	                                                                                  │
//	             Person <── subject, claims <── success? <── unknown? disabled? … wrong? <┘
//
// Fields are encoded as the body's kind wants it, whatever is in them. An answer
// that no expression knows is an outage, and nobody's fault.
package legacy
