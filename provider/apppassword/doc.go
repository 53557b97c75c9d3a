// Package apppassword is the desk at which people, and administrators for them,
// get passwords for one legacy system each, see them and take them back. What
// such a password opens is [identity.AppPasswords]' to say.
package apppassword
