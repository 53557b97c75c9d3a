package mtls_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/mtls"
)

var moment = time.Unix(1_800_000_000, 0)

type issuer struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// issue makes a certificate; without an issuer, one that signs itself.
func issue(t testing.TB, by *issuer, change func(*x509.Certificate)) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	uri, err := url.Parse("spiffe://example.com/pay")
	require.NoError(t, err)
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "pay", Organization: []string{"Acme"}},
		NotBefore: moment.Add(-time.Hour), NotAfter: moment.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, BasicConstraintsValid: true,
		DNSNames: []string{"pay.example.com"}, URIs: []*url.URL{uri},
		IPAddresses: []net.IP{net.ParseIP("192.0.2.7")}, EmailAddresses: []string{"Pay@example.com"},
	}
	if change != nil {
		change(cert)
	}
	parent, signer := cert, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, key.Public(), signer)
	require.NoError(t, err)
	out, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &issuer{out, key}
}

func authority(c *x509.Certificate) {
	c.IsCA, c.KeyUsage, c.ExtKeyUsage = true, x509.KeyUsageCertSign, nil
	c.Subject = pkix.Name{CommonName: "authority"}
	c.DNSNames, c.URIs, c.IPAddresses, c.EmailAddresses = nil, nil, nil, nil
}

func pool(certs ...*issuer) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c.cert)
	}
	return p
}

func TestTLSClientAuth(t *testing.T) {
	root := issue(t, nil, authority)
	middle := issue(t, root, authority)
	good := issue(t, middle, nil)
	dn := mtls.Subject{DN: "CN=pay,O=Acme"}
	chain := mtls.Chain{good.cert, middle.cert}
	for name, s := range map[string]mtls.Subject{
		"subject": dn, "dns": {DNS: "PAY.example.com"}, "uri": {URI: "spiffe://example.com/pay"},
		"ip": {IP: "192.0.2.7"}, "mapped ip": {IP: "::ffff:192.0.2.7"}, "email": {Email: "Pay@EXAMPLE.com"},
	} {
		require.NoError(t, s.Check(), name)
		require.NoError(t, chain.CheckSubject(pool(root), s, moment), name)
	}
	for name, s := range map[string]mtls.Subject{
		"subject": {DN: "CN=pay"}, "dns": {DNS: "example.com"}, "wildcard": {DNS: "*.example.com"}, "uri": {URI: "spiffe://example.com/PAY"},
		"ip": {IP: "192.0.2.70"}, "email": {Email: "pay@example.com"}, "nothing": {}, "two": {DNS: "pay.example.com", IP: "192.0.2.7"},
		"no name": {DN: "pay"},
	} {
		require.Error(t, chain.CheckSubject(pool(root), s, moment), name)
	}
	server := issue(t, root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	old := issue(t, root, func(c *x509.Certificate) { c.NotAfter = moment.Add(-time.Second) })
	require.Error(t, mtls.Chain(nil).CheckSubject(pool(root), dn, moment), "no certificate")
	require.Error(t, chain.CheckSubject(nil, dn, moment), "no authority")
	require.Error(t, chain.CheckSubject(pool(issue(t, nil, authority)), dn, moment), "another authority")
	require.Error(t, mtls.Chain{good.cert}.CheckSubject(pool(root), dn, moment), "a gap in the chain")
	require.Error(t, mtls.Chain{issue(t, nil, nil).cert}.CheckSubject(pool(root), dn, moment), "signed by itself")
	require.Error(t, mtls.Chain{issue(t, good, nil).cert, good.cert, middle.cert}.CheckSubject(pool(root), dn, moment), "by one that is no authority")
	require.Error(t, mtls.Chain{server.cert}.CheckSubject(pool(root), dn, moment), "for servers")
	require.Error(t, mtls.Chain{old.cert}.CheckSubject(pool(root), dn, moment), "expired")
	require.NoError(t, mtls.Chain{issue(t, root, nil).cert}.CheckSubject(pool(root), dn, moment))
}

func TestWhatASubjectMayBe(t *testing.T) {
	for _, s := range []mtls.Subject{{}, {DN: "x"}, {IP: "pay"}, {URI: "pay"}, {URI: "%"}, {Email: "pay"}, {DN: "CN=x", Email: "a@b"}} {
		require.Error(t, s.Check(), "%+v", s)
	}
}

func TestSelfSignedTLSClientAuth(t *testing.T) {
	own, twin := issue(t, nil, nil), issue(t, nil, nil)
	keys := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: twin.key.Public()},
		{Key: own.key.Public(), Certificates: []*x509.Certificate{own.cert}},
	}}
	require.NoError(t, mtls.Chain{own.cert}.CheckRegistered(keys, moment))
	require.Error(t, mtls.Chain{twin.cert}.CheckRegistered(keys, moment), "a key alone is no certificate")
	require.Error(t, mtls.Chain{twin.cert, own.cert}.CheckRegistered(keys, moment), "only the first was proved")
	require.Error(t, mtls.Chain{own.cert}.CheckRegistered(nil, moment))
	require.Error(t, mtls.Chain(nil).CheckRegistered(keys, moment))
	require.Error(t, mtls.Chain{own.cert}.CheckRegistered(keys, moment.Add(2*time.Hour)), "expired")
	require.Error(t, mtls.Chain{own.cert}.CheckRegistered(keys, moment.Add(-2*time.Hour)), "not yet valid")
}

