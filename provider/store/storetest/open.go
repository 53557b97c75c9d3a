package storetest

import (
	"crypto/rand"
	"strings"
)

// OpenServer starts a server for a program that is no test, such as a
// benchmark; the caller closes it.
func OpenServer() (*Server, error) { return newServer() }

// Close stops the server and removes its databases.
func (s *Server) Close() { s.close() }

// NewDatabase makes an empty database and returns its DSN.
func (s *Server) NewDatabase() (string, error) {
	name := "keyway_" + strings.ToLower(rand.Text())
	if err := s.execute("postgres", `CREATE DATABASE `+name); err != nil {
		return "", err
	}
	return s.DSN(name), nil
}
