// Package ldaptest starts directories for tests: OpenLDAP's slapd, with a
// password policy, groups and TLS, and a Samba domain controller, which speaks
// as Active Directory does. Both are the distribution's, run on loopback with
// temporary data, and end with the test or with its process.
package ldaptest
