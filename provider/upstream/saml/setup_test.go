package saml_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"math/big"
	"net/url"
	"sync"
	"testing"
	"text/template"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
	"github.com/stretchr/testify/require"

	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream"
	"keyway/provider/upstream/saml"
)

const (
	issuer   = "https://idp.corp.example/metadata"
	entityID = "https://keyway.example/login/saml/corp/metadata"
	acs      = "https://keyway.example/login/callback/corp"
)

// pair is a key with its certificate.
type pair struct {
	key  *rsa.PrivateKey
	cert []byte // DER
}

func newPair(bits int) *pair {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: start().Add(-time.Hour), NotAfter: start().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil
	}
	return &pair{key, der}
}

// The keys take long to make, and are the same in all tests.
var (
	theirs   = sync.OnceValue(func() *pair { return newPair(2048) })
	ours     = sync.OnceValue(func() *pair { return newPair(2048) })
	stranger = sync.OnceValue(func() *pair { return newPair(2048) })
)

func start() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) }

func (p *pair) certPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert}))
}

func (p *pair) keyPEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(p.key)}))
}

func (p *pair) context(t testing.TB) *dsig.SigningContext {
	t.Helper()
	ctx := dsig.NewDefaultSigningContext(dsig.TLSCertKeyStore(tls.Certificate{Certificate: [][]byte{p.cert}, PrivateKey: p.key}))
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	require.NoError(t, ctx.SetSignatureMethod(dsig.RSASHA256SignatureMethod))
	return ctx
}

// idp is an identity provider, which tells the truth until a test makes it lie.
type idp struct {
	at       time.Time
	attempt  upstream.Attempt
	key      *pair
	document string // its metadata, in place of the true one
	metaErr  error
	asked    int // for its metadata
	options  saml.Options
}

func newIDP(t testing.TB) *idp {
	t.Helper()
	s := &idp{at: start(), attempt: upstream.NewAttempt(), key: theirs()}
	s.options = saml.Options{
		Issuer: issuer, EntityID: entityID, ACS: acs, Metadata: s.metadata, Key: ours().keyPEM(), Certificate: ours().certPEM(),
		Remember: forget, Now: s.now,
	}
	return s
}

func (s *idp) now() time.Time { return s.at }

func (s *idp) connector(t testing.TB, change ...func(*saml.Options)) *saml.Connector {
	t.Helper()
	o := s.options
	for _, f := range change {
		f(&o)
	}
	c, err := saml.New(o)
	require.NoError(t, err)
	return c
}

const metadataText = `<?xml version="1.0"?>
<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="` + issuer + `">
  <md:IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">
    <md:KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>CERT</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="https://idp.corp.example/post"/>
    <md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.corp.example/sso?tenant=1"/>
  </md:IDPSSODescriptor>
</md:EntityDescriptor>`

func (s *idp) metadata(context.Context) ([]byte, error) {
	s.asked++
	text := s.document
	if text == "" {
		text = metadataText
	}
	return bytes.ReplaceAll([]byte(text), []byte("CERT"), []byte(base64.StdEncoding.EncodeToString(s.key.cert))), s.metaErr
}

// said is what an answer says.
type said struct {
	Issuer, Destination, Recipient, Audience, Answers string
	NameID, Format, Qualifiers                        string
	ID, Attributes, Extra, Status, Session            string
	Issued, From, Until, Confirmed, SignedIn          time.Time
}

func (s *idp) truth() *said {
	return &said{
		Issuer: issuer, Destination: acs, Recipient: acs, Audience: entityID, Answers: "_" + s.attempt.Nonce,
		NameID: "u1", Format: "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", ID: "_a1", Status: "urn:oasis:names:tc:SAML:2.0:status:Success",
		Issued: s.at, From: s.at.Add(-30 * time.Second), Until: s.at.Add(5 * time.Minute), Confirmed: s.at.Add(5 * time.Minute), SignedIn: s.at.Add(-10 * time.Second),
		Attributes: attribute("mail", "alice@corp.example") + attribute("groups", "staff", "admins"),
	}
}

func attribute(name string, values ...string) string {
	text := `<saml:Attribute Name="` + name + `">`
	for _, v := range values {
		text += `<saml:AttributeValue xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="xs:string">` + v + `</saml:AttributeValue>`
	}
	return text + `</saml:Attribute>`
}

