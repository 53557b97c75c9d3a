// Package codeflow is what connectors have in common whose upstream answers by
// the authorization code (RFC 6749, section 4.1), be it an OpenID provider or
// plain OAuth 2.
//
//	the browser's answer ── Check ──> a code ── token endpoint ── TokenError
//	a document of the upstream's ── Parse, Claims ──> values in which no member stands twice
package codeflow
