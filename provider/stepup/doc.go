// Package stepup is the page at which people who are signed in by one proof give a
// second one, or set it up where there is no going on without: a step of an
// interaction, as the login page is.
//
//	the dispatcher ── a second factor is missing ──> GET /login/factor
//	POST /login/factor ── factor.Desk ── a new session that says so ──> the dispatcher
package stepup
