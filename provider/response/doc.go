// Package response is how the answer to an authorization request travels: in the
// query, in the fragment or by a form (OAuth 2.0 Multiple Response Types; Form
// Post Response Mode), as it is or in a JWT that we sign (JARM).
package response
