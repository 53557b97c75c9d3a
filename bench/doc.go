// Command bench measures Keyway as performance targets are stated: it starts
// the built program on a fresh SQLite file and on a temporary PostgreSQL,
// drives every row with the same load, reads CPU time and memory of the
// server's process from /proc, measures bare handlers in the same run for
// comparison, and prints one table.
//
// Rates move with the machine; CPU milliseconds an operation, and ratios
// within one run, are what to compare.
package main
