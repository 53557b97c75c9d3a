// Package store keeps everything that Keyway keeps, in SQLite or PostgreSQL,
// through one set of SQL.
//
//	read ───────────────> readers (SQLite: several connections, query_only)
//	                      pool    (PostgreSQL)
//
//	write ──┐                  ┌─ BEGIN IMMEDIATE
//	write ──┼─> queue ─> writer┤  write, write, write
//	write ──┘   (SQLite)       └─ COMMIT ── one disk sync ──> each caller gets its answer
//
//	write ───────────────> a transaction of its own (PostgreSQL, READ COMMITTED)
//
// # The writer
//
// SQLite has one writer at a time, and with synchronous=FULL each commit waits
// for the disk. So every write is a function handed to one goroutine, which runs
// all functions that wait into one transaction, commits it, and only then
// answers: an answer means that the write survives a power cut, and sixteen
// callers share one sync. A function that fails without having changed anything
// (a compare-and-set that lost) is answered alone and costs the others nothing.
// When one fails otherwise, the transaction is rolled back and each function is run
// again in a transaction of its own; so a write function must not keep anything
// from an earlier run.
//
// A caller that goes away before its function began is left out. One whose
// function began has no say any more: the function runs to its end, so that a
// client that hangs up cannot leave a rotation half done.
//
// On PostgreSQL, which groups commits itself, each write is a transaction of its
// own. Both databases see the same statements; what may happen once is a conditional
// UPDATE or INSERT whose row count is checked, never a read followed by a write, so
// READ COMMITTED is enough and serialization failures cannot happen. The one exception
// is a new grant, which on PostgreSQL locks its user's row for sharing, so that
// it and the disabling of the user take turns.
//
// A connection that PostgreSQL closed, as when it was restarted, fails no caller
// while the database answers: what found it broken is run once more on a fresh one, a
// write only if its COMMIT had not been sent.
//
// # Errors
//
// A method returns [identity.ErrNotFound] and [identity.ErrConflict] where its
// interface says so, a [*identity.Failure] with [identity.ReasonUnavailable] when the
// database is away, full, locked or too slow, and any other error for a mistake of
// ours or of the caller.
package store
