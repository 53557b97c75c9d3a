// Package mtls judges the certificates that clients show when they connect (RFC
// 8705): whether one proves a client, which one tokens are bound to, and where it
// is found, which is the connection itself or what a trusted proxy says of it.
package mtls
