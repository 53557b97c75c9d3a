// Package client is the OAuth clients of the provider: what is known of one,
// and what about one could not work.
package client
