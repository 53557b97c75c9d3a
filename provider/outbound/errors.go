package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
)

// Reason says why a call failed. It is a closed set.
type Reason string

// The reasons. [Forbidden] is for good, and [Status] is the other side's answer; all
// others may be over in a moment.
const (
	Forbidden   Reason = "forbidden"   // the URL, or the address behind it, may not be called
	Unresolved  Reason = "unresolved"  // the host has no address
	Unreachable Reason = "unreachable" // no connection, or one that broke
	Timeout     Reason = "timeout"
	Untrusted   Reason = "untrusted" // TLS failed, or the certificate does not hold
	Malformed   Reason = "malformed" // the answer is not HTTP
	TooLarge    Reason = "too_large"
	Status      Reason = "status" // any other than success, redirects included
)

// Error is every error of a [Client]. Its text has nothing that the other side
// sent, and of the URL the host alone.
type Error struct {
	Reason Reason
	Host   string
	Status int    // of an answer with [Status], else 0
	Detail string // of our own words; "" for none
}

// Error implements error.
func (e *Error) Error() string {
	text := fmt.Sprintf("outbound call to %q: %s", e.Host, e.Reason)
	switch {
	case e.Status != 0:
		return fmt.Sprintf("%s %d", text, e.Status)
	case e.Detail != "":
		return text + ": " + e.Detail
	}
	return text
}

// ReasonOf returns the reason of an error of this package, "" for any other.
func ReasonOf(err error) Reason {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason
	}
	return ""
}

// classify keeps of a cause what kind it is, for its text may quote the answer.
func classify(host string, cause error) *Error {
	var (
		own     *Error
		dns     *net.DNSError
		op      *net.OpError
		timeout interface{ Timeout() bool }
		alert   tls.AlertError
		record  tls.RecordHeaderError
		cert    *tls.CertificateVerificationError
	)
	e := &Error{Reason: Malformed, Host: host}
	switch {
	case errors.As(cause, &own):
		return own
	case errors.Is(cause, context.DeadlineExceeded), errors.As(cause, &timeout) && timeout.Timeout():
		e.Reason = Timeout
	case errors.As(cause, &dns):
		e.Reason = Unresolved
	case errors.As(cause, &cert):
		e.Reason, e.Detail = Untrusted, certificate(cert)
	case errors.As(cause, &alert), errors.As(cause, &record), errors.Is(cause, http.ErrSchemeMismatch):
		e.Reason = Untrusted
	case errors.As(cause, &op), errors.Is(cause, context.Canceled), errors.Is(cause, io.EOF), errors.Is(cause, io.ErrUnexpectedEOF):
		e.Reason = Unreachable
	}
	return e
}

// certificate says in our own words what is wrong with a certificate, for the
// names in it are the other side's.
func certificate(cause error) string {
	var (
		authority x509.UnknownAuthorityError
		name      x509.HostnameError
		invalid   x509.CertificateInvalidError
	)
	switch {
	case errors.As(cause, &authority):
		return "the certificate is of no authority that is trusted here"
	case errors.As(cause, &name):
		return "the certificate is for another name"
	case errors.As(cause, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired or is not valid yet"
	}
	return "the certificate is not valid"
}
