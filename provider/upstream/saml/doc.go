// Package saml signs people in at a SAML 2.0 identity provider, with crewjam/saml
// and goxmldsig.
//
//	AuthCodeURL ── metadata (kept, read anew now and then) ── AuthnRequest, signed ── HTTP-Redirect
//	Exchange ── base64, size ── tokens ── shape ── library ── judge ── taken once ──> upstream.Person
//	                               │        │         │          └ format of the name, contexts, times, freshness
//	                               │        │         └ signature, audience, recipient, times, InResponseTo, issuer
//	                               │        └ one assertion, signatures where they belong and of one form only
//	                               └ no DTD, no odd names, no depth: nothing that two parsers could read differently
//
// SAML libraries have been broken again and again by documents of a form that no
// identity provider makes. So a document has to have the one form that they do
// make before the library sees it, and the library's word is judged once more.
// Encrypted assertions, HTTP-Artifact and answers that nobody asked for are not
// taken.
package saml