func TestTheThumbprintIsOfTheWholeCertificate(t *testing.T) {
	own := issue(t, nil, nil)
	sum := sha256.Sum256(own.cert.Raw)
	require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:]), mtls.Chain{own.cert}.Thumbprint())
	require.Empty(t, mtls.Chain(nil).Thumbprint())
}

func pemOf(certs ...*issuer) string {
	var b strings.Builder
	for _, c := range certs {
		b.Write(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.cert.Raw}))
	}
	return b.String()
}

func sequenceOf(c *issuer) string { return ":" + base64.StdEncoding.EncodeToString(c.cert.Raw) + ":" }

func TestWhereACertificateComesFrom(t *testing.T) {
	own, middle := issue(t, nil, nil), issue(t, nil, authority)
	escaped := strings.ReplaceAll(url.QueryEscape(pemOf(own)), "+", "%20")
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	s := mtls.Source{Header: "Client-Cert", Proxies: proxies}
	ask := func(s mtls.Source, from string, header ...string) (mtls.Chain, error) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.RemoteAddr = from
		for i := 0; i+1 < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		return s.Chain(r)
	}
	const proxy, stranger = "10.1.2.3:99", "192.0.2.1:99"
	for name, header := range map[string][]string{
		"nginx": {"Client-Cert", escaped}, "RFC 9440": {"Client-Cert", sequenceOf(own)},
	} {
		chain, err := ask(s, proxy, header...)
		require.NoError(t, err, name)
		require.Equal(t, own.cert.Raw, chain[0].Raw, name)
		for _, from := range []string{stranger, "", "[::ffff:192.0.2.1]:1"} {
			chain, err = ask(s, from, header...)
			require.NoError(t, err, name)
			require.Nil(t, chain, "a stranger's header is nothing")
		}
		chain, err = ask(mtls.Source{Proxies: proxies}, proxy, header...)
		require.NoError(t, err, name)
		require.Nil(t, chain, "no header is configured")
	}
	chain, err := ask(s, "[::ffff:10.1.2.3]:99", "Client-Cert", sequenceOf(own), "Client-Cert-Chain", sequenceOf(middle)+", "+sequenceOf(middle))
	require.NoError(t, err)
	require.Len(t, chain, 3)
	chain, err = ask(s, proxy)
	require.NoError(t, err)
	require.Nil(t, chain)
	for name, header := range map[string][]string{
		"twice":                 {"Client-Cert", sequenceOf(own), "Client-Cert", sequenceOf(own)},
		"no certificate":        {"Client-Cert", ":aGVsbG8=:"},
		"no base64":             {"Client-Cert", ":%:"},
		"no end":                {"Client-Cert", ":aGVsbG8="},
		"parameters":            {"Client-Cert", sequenceOf(own) + ";a=b"},
		"text":                  {"Client-Cert", "CN=pay"},
		"escapes":               {"Client-Cert", "%zz"},
		"a key":                 {"Client-Cert", url.PathEscape("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")},
		"rubbish behind":        {"Client-Cert", escaped + "x"},
		"too long":              {"Client-Cert", strings.Repeat("x", 33<<10)},
		"a chain that is wrong": {"Client-Cert", sequenceOf(own), "Client-Cert-Chain", "x"},
		"a chain too long":      {"Client-Cert", sequenceOf(own), "Client-Cert-Chain", strings.Repeat(":,", 20<<10)},
		"too many":              {"Client-Cert", sequenceOf(own), "Client-Cert-Chain", strings.Repeat(sequenceOf(middle)+",", 10)},
		"a PEM that is broken":  {"Client-Cert", url.PathEscape("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")},
	} {
		chain, err := ask(s, proxy, header...)
		require.Error(t, err, name)
		require.Nil(t, chain, name)
	}
}

func TestACertificateOfTheConnectionItself(t *testing.T) {
	own := issue(t, nil, nil)
	r := httptest.NewRequest(http.MethodPost, "/", nil)
	r.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{own.cert}}
	chain, err := mtls.Source{}.Chain(r)
	require.NoError(t, err)
	require.Equal(t, mtls.Chain{own.cert}.Thumbprint(), chain.Thumbprint())
	r.RemoteAddr = "10.0.0.1:5" // the proxy's own certificate is not its client's
	chain, err = mtls.Source{Header: "X-Cert", Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}.Chain(r)
	require.NoError(t, err)
	require.Nil(t, chain)
}

func FuzzHeader(f *testing.F) {
	own := issue(f, nil, nil)
	f.Add(sequenceOf(own), sequenceOf(own))
	f.Add(url.PathEscape(pemOf(own)), "")
	s := mtls.Source{Header: "Client-Cert", Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	f.Fuzz(func(t *testing.T, cert, chain string) {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.Header["Client-Cert"], r.Header["Client-Cert-Chain"] = []string{cert}, []string{chain}
		got, err := s.Chain(r)
		if err != nil {
			require.Nil(t, got)
		}
		for _, c := range got {
			require.NotNil(t, c)
		}
	})
}
