package saml

import (
	"errors"
	"slices"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

const enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"

// Those that count; the older ones are made with SHA-1.
func signatureMethods() []string {
	return []string{
		dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod,
		dsig.ECDSASHA256SignatureMethod, dsig.ECDSASHA384SignatureMethod, dsig.ECDSASHA512SignatureMethod,
	}
}

func digestMethods() []string {
	return []string{
		"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512",
	}
}

// checkSignature holds a signature to the one profile that there is for SAML (Core,
// section 5.4): one reference, to the element that it stands in, and no transform
// but those that leave the signature out and put the rest into canonical form.
// That form has no comments, so nothing can be split by one that is not signed.
func checkSignature(sig, signed *etree.Element) error {
	if err := checkInside(sig); err != nil {
		return err
	}
	info, err := only(sig, "SignedInfo")
	if err != nil {
		return err
	}
	reference, err := only(info, "Reference")
	if err != nil {
		return err
	}
	if id := signed.SelectAttrValue("ID", ""); id == "" || reference.SelectAttrValue("URI", "") != "#"+id {
		return errors.New("a signature is not of what it stands in")
	}
	for _, must := range []struct {
		in  *etree.Element
		tag string
		of  []string
	}{
		{info, "CanonicalizationMethod", []string{excC14N}},
		{info, "SignatureMethod", signatureMethods()},
		{reference, "DigestMethod", digestMethods()},
	} {
		e, err := only(must.in, must.tag)
		if err != nil {
			return err
		}
		if !slices.Contains(must.of, e.SelectAttrValue("Algorithm", "")) {
			return errors.New("a signature has an algorithm that is not taken: " + must.tag)
		}
	}
	return checkTransforms(reference)
}

// checkInside refuses what can hide something, or be read in two ways.
func checkInside(sig *etree.Element) error {
	for _, token := range sig.Child {
		switch e := token.(type) {
		case *etree.Comment, *etree.ProcInst:
			return errors.New("there is a comment in a signature")
		case *etree.Element:
			if space := e.NamespaceURI(); space != dsig.Namespace && space != excC14N || e.Tag == "Object" || e.Tag == "Manifest" {
				return errors.New("a signature holds something else")
			}
			if err := checkInside(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkTransforms(reference *etree.Element) error {
	all, err := only(reference, "Transforms")
	if err != nil {
		return err
	}
	var algorithms []string
	for _, t := range all.ChildElements() {
		algorithms = append(algorithms, t.SelectAttrValue("Algorithm", ""))
	}
	if !slices.Equal(algorithms, []string{enveloped, excC14N}) {
		return errors.New("a signature has a transform that is not taken")
	}
	return nil
}

// only returns the one child of that name.
func only(e *etree.Element, tag string) (*etree.Element, error) {
	var found *etree.Element
	for _, child := range e.ChildElements() {
		if child.Tag != tag {
			continue
		}
		if found != nil {
			return nil, errors.New("stands twice in a signature: " + tag)
		}
		found = child
	}
	if found == nil {
		return nil, errors.New("is missing in a signature: " + tag)
	}
	return found, nil
}
