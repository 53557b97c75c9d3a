// Package database asks the database of an old system about its people, by one
// query that reads:
//
//	Verify(name, password) ── query with :login ──> one row ── hash, scheme, salt ── identity.Foreign ──> Person
//	Follow(subject) ───────── query with :id ─────> one row ──────────────────────────────────────────> Person
//
// The name reaches the database as a bound parameter and in no other way; the
// query is one SELECT, in a transaction that cannot write. No row is an unknown
// name, and two rows are nobody: a query that cannot tell people apart must not
// sign any of them in.
//
// Of the columns, subject is who the row is about, hash, scheme and salt are the
// credential, status is active, disabled, locked or unverified; each other one is
// a claim under its name.
package database
