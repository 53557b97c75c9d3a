// Package identity is who people are: users, their login names in
// directories, their accounts in legacy systems, their password hashes, and
// the gate that every way in asks. It is the leaf of the dependency graph and
// imports nothing else of this module.
//
//	Credentials ──> SignIn ──┬─> Gate.Ask(MomentTry)    may this name, from here, try?
//	                         ├─> Authenticator          is the password right?
//	                         └─> Gate.Ask(MomentEnter)  may this user, now, come in?
//	Identity    <────────────┘
//
// Every error a caller may branch on is a [*Failure].
package identity
