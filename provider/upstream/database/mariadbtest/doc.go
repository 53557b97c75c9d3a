// Package mariadbtest starts real MariaDB servers for tests, with the tables of
// OSSN and Faveo that a login needs. A server is a process on loopback with a
// directory of its own, and ends with its test, or with the test process.
package mariadbtest
