// Package oauth signs people in at an upstream that speaks plain OAuth 2, with
// x/oauth2: GitHub, GitLab and others that tell of their people by an API.
//
//	AuthCodeURL ── PKCE, state
//	Exchange ── iss of the answer ── code ── token endpoint ── userinfo URL ── e-mails ── groups ──> upstream.Person
//	              RFC 9207                                          │
//	                                     a stable id, mapped claims ┘
//
// Nothing here is signed. What holds is that the token came from the upstream
// itself, by https, for a code that was bound to this browser, and that the token
// was shown to nobody else.
package oauth
