package main

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"keyway/config"
)

// writeSAMLKey makes NAME.key and NAME.crt.
func writeSAMLKey(t *testing.T, dir, name string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for file, block := range map[string]*pem.Block{name + ".key": {Type: "PRIVATE KEY", Bytes: private}, name + ".crt": {Type: "CERTIFICATE", Bytes: cert}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600))
	}
}

// samlIDP writes metadata of an identity provider that has never been seen.
func samlIDP(t *testing.T, dir string) string {
	t.Helper()
	writeSAMLKey(t, dir, "idp")
	text, err := os.ReadFile(filepath.Join(dir, "idp.crt"))
	require.NoError(t, err)
	block, _ := pem.Decode(text)
	file := filepath.Join(dir, "idp.xml")
	require.NoError(t, os.WriteFile(file, []byte(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="urn:corp:idp"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">`+
		`<KeyDescriptor><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>`+base64.StdEncoding.EncodeToString(block.Bytes)+`</X509Certificate></X509Data></KeyInfo></KeyDescriptor>`+
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.corp.example/sso"/></IDPSSODescriptor></EntityDescriptor>`), 0o600))
	return file
}

func TestAConnectorOfSAML(t *testing.T) {
	g, dir := newAppGuest(t), t.TempDir()
	metadata := samlIDP(t, dir)
	writeSAMLKey(t, dir, "sp")
	d := startFederated(t, g, `- {id: corp, type: saml, issuer: "urn:corp:idp", prompt: login, saml: {metadata: "`+metadata+`", key: "file:`+dir+`/sp.key", certificate: "`+dir+`/sp.crt"}}
- {id: own, type: saml, issuer: "urn:corp:idp", saml: {metadata: "`+metadata+`", entity_id: "urn:us", key: "file:`+dir+`/sp.key", certificate: "`+dir+`/sp.crt"}}
`, `- {client_id: app, GUEST, grant_types: [authorization_code], scopes: [openid]}
`)
	g.at(t, d, "app", "openid")
	for id, entity := range map[string]string{"corp": d.URL + "/login/saml/corp/metadata", "own": "urn:us"} {
		status, head, document := d.do(t, http.MethodGet, "/login/saml/"+id+"/metadata", "")
		require.Equal(t, http.StatusOK, status)
		require.Equal(t, "application/samlmetadata+xml", head.Get("Content-Type"))
		require.Contains(t, string(document), `entityID="`+entity+`"`)
		require.Contains(t, string(document), `Location="`+d.URL+"/login/callback/"+id+`"`)
	}
	s := newSurfer(t)
	s.client.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if !strings.HasPrefix(r.URL.String(), d.URL) {
			return http.ErrUseLastResponse
		}
		return nil
	}
	s.open(g.config.AuthCodeURL("state", oauth2.S256ChallengeOption("v"), oauth2.SetAuthURLParam("connector", "corp")))
	require.Equal(t, http.StatusSeeOther, s.status)
	status, _, page := d.post(t, "/login/callback/corp", url.Values{"SAMLResponse": {"PGEvPg=="}, "RelayState": {"x"}}.Encode())
	require.Equal(t, http.StatusOK, status, "without cookies it has to come once more")
	require.Contains(t, string(page), "keyway_again")
}

func TestAKeyThatIsOfNoUseIsFoundBeforeAnythingStarts(t *testing.T) {
	dir := t.TempDir()
	writeSAMLKey(t, dir, "sp")
	writeSAMLKey(t, dir, "other")
	key, err := os.ReadFile(filepath.Join(dir, "sp.key"))
	require.NoError(t, err)
	c := config.Connector{ID: "corp", Type: "saml", Directory: "default", SAML: config.ConnectorSAML{Key: config.NewSecret(string(key)), Certificate: filepath.Join(dir, "sp.crt")}}
	require.NoError(t, checkConnectors([]config.Connector{c}))
	c.SAML.Certificate = filepath.Join(dir, "other.crt")
	require.ErrorContains(t, checkConnectors([]config.Connector{c}), "connector corp: saml: certificate: is not that of the key")
	c.SAML.Key = config.NewSecret("hunter2")
	err = checkConnectors([]config.Connector{c})
	require.ErrorContains(t, err, "key: must be PEM")
	require.NotContains(t, err.Error(), "hunter2")
	c.SAML.Certificate = filepath.Join(dir, "gone.crt")
	require.Error(t, checkConnectors([]config.Connector{c}))
}
