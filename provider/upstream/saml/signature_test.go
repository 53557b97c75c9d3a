package saml_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/saml"
)

func TestAttack22WhatIsNotSignedIsRefused(t *testing.T) {
	for name, build := range map[string]func(s *idp) *etree.Document{
		"nothing is signed": func(s *idp) *etree.Document { return s.signed(t, "") },
		"a stranger signed": func(s *idp) *etree.Document {
			s.key = stranger()
			defer func() { s.key = theirs() }()
			return s.signed(t, "both")
		},
		"a stranger signed, and shows the right certificate": func(s *idp) *etree.Document {
			s.key = stranger()
			defer func() { s.key = theirs() }()
			d := s.signed(t, "assertion")
			d.FindElement("//X509Certificate").SetText(base64.StdEncoding.EncodeToString(theirs().cert))
			return d
		},
		"the name was changed": func(s *idp) *etree.Document {
			d := s.signed(t, "assertion")
			d.FindElement("//NameID").SetText("admin")
			return d
		},
		"an attribute was added": func(s *idp) *etree.Document {
			d := s.signed(t, "response")
			d.FindElement("//AttributeStatement/Attribute").CreateElement("saml:AttributeValue").SetText("root")
			return d
		},
		"the signature is of nothing": func(s *idp) *etree.Document {
			d := s.signed(t, "assertion")
			d.FindElement("//SignatureValue").SetText("")
			return d
		},
		"the signature was taken along from another answer": func(s *idp) *etree.Document {
			d, other := s.signed(t, "assertion"), s.signed(t, "assertion", func(a *said) { a.NameID = "admin" })
			a := other.FindElement("//Assertion")
			a.RemoveChild(a.FindElement("./Signature"))
			a.InsertChildAt(1, d.FindElement("//Signature").Copy())
			return other
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			_, err := s.exchange(t, text(t, build(s)))
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
}

func TestWhichSignatureIsWanted(t *testing.T) {
	for want, good := range map[string][]string{
		saml.SignedAny: {"assertion", "response", "both"}, saml.SignedAssertion: {"assertion", "both"},
		saml.SignedResponse: {"response", "both"}, saml.SignedBoth: {"both"},
	} {
		for _, what := range []string{"assertion", "response", "both"} {
			s := newIDP(t)
			_, err := s.exchange(t, text(t, s.signed(t, what)), func(o *saml.Options) { o.Signed = want })
			if strings.Contains(strings.Join(good, " "), what) {
				require.NoError(t, err, "%s of %s", want, what)
				continue
			}
			require.ErrorContains(t, err, "has not the signature", "%s of %s", want, what)
		}
	}
}

// What the identity provider itself signs, but in a form that is not the one there is.
// All of them hold mathematically.
func TestSignaturesOfAnotherForm(t *testing.T) {
	for name, c := range map[string]struct {
		change func(sig *etree.Element)
		why    string
	}{
		"CVE-2026-33487: two references, of which the second is of something else": {func(sig *etree.Element) {
			r := sig.FindElement("./SignedInfo/Reference")
			other := r.Copy()
			other.CreateAttr("URI", "#_evil")
			sig.FindElement("./SignedInfo").AddChild(other)
		}, "stands twice"},
		"CVE-2026-33487: two references, of which the first is of something else": {func(sig *etree.Element) {
			r := sig.FindElement("./SignedInfo/Reference")
			other := r.Copy()
			other.CreateAttr("URI", "#_evil")
			sig.FindElement("./SignedInfo").InsertChildAt(r.Index(), other)
		}, "stands twice"},
		"CVE-2020-15216: a reference to the whole document": {func(sig *etree.Element) {
			sig.FindElement("./SignedInfo/Reference").CreateAttr("URI", "")
		}, "not of what it stands in"},
		"CVE-2020-15216: a reference to another element": {func(sig *etree.Element) {
			sig.FindElement("./SignedInfo/Reference").CreateAttr("URI", "#_r1")
		}, "not of what it stands in"},
		"CVE-2020-15216: two SignedInfos": {func(sig *etree.Element) {
			sig.InsertChildAt(0, sig.FindElement("./SignedInfo").Copy())
		}, "stands twice"},
		"a reference that leaves the document": {func(sig *etree.Element) {
			sig.FindElement("./SignedInfo/Reference").CreateAttr("URI", "https://evil.example/#_a1")
		}, "not of what it stands in"},
		"SHA-1 for the signature": {func(sig *etree.Element) {
			sig.FindElement("./SignedInfo/SignatureMethod").CreateAttr("Algorithm", dsig.RSASHA1SignatureMethod)
		}, "SignatureMethod"},
		"SHA-1 for the digest": {func(sig *etree.Element) {
			sig.FindElement("./SignedInfo/Reference/DigestMethod").CreateAttr("Algorithm", "http://www.w3.org/2000/09/xmldsig#sha1")
		}, "DigestMethod"},
		"HMAC with what everybody knows": {func(sig *etree.Element) {
			sig.FindElement("./SignedInfo/SignatureMethod").CreateAttr("Algorithm", "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256")
		}, "SignatureMethod"},
		"canonical form with comments": {func(sig *etree.Element) {
			sig.FindElement("./SignedInfo/CanonicalizationMethod").CreateAttr("Algorithm", excC14N+"WithComments")
		}, "CanonicalizationMethod"},
		"a transform that picks what it likes": {func(sig *etree.Element) {
			e := sig.FindElement("./SignedInfo/Reference/Transforms").CreateElement("ds:Transform")
			e.CreateAttr("Algorithm", "http://www.w3.org/TR/1999/REC-xpath-19991116")
		}, "transform"},
		"no transform into canonical form": {func(sig *etree.Element) {
			all := sig.FindElement("./SignedInfo/Reference/Transforms")
			all.RemoveChild(all.ChildElements()[1])
		}, "transform"},
		"an object": {func(sig *etree.Element) { sig.CreateElement("ds:Object").SetText("x") }, "holds something else"},
		"a comment in the digest": {func(sig *etree.Element) {
			sig.FindElement("./SignedInfo/Reference/DigestValue").CreateComment("x")
		}, "comment in a signature"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			d := s.signed(t, "assertion")
			c.change(d.FindElement("//Signature"))
			s.key.resign(t, d.FindElement("//Signature"))
			_, err := s.exchange(t, text(t, d))
			require.ErrorContains(t, err, c.why)
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
		})
	}
	t.Run("and one that is signed anew without a change holds", func(t *testing.T) {
		s := newIDP(t)
		d := s.signed(t, "assertion")
		s.key.resign(t, d.FindElement("//Signature"))
		sig := d.FindElement("//Signature")
		sig.RemoveChild(sig.FindElement("./KeyInfo"))
		_, err := s.exchange(t, text(t, d))
		require.NoError(t, err)
	})
}

// A signed response whose assertion has a signature that does not hold: gosaml2 did not
// look at the inner one (GHSA-pcgw-qcv5-h8ch and the hardening of March 2026).
func TestGHSApcgwqcv5h8chEverySignatureHasToHold(t *testing.T) {
	s := newIDP(t)
	d := s.signed(t, "assertion")
	d.FindElement("//SignatureValue").SetText(base64.StdEncoding.EncodeToString(make([]byte, 256)))
	s.key.sign(t, d.Root())
	_, err := s.exchange(t, text(t, d))
	require.ErrorContains(t, err, "cannot validate signature on Assertion")

	d = s.signed(t, "both")
	d.FindElement("/Response/Signature/SignatureValue").SetText(base64.StdEncoding.EncodeToString(make([]byte, 256)))
	_, err = s.exchange(t, text(t, d))
	require.ErrorContains(t, err, "cannot validate signature on Response")
}

// Comments are not signed, so whoever carries the answer can put them in; they may not
// cut a name short (CVE-2017-11427 and its kind). What counts is what was signed.
func TestAttack22ACommentInsideANameCutsNothing(t *testing.T) {
	for _, at := range []int{0, 5, len("admin@corp.example")} {
		s := newIDP(t)
		d := s.signed(t, "assertion", func(a *said) {
			a.NameID, a.Attributes = "admin@corp.example.evil.example", attribute("uid", "admin@corp.example.evil.example")
		})
		whole := d.FindElement("//NameID").Text()
		for _, path := range []string{"//NameID", "//AttributeValue"} {
			e := d.FindElement(path)
			e.SetText(whole[:at])
			e.CreateComment("-")
			e.CreateText(whole[at:])
		}
		document := text(t, d)
		require.Contains(t, string(document), "<!--")
		p, err := s.exchange(t, document)
		require.NoError(t, err)
		require.Equal(t, whole, p.Subject)
		require.Equal(t, whole, p.Claims["uid"])
	}
}