var responseText = template.Must(template.New("").Funcs(template.FuncMap{
	"t": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
}).Parse(`<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ` +
	`ID="_r1" Version="2.0" IssueInstant="{{ t .Issued }}" Destination="{{ .Destination }}" InResponseTo="{{ .Answers }}">` +
	`<saml:Issuer>{{ .Issuer }}</saml:Issuer><samlp:Status><samlp:StatusCode Value="{{ .Status }}"/></samlp:Status>` +
	`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="{{ .ID }}" Version="2.0" IssueInstant="{{ t .Issued }}"><saml:Issuer>{{ .Issuer }}</saml:Issuer>` +
	`<saml:Subject><saml:NameID Format="{{ .Format }}"{{ .Qualifiers }}>{{ .NameID }}</saml:NameID>` +
	`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="{{ t .Confirmed }}" Recipient="{{ .Recipient }}" InResponseTo="{{ .Answers }}"/></saml:SubjectConfirmation></saml:Subject>` +
	`<saml:Conditions NotBefore="{{ t .From }}" NotOnOrAfter="{{ t .Until }}">{{ if .Audience }}<saml:AudienceRestriction><saml:Audience>{{ .Audience }}</saml:Audience></saml:AudienceRestriction>{{ end }}</saml:Conditions>` +
	`<saml:AuthnStatement AuthnInstant="{{ t .SignedIn }}" SessionIndex="s1"{{ .Session }}><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>` +
	`{{ .Extra }}<saml:AttributeStatement>{{ .Attributes }}</saml:AttributeStatement></saml:Assertion></samlp:Response>`))

// tree is the answer, not signed.
func (s *said) tree(t testing.TB) *etree.Document {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, responseText.Execute(&b, s))
	d := etree.NewDocument()
	require.NoError(t, d.ReadFromBytes(b.Bytes()))
	return d
}

// sign puts a signature into an element, where it belongs.
func (p *pair) sign(t testing.TB, e *etree.Element) {
	t.Helper()
	signed, err := p.context(t).SignEnveloped(e)
	require.NoError(t, err)
	e.InsertChildAt(1, signed.FindElement("./Signature"))
}

// resign makes a signature hold whose SignedInfo was changed.
func (p *pair) resign(t testing.TB, sig *etree.Element) {
	t.Helper()
	ctx, err := etreeutils.NSBuildParentContext(sig)
	require.NoError(t, err)
	ctx, err = ctx.SubContext(sig)
	require.NoError(t, err)
	info, err := etreeutils.NSDetatch(ctx, sig.FindElement("./SignedInfo"))
	require.NoError(t, err)
	canonical, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(info)
	require.NoError(t, err)
	value, err := p.context(t).SignString(string(canonical))
	require.NoError(t, err)
	sig.FindElement("./SignatureValue").SetText(base64.StdEncoding.EncodeToString(value))
}

// signed is an answer as identity providers make it: its assertion is signed, its
// response, or both.
func (s *idp) signed(t testing.TB, what string, change ...func(*said)) *etree.Document {
	t.Helper()
	truth := s.truth()
	for _, f := range change {
		f(truth)
	}
	d := truth.tree(t)
	if what == "assertion" || what == "both" {
		s.key.sign(t, d.FindElement("//Assertion"))
	}
	if what == "response" || what == "both" {
		s.key.sign(t, d.Root())
	}
	return d
}

func text(t testing.TB, d *etree.Document) []byte {
	t.Helper()
	b, err := d.WriteToBytes()
	require.NoError(t, err)
	return b
}

// post is what the browser brings.
func (s *idp) post(document []byte) url.Values {
	return url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(document)}, "RelayState": {s.attempt.State}}
}

func (s *idp) exchange(t testing.TB, document []byte, change ...func(*saml.Options)) (*upstream.Person, error) {
	t.Helper()
	return s.connector(t, change...).Exchange(t.Context(), &s.attempt, s.post(document))
}

const excC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

// remembers has the connector remember in a real database what it took.
func (s *idp) remembers(t testing.TB) {
	t.Helper()
	s.options.Remember = storetest.Open(t, store.Options{DSN: storetest.SQLite(t), Now: s.now}).RememberOnce
}

// forget is a memory that has none, for tests in which nothing comes twice.
func forget(context.Context, string, string, time.Time) error { return nil }
