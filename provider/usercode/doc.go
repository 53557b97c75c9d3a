// Package usercode makes and reads the codes that people type to let a device
// in (RFC 8628, section 6.1): eight consonants, shown as XXXX-XXXX.
package usercode
