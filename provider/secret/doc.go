// Package secret makes what nobody may guess, and compares client secrets with
// their hashes.
package secret
