// Package storage is what a provider stores, and what it asks of whoever
// stores it: the records, and the interfaces that package store implements.
package storage
