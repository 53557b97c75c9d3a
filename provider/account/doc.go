// Package account is the page on which people who are signed in see what there is
// of them, and the forms on it.
//
//	GET /account ── nobody is signed in ── an interaction that leads back here
//	                somebody is ── each section fills in its part of the page
//	POST /account/… ── form token ── the action ── done: what the person sees then
//
// A section is a file: what it puts on the page, its actions, and what it needs of
// others as an interface in [Options].
package account
