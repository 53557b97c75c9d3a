// Package target judges resource indicators (RFC 8707): for whom an access token
// is to be.
package target
