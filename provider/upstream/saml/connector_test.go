package saml_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/saml"
)

func TestThePersonIsWhoTheAssertionSays(t *testing.T) {
	for _, what := range []string{"assertion", "response", "both"} {
		t.Run("with a signature of "+what, func(t *testing.T) {
			s := newIDP(t)
			p, err := s.exchange(t, text(t, s.signed(t, what)))
			require.NoError(t, err)
			require.Equal(t, &upstream.Person{
				Issuer: issuer, Subject: "u1", SID: "s1", ACR: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
				AuthTime: s.at.Add(-10 * time.Second),
				Claims:   map[string]any{"mail": "alice@corp.example", "groups": []any{"staff", "admins"}},
			}, p)
		})
	}
}

// request is what the identity provider is asked, read back from the URL.
func request(t *testing.T, to string) (*etree.Element, *url.URL) {
	t.Helper()
	u, err := url.Parse(to)
	require.NoError(t, err)
	packed, err := base64.StdEncoding.DecodeString(u.Query().Get("SAMLRequest"))
	require.NoError(t, err)
	document, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	require.NoError(t, err)
	d := etree.NewDocument()
	require.NoError(t, d.ReadFromBytes(document))
	return d.Root(), u
}

func TestTheRequestIsSignedAndSaysWhatIsAskedFor(t *testing.T) {
	s := newIDP(t)
	to, err := s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(to, "https://idp.corp.example/sso?tenant=1&SAMLRequest="), to)
	r, u := request(t, to)
	require.Equal(t, "AuthnRequest", r.Tag)
	require.Equal(t, "_"+s.attempt.Nonce, r.SelectAttrValue("ID", ""))
	require.Equal(t, acs, r.SelectAttrValue("AssertionConsumerServiceURL", ""))
	require.Equal(t, entityID, r.FindElement("./Issuer").Text())
	require.Equal(t, "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent", r.FindElement("./NameIDPolicy").SelectAttrValue("Format", ""))
	require.Empty(t, r.SelectAttrValue("ForceAuthn", ""))
	require.Nil(t, r.FindElement("./RequestedAuthnContext"))
	require.Equal(t, s.attempt.State, u.Query().Get("RelayState"))
	require.LessOrEqual(t, len(s.attempt.State), 80, "longer ones may be cut (Bindings, section 3.4.3)")

	require.Equal(t, "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", u.Query().Get("SigAlg"))
	covered, _, _ := strings.Cut(strings.TrimPrefix(u.RawQuery, "tenant=1&"), "&Signature=")
	signature, err := base64.StdEncoding.DecodeString(u.Query().Get("Signature"))
	require.NoError(t, err)
	digest := sha256.Sum256([]byte(covered))
	require.NoError(t, rsa.VerifyPKCS1v15(&ours().key.PublicKey, crypto.SHA256, digest[:], signature))
}

func TestWhatTheAppAndTheOperatorWantIsAskedFor(t *testing.T) {
	s := newIDP(t)
	ask := func(a upstream.Attempt, change ...func(*saml.Options)) *etree.Element {
		to, err := s.connector(t, change...).AuthCodeURL(t.Context(), &a)
		require.NoError(t, err)
		r, _ := request(t, to)
		return r
	}
	contexts := func(r *etree.Element) (all []string) {
		for _, e := range r.FindElements("./RequestedAuthnContext/AuthnContextClassRef") {
			all = append(all, e.Text())
		}
		return all
	}
	silver := func(o *saml.Options) { o.ACRValues = []string{"urn:silver"} }
	a := s.attempt
	require.Equal(t, []string{"urn:silver"}, contexts(ask(a, silver)))
	a.ACRValues = []string{"gold"}
	require.Equal(t, []string{"urn:silver"}, contexts(ask(a, silver)), "no identity provider knows what is no URI")
	a.ACRValues = []string{"gold", "urn:gold"}
	require.Equal(t, []string{"urn:gold"}, contexts(ask(a, silver)))

	for name, r := range map[string]*etree.Element{
		"fresh":  ask(upstream.Attempt{State: "s", Nonce: "n", Fresh: true}),
		"prompt": ask(upstream.Attempt{State: "s", Nonce: "n", Prompt: "login"}),
		"always": ask(s.attempt, func(o *saml.Options) { o.Force = true }),
	} {
		require.Equal(t, "true", r.SelectAttrValue("ForceAuthn", ""), name)
	}
	r := ask(s.attempt, func(o *saml.Options) { o.SubjectAttribute = "uid" })
	require.Empty(t, r.FindElement("./NameIDPolicy").SelectAttrValue("Format", ""))
	r = ask(s.attempt, func(o *saml.Options) { o.NameFormat = saml.NameEmail })
	require.Equal(t, "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress", r.FindElement("./NameIDPolicy").SelectAttrValue("Format", ""))
}

