// Package provider is the OpenID provider: one file an endpoint, over fosite.
//
//	POST /oauth2/token ── wire.Form ────── fosite: NewAccessRequest ──┐
//	                       clientauth.go                             ├─ policy.go ── fosite: NewAccessResponse
//	GrantPassword ──────── grant_password.go: the same handlers ─────┘                        │
//	                                                                            collected in a unit of work
//	answer <── wire.Write or the endpoint <── Storage.Issue: one transaction <─────────────────┘
//
//	GET /oauth2/authorize ── authorize_request.go ── what is missing?
//	    ^                                               │ nothing: fosite makes the code, Storage.Issue, redirect
//	    │                                               v
//	    └──────── one field of the interaction <── /login, /consent (visit: cookies, sessions, form tokens)
//
//	POST /oauth2/device ── device.Codes: two codes
//	/device ── an interaction, too: who, which code, allow? ── Storage.Issue: the grant
//	POST /oauth2/token ── grant_device.go: still waiting, or the grant's tokens
//
//	POST /oauth2/token ── grant_exchange.go: another token, or somebody's word ── exchange: what of it at most?
//
//	/login/factor ── package stepup: a step, too, where a second factor is missing (package factor)
//	/account ── package account: its sections, over visit and Storage
//
//	introspect, userinfo, InspectGrant ── inspect.go: Storage.FindToken, one read ── Gate
//
// fosite judges a request and makes the response; what it would store is
// collected (fositestore.go) and written at once, and nothing is sent before
// that. Errors for callers in process are [*identity.Failure]; on the wire they
// are written in package wire alone. What is one protocol concern and needs no
// fosite is a package of its own below this one: client, keys, storage, wire, pages,
// visit, account, farewell, claims, redirect, assertion, secret.
package provider
