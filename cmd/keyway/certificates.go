package main

import (
	"crypto/x509"
	"fmt"

	"keyway/config"
	"keyway/provider"
	"keyway/provider/binding"
	"keyway/provider/mtls"
)

const maxAuthorities = 1 << 20 // bytes

// certificates says how clients show theirs; nil where they cannot.
func certificates(c *config.Config) (*binding.Certificates, error) {
	x := c.Certificates
	if x.Header == "" && x.Listen == "" {
		return nil, nil
	}
	out := &binding.Certificates{Source: mtls.Source{Header: x.Header, Proxies: c.TrustedProxies}, URL: x.URL}
	if x.CA == "" {
		return out, nil
	}
	text, err := readLimited(x.CA, maxAuthorities)
	if err != nil {
		return nil, fmt.Errorf("client_certificates.ca: %w", err)
	}
	out.Authorities = x509.NewCertPool()
	if !out.Authorities.AppendCertsFromPEM([]byte(text)) {
		return nil, fmt.Errorf("client_certificates.ca: %s holds no certificate in PEM", x.CA)
	}
	return out, nil
}

// bindClient sets how a client proves itself, what its tokens are bound to and by
// what it knows people.
func bindClient(out *provider.Client, c *config.Client) {
	out.TLSSubjectDN, out.TLSSANDNS, out.TLSSANURI = c.TLSSubjectDN, c.TLSSANDNS, c.TLSSANURI
	out.TLSSANIP, out.TLSSANEmail = c.TLSSANIP, c.TLSSANEmail
	out.DPoPBound, out.CertificateBound = c.DPoPBound, c.CertificateBound
	out.UserinfoAlg, out.IntrospectionAlg = c.UserinfoAlg, c.IntrospectionAlg
	out.Connectors = c.Connectors
	out.SubjectType, out.SectorIdentifierURI, out.AllowedCORSOrigins = c.SubjectType, c.SectorIdentifierURI, c.AllowedCORSOrigins
}
