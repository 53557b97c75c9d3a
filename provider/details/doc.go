// Package details reads authorization_details (RFC 9396): what a client asks for
// where a scope is too coarse, such as one payment.
package details
