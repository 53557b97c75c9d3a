// Package logout tells clients that somebody is signed out.
//
//	a session ends ── storage, in the same transaction: a notice for each client that has tokens of it
//	                     │
//	                     v
//	Delivery ── claims the notices that are due ── makes a logout token ── posts it ──┬── told: an event
//	                     ^                                                            ├── not told: again later
//	                     └────────────────────────────────────────────────────────────┘   not told at last: an event
//
// A notice belongs to whoever claimed it until the claim is over, so that of
// many replicas one delivers it, and one that dies keeps nobody from it. A client
// may be told twice, and never less than once as long as it can be told at all.
//
// Front-channel logout needs no storage: see [FrameURI].
package logout
