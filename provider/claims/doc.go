// Package claims knows what OpenID Connect says of people: which scope opens
// which claim, what a user's claims are, and the parameter claims.
package claims
