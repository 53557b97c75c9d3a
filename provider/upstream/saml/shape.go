package saml

import (
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// The namespaces of a response.
const (
	protocolNS  = "urn:oasis:names:tc:SAML:2.0:protocol"
	assertionNS = "urn:oasis:names:tc:SAML:2.0:assertion"
	excC14N     = "http://www.w3.org/2001/10/xml-exc-c14n#"
)

const statusSuccess = "urn:oasis:names:tc:SAML:2.0:status:Success"

// shape is what stands where in a response.
type shape struct {
	status          string // the innermost code, without its common beginning; "" for success
	assertions      int
	responseSigned  bool
	assertionSigned bool
}

// shapeOf refuses every response but those of the one form that identity providers
// make: in it one assertion, a child of the response, and signatures that are
// children of what they sign. Whatever else is called an assertion or a
// signature, wherever it stands, is how wrapped ones begin.
func shapeOf(document []byte) (*shape, error) {
	tree := etree.NewDocument()
	if err := tree.ReadFromBytes(document); err != nil {
		return nil, fmt.Errorf("the document is not well-formed: %w", err)
	}
	root := tree.Root()
	if root == nil || !is(root, protocolNS, "Response") {
		return nil, errors.New("the document is no response")
	}
	s := &shape{}
	var err error
	if s.status, err = statusOf(root); err != nil {
		return nil, err
	}
	if err := s.children(root); err != nil {
		return nil, err
	}
	w := &walk{ids: map[string]bool{}, root: root}
	return s, w.element(root)
}

func is(e *etree.Element, space, tag string) bool {
	return e.Tag == tag && e.NamespaceURI() == space
}

// statusOf reads the status, which is there once.
func statusOf(root *etree.Element) (string, error) {
	var codes []string
	for _, e := range root.ChildElements() {
		if !is(e, protocolNS, "Status") {
			continue
		}
		for code := e.SelectElement("StatusCode"); code != nil; code = code.SelectElement("StatusCode") {
			codes = append(codes, code.SelectAttrValue("Value", ""))
		}
	}
	if len(codes) == 0 || len(codes) > 2 {
		return "", errors.New("the response has no status, or several")
	}
	if codes[0] == statusSuccess {
		return "", nil
	}
	return strings.TrimPrefix(codes[len(codes)-1], "urn:oasis:names:tc:SAML:2.0:status:"), nil
}

// children counts what the response may have, each once.
func (s *shape) children(root *etree.Element) error {
	seen := map[string]int{}
	for _, e := range root.ChildElements() {
		switch {
		case is(e, assertionNS, "Issuer"), is(e, dsig.Namespace, "Signature"), is(e, protocolNS, "Extensions"), is(e, protocolNS, "Status"):
		case is(e, assertionNS, "Assertion"):
			s.assertions++
			for _, child := range e.ChildElements() {
				s.assertionSigned = s.assertionSigned || is(child, dsig.Namespace, "Signature")
			}
		case is(e, assertionNS, "EncryptedAssertion"):
			return errors.New("encrypted assertions are not taken")
		default:
			return errors.New("the response has a child that responses do not have")
		}
		if seen[e.Tag]++; seen[e.Tag] > 1 {
			return errors.New("a child of the response stands twice")
		}
	}
	s.responseSigned = seen["Signature"] > 0
	return nil
}

// walk looks at every element.
type walk struct {
	root *etree.Element
	ids  map[string]bool
}

func (w *walk) element(e *etree.Element) error {
	if err := w.identifier(e); err != nil {
		return err
	}
	parent := e.Parent()
	switch e.Tag {
	case "Response":
		if e != w.root {
			return errors.New("there is a response in the response")
		}
	case "Assertion":
		if parent != w.root {
			return errors.New("there is an assertion where none belongs")
		}
	case "Signature":
		if parent != w.root && (parent.Parent() != w.root || !is(parent, assertionNS, "Assertion")) {
			return errors.New("there is a signature where none belongs")
		}
		if err := checkSignature(e, parent); err != nil {
			return err
		}
	case "EncryptedAssertion", "EncryptedID", "EncryptedAttribute", "EncryptedData", "EncryptedKey", "BaseID":
		return errors.New("there is something encrypted, or a kind of name that is not taken")
	}
	for _, child := range e.ChildElements() {
		if err := w.element(child); err != nil {
			return err
		}
	}
	return nil
}

// identifier refuses ids that two parsers could take for each other's.
func (w *walk) identifier(e *etree.Element) error {
	for _, a := range e.Attr {
		if !strings.EqualFold(a.Key, "ID") || a.Space == "xmlns" {
			continue
		}
		if a.Space != "" || w.ids[a.Value] || !plainName.MatchString(a.Value) {
			return errors.New("an id stands twice, or has an odd form")
		}
		w.ids[a.Value] = true
	}
	return nil
}
