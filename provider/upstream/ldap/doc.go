// Package ldap asks an LDAP directory about people and their passwords, over
// go-ldap.
//
//	Verify ── name judged ── search as the reader ── exactly one entry? ── bind as it ── state ── groups ──> upstream.Person
//	            │                (service pool)                          (bind pool)
//	            └─ with a DN template: bind at once ── read the entry as who signed in ──┘
//	Follow ── search by the subject attribute ── one entry? disabled? ── groups ──> upstream.Person
//
// Two pools, because a bind changes whose a connection is: searches go over
// connections that stay the reader's, and a password is only ever tried on the
// others. The next server is asked where one cannot be reached, never after one
// has judged a password: a guess must count once. Nothing that somebody typed
// gets into a filter or a name unescaped, no referral is followed, and no
// password leaves before the connection is what the options say it has to be.
package ldap