func TestOurMetadataSaysWhatTheOtherSideNeeds(t *testing.T) {
	mediaType, document, err := newIDP(t).connector(t).Describe()
	require.NoError(t, err)
	require.Equal(t, "application/samlmetadata+xml", mediaType)
	d := etree.NewDocument()
	require.NoError(t, d.ReadFromBytes(document))
	require.Equal(t, entityID, d.Root().SelectAttrValue("entityID", ""))
	role := d.FindElement("//SPSSODescriptor")
	require.Equal(t, "true", role.SelectAttrValue("AuthnRequestsSigned", ""))
	require.Equal(t, "true", role.SelectAttrValue("WantAssertionsSigned", ""))
	services := role.FindElements("./AssertionConsumerService")
	require.Len(t, services, 1)
	require.Equal(t, acs, services[0].SelectAttrValue("Location", ""))
	require.Equal(t, "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST", services[0].SelectAttrValue("Binding", ""))
	keys := role.FindElements("./KeyDescriptor")
	require.Len(t, keys, 1, "none for encryption")
	require.Equal(t, "signing", keys[0].SelectAttrValue("use", ""))
	require.Equal(t, base64.StdEncoding.EncodeToString(ours().cert), strings.TrimSpace(keys[0].FindElement(".//X509Certificate").Text()))
	require.NotContains(t, string(document), "validUntil", "the copy on the other side does not grow old")
}

func TestWhoSomebodyIs(t *testing.T) {
	name := func(format, value, qualifiers string) func(*said) {
		return func(a *said) { a.Format, a.NameID, a.Qualifiers = "urn:oasis:names:tc:SAML:"+format, value, qualifiers }
	}
	uid := func(o *saml.Options) { o.SubjectAttribute = "uid" }
	as := func(format string) func(*saml.Options) { return func(o *saml.Options) { o.NameFormat = format } }
	plain := func(*saml.Options) {}
	const persistent, transient = "2.0:nameid-format:persistent", "2.0:nameid-format:transient"
	for what, c := range map[string]struct {
		change  func(*said)
		options func(*saml.Options)
		want    string // "" for nobody
	}{
		"a persistent name":                                {name(persistent, "p1", ""), plain, "p1"},
		"a persistent name between blanks":                 {name(persistent, "\n  p1\n", ""), plain, "p1"},
		"a persistent name that is ours":                   {name(persistent, "p1", ` SPNameQualifier="`+entityID+`" NameQualifier="`+issuer+`"`), plain, "p1"},
		"a name that is for another provider":              {name(persistent, "p1", ` SPNameQualifier="https://other.example"`), plain, ""},
		"a name of another identity provider":              {name(persistent, "p1", ` NameQualifier="https://other.example"`), plain, ""},
		"a transient name":                                 {name(transient, "t1", ""), plain, ""},
		"a name without a promise":                         {name("1.1:nameid-format:unspecified", "x", ""), plain, ""},
		"an address":                                       {name("1.1:nameid-format:emailAddress", "a@corp.example", ""), plain, ""},
		"an address, where the operator wants it":          {name("1.1:nameid-format:emailAddress", "a@corp.example", ""), as(saml.NameEmail), "a@corp.example"},
		"a name without a promise, where they want it":     {name("1.1:nameid-format:unspecified", "x", ""), as(saml.NameUnspecified), "x"},
		"a transient name, where they want any":            {name(transient, "t1", ""), as(saml.NameUnspecified), ""},
		"an empty name":                                    {name(persistent, " ", ""), plain, ""},
		"a name that is too long":                          {name(persistent, strings.Repeat("a", 300), ""), plain, ""},
		"a name of two lines":                              {name(persistent, "a\nb", ""), plain, ""},
		"an attribute":                                     {func(a *said) { a.Attributes = attribute("uid", "7"); name(transient, "t1", "")(a) }, uid, "7"},
		"an attribute that is missing":                     {func(*said) {}, uid, ""},
		"an attribute of two values":                       {func(a *said) { a.Attributes = attribute("uid", "7", "8") }, uid, ""},
		"an attribute that stands twice":                   {func(a *said) { a.Attributes = attribute("uid", "7") + attribute("uid", "8") }, uid, ""},
		"an attribute that the operator takes for a list":  {func(a *said) { a.Attributes = attribute("uid", "7") }, func(o *saml.Options) { uid(o); o.Lists = []string{"uid"} }, "7"},
		"an attribute of nothing":                          {func(a *said) { a.Attributes = attribute("uid", "") }, uid, ""},
		"an attribute with a name for its value (eduGAIN)": {func(a *said) { a.Attributes = attribute("uid", "<saml:NameID>e1</saml:NameID>") }, uid, "e1"},
	} {
		t.Run(what, func(t *testing.T) {
			s := newIDP(t)
			p, err := s.exchange(t, text(t, s.signed(t, "assertion", c.change)), c.options)
			if c.want == "" {
				require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, p.Subject)
		})
	}
}

func TestAttributesAreClaims(t *testing.T) {
	s := newIDP(t)
	p, err := s.exchange(t, text(t, s.signed(t, "response", func(a *said) {
		a.Attributes = attribute("urn:oid:2.5.4.42", " Alice ") + attribute("role", "a") + attribute("role", "b") + attribute("groups", "staff") + attribute("none")
	})), func(o *saml.Options) { o.Lists = []string{"groups"} })
	require.NoError(t, err)
	require.Equal(t, map[string]any{"urn:oid:2.5.4.42": "Alice", "role": []any{"a", "b"}, "groups": []any{"staff"}}, p.Claims)
}
