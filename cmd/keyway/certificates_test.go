package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/config"
)

// certify makes a certificate for clients, by the site's own authority or, where
// own is set, by itself.
func (s *site) certify(t *testing.T, name string, own bool) tls.Certificate {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(s.Dir, "cert.pem"), filepath.Join(s.Dir, "key.pem"))
	require.NoError(t, err)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}},
		NotBefore: s.clock.Now().Add(-time.Hour), NotAfter: s.clock.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	parent, signer := pair.Leaf, pair.PrivateKey.(crypto.Signer)
	if own {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

var secondDoor = regexp.MustCompile(`address=(127\.0\.0\.1:\d+)`)

func TestClientsShowCertificatesToTheProgramItself(t *testing.T) {
	var asked string
	s := startSite(t, func(c *config.Config) {
		c.Certificates = config.Certificates{CA: c.TLS.Certificate, Listen: "127.0.0.1:0", URL: c.Issuer}
		c.Clients = append(c.Clients, config.Client{
			ClientID: "pay", AuthMethod: "tls_client_auth", TLSSubjectDN: "CN=pay, O=Example", GrantTypes: []string{"client_credentials"},
			Scopes: []string{"read"}, CertificateBound: true, AccessTokenFormat: "opaque",
		})
	})
	require.Eventually(t, func() bool {
		for _, found := range secondDoor.FindAllStringSubmatch(s.log.String(), -1) {
			if address := "https://" + found[1]; address != s.URL {
				asked = address
			}
		}
		return asked != ""
	}, 10*time.Second, 5*time.Millisecond)
	v := s.visitor(t)
	ask := func(base string, shown ...tls.Certificate) seen {
		v.http = s.httpClient(t)
		v.http.Transport.(*http.Transport).TLSClientConfig.Certificates = shown
		return v.send(http.MethodPost, base+"/oauth2/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"pay"}})
	}
	pay := s.certify(t, "pay", false)
	a := ask(asked, pay)
	require.Equal(t, http.StatusOK, a.status, a.body)
	bound, _ := v.introspects(a.text("access_token"))["cnf"].(map[string]any)
	require.Len(t, bound["x5t#S256"], 43)

	ask(asked).fails(t, http.StatusUnauthorized, "invalid_client")
	ask(asked, s.certify(t, "pay", true)).fails(t, http.StatusUnauthorized, "invalid_client")
	ask(asked, s.certify(t, "other", false)).fails(t, http.StatusUnauthorized, "invalid_client")
	ask(s.URL, pay).fails(t, http.StatusUnauthorized, "invalid_client") // nobody is asked there
	require.Contains(t, v.metadata()["token_endpoint_auth_methods_supported"], "tls_client_auth")
	require.Equal(t, s.URL+"/oauth2/token", v.metadata()["mtls_endpoint_aliases"].(map[string]any)["token_endpoint"])
}

func TestAFileThatHoldsNoAuthorityIsRefused(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key.pem")
	require.NoError(t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}), 0o600))
	_, err := certificates(&config.Config{Certificates: config.Certificates{Header: "Client-Cert", CA: key}})
	require.ErrorContains(t, err, "holds no certificate")
	_, err = certificates(&config.Config{Certificates: config.Certificates{Header: "Client-Cert", CA: filepath.Join(dir, "none.pem")}})
	require.Error(t, err)
	none, err := certificates(&config.Config{})
	require.NoError(t, err)
	require.Nil(t, none)
}
