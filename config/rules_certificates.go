package config

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// headerName is a token of RFC 9110, section 5.6.2, as headers are named.
var headerName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]{0,63}$`)

// on reports whether clients can show certificates at all.
func (x *Certificates) on() bool { return x.Header != "" || x.Listen != "" }

func (c *Config) certificateRules(w world) []rule {
	const at = "client_certificates."
	x := &c.Certificates
	u, ok := parseURL(x.URL)
	issuer, err := url.Parse(c.Issuer)
	return []rule{
		w.fileRule(at+"ca", x.CA),
		{at + "ca", x.CA != "" && !x.on(), "is of no use alone", "add header, or listen and url"},
		{at + "header", x.Header != "" && !headerName.MatchString(x.Header), "must be the name of a header", "write X-SSL-Client-Cert, or Client-Cert"},
		{at + "header", x.Header != "" && len(c.TrustedProxies) == 0, "is believed of nobody: trusted_proxies is empty", "name the proxy's network there"},
		{at + "listen", x.Listen != "" && !isAddress(x.Listen), "must be host:port", "write :8443"},
		{at + "listen", x.Listen != "" && c.TLS.Certificate == "", "needs tls.certificate", "or let a proxy ask for certificates, and write header"},
		{at + "listen", x.Listen != "" && x.Listen == c.Listen && !strings.HasSuffix(x.Listen, ":0"), "is the address of listen", "choose another port"},
		{at + "url", x.Listen != "" && x.URL == "", "is required beside listen", "write https://login.example.com:8443"},
		{at + "url", x.URL != "" && !x.on(), "is of no use alone", "add header or listen"},
		{
			at + "url", x.URL != "" && (!ok || u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != ""),
			"must be an https URL with a host, without query, fragment and user", "",
		},
		{at + "url", x.URL != "" && ok && err == nil && u.EscapedPath() != issuer.EscapedPath(), "must have the issuer's path", ""},
	}
}

// certificateRules are those of a client that authenticates by a certificate, or
// whose tokens are bound to one.
func (x *Client) certificateRules(at string, c *Certificates) []rule {
	names := slices.DeleteFunc([]string{x.TLSSubjectDN, x.TLSSANDNS, x.TLSSANURI, x.TLSSANIP, x.TLSSANEmail}, func(s string) bool { return s == "" })
	byCA := x.AuthMethod == "tls_client_auth"
	uses := byCA || x.AuthMethod == "self_signed_tls_client_auth" || x.CertificateBound
	const missing = "needs a way to show certificates"
	return []rule{
		{at + "auth_method", uses && !x.CertificateBound && !c.on(), missing, "write client_certificates.header, or listen and url"},
		{at + "tls_client_certificate_bound_access_tokens", x.CertificateBound && !c.on(), missing, "write client_certificates.header, or listen and url"},
		{at + "auth_method", byCA && c.CA == "", "needs client_certificates.ca", ""},
		{at + "tls_client_auth_subject_dn", byCA && len(names) != 1, "or exactly one of the tls_client_auth_san_ keys is required for tls_client_auth", ""},
		{at + "tls_client_auth_subject_dn", !byCA && len(names) > 0, "and the tls_client_auth_san_ keys are of no use for " + x.AuthMethod, "remove them, or choose tls_client_auth"},
		{at + "sector_identifier_uri", x.SectorIdentifierURI != "" && x.SubjectType != "pairwise", "is of no use without subject_type: pairwise", ""},
	}
}
