package mtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v3"
)

// Subject is what the certificate of a client must say where the client
// authenticates by tls_client_auth (RFC 8705, section 2.1.2).
type Subject struct {
	DN    string `json:"tls_client_auth_subject_dn,omitempty"`
	DNS   string `json:"tls_client_auth_san_dns,omitempty"`
	URI   string `json:"tls_client_auth_san_uri,omitempty"`
	IP    string `json:"tls_client_auth_san_ip,omitempty"`
	Email string `json:"tls_client_auth_san_email,omitempty"`
}

// Check reports what could never match: there must be exactly one member, and it
// must be well-formed.
func (s Subject) Check() error {
	given := slices.DeleteFunc([]string{s.DN, s.DNS, s.URI, s.IP, s.Email}, func(v string) bool { return v == "" })
	if len(given) != 1 {
		return errors.New("tls_client_auth needs exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email")
	}
	if s.DN != "" {
		_, err := parseDN(s.DN)
		return err
	}
	if s.IP != "" {
		if _, err := netip.ParseAddr(s.IP); err != nil {
			return errors.New("tls_client_auth_san_ip is not an address")
		}
	}
	if s.URI != "" {
		if u, err := url.Parse(s.URI); err != nil || u.Scheme == "" {
			return errors.New("tls_client_auth_san_uri is not a URI")
		}
	}
	if s.Email != "" && strings.Count(s.Email, "@") != 1 {
		return errors.New("tls_client_auth_san_email is not an address")
	}
	return nil
}

// matches reports whether the certificate is of the subject. What is compared
// is never a part of a name, and a wildcard is a name like another.
func (s Subject) matches(cert *x509.Certificate) bool {
	switch {
	case s.Check() != nil:
		return false
	case s.DN != "":
		want, err := parseDN(s.DN)
		if err != nil {
			return false
		}
		has, err := subjectOf(cert)
		return err == nil && len(has) > 0 && has.equal(want)
	case s.DNS != "":
		return slices.ContainsFunc(cert.DNSNames, func(n string) bool { return strings.EqualFold(n, s.DNS) })
	case s.URI != "":
		return slices.ContainsFunc(cert.URIs, func(u *url.URL) bool { return u.String() == s.URI })
	case s.IP != "":
		want, err := netip.ParseAddr(s.IP)
		for _, ip := range cert.IPAddresses {
			if has, ok := netip.AddrFromSlice(ip); ok && err == nil && has.Unmap() == want.Unmap() {
				return true
			}
		}
	case s.Email != "":
		return slices.ContainsFunc(cert.EmailAddresses, func(has string) bool { return sameMailbox(has, s.Email) })
	}
	return false
}

// sameMailbox ignores case only in the domain (RFC 5280, section 7.5).
func sameMailbox(a, b string) bool {
	i, j := strings.LastIndexByte(a, '@'), strings.LastIndexByte(b, '@')
	return i > 0 && j > 0 && a[:i] == b[:j] && strings.EqualFold(a[i:], b[j:])
}

// Chain is what a client showed: its own certificate, then what may lead from it
// to an authority.
type Chain []*x509.Certificate

// CheckSubject judges tls_client_auth (RFC 8705, section 2.1): the certificate must
// come from one of the authorities, be for clients, be valid now, and be of the
// subject.
func (c Chain) CheckSubject(authorities *x509.CertPool, s Subject, now time.Time) error {
	switch {
	case len(c) == 0:
		return errNone
	case authorities == nil:
		return errors.New("there is no authority for certificates of clients")
	}
	between := x509.NewCertPool()
	for _, cert := range c[1:] {
		between.AddCert(cert)
	}
	_, err := c[0].Verify(x509.VerifyOptions{
		Roots: authorities, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return errors.New("no authority vouches for the certificate now") // the cause could quote it at length
	}
	if !s.matches(c[0]) {
		return errors.New("the certificate is of another subject")
	}
	return nil
}

// CheckRegistered judges self_signed_tls_client_auth (RFC 8705, section 2.2): the
// certificate must be one that the client registered, as the first of an x5c
// among its keys.
func (c Chain) CheckRegistered(keys *jose.JSONWebKeySet, now time.Time) error {
	if len(c) == 0 {
		return errNone
	}
	if now.Before(c[0].NotBefore) || now.After(c[0].NotAfter) {
		return errors.New("the certificate is not valid now")
	}
	if keys == nil || !slices.ContainsFunc(keys.Keys, func(k jose.JSONWebKey) bool {
		return len(k.Certificates) > 0 && bytes.Equal(k.Certificates[0].Raw, c[0].Raw)
	}) {
		return errors.New("the certificate is not among the client's keys")
	}
	return nil
}

var errNone = errors.New("no certificate was shown")

// Thumbprint is the SHA-256 of the client's own certificate in base64url, which is
// the claim x5t#S256 (RFC 8705, section 3.1); "" where there is none.
func (c Chain) Thumbprint() string {
	if len(c) == 0 {
		return ""
	}
	sum := sha256.Sum256(c[0].Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
