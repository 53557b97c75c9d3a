// Package keys is the provider's signing keys: how they come and go, and what
// is signed and published with them. Which key signs is decided at the moment
// of signing, so nobody stores a kid.
package keys
