package saml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Limits of a document. Answers nest a dozen levels deep.
const (
	maxDepth      = 32
	maxElements   = 10_000
	maxAttributes = 20 // of one element, namespaces among them
)

// plainName is what a name may be made of on either side of its one colon. Go's XML
// packages do not write other names as they read them (CVE-2020-29509 to -29511).
var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// tokens counts what a document is made of.
type tokens struct {
	open     []xml.Name
	elements int
	ended    bool // the root was closed
}

// checkTokens refuses what no SAML message has and XML parsers differ about: a
// DTD, entities, processing instructions, names of an odd form, an attribute that
// stands twice, anything around the root, and depth.
func checkTokens(document []byte) error {
	if !utf8.Valid(document) || bytes.IndexByte(document, 0) >= 0 {
		return errors.New("the document is not valid text")
	}
	d := xml.NewDecoder(bytes.NewReader(document)) //nolint:gosec // it is what judges the document, and is bounded
	var t tokens
	for first := true; ; first = false {
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil {
			err = t.take(token, first)
		}
		if err != nil {
			return fmt.Errorf("the document is not well-formed: %w", err)
		}
	}
	if !t.ended || len(t.open) > 0 {
		return errors.New("the document is not well-formed: it has no end")
	}
	return nil
}

func (t *tokens) take(token xml.Token, first bool) error {
	switch token := token.(type) {
	case xml.Directive:
		return errors.New("it has a DTD")
	case xml.ProcInst:
		if !first || token.Target != "xml" {
			return errors.New("it has a processing instruction")
		}
	case xml.CharData:
		if len(t.open) == 0 && len(bytes.TrimSpace(token)) > 0 {
			return errors.New("text stands outside of the root")
		}
	case xml.StartElement:
		return t.start(token)
	case xml.EndElement:
		if len(t.open) == 0 || t.open[len(t.open)-1] != token.Name {
			return errors.New("an end has no beginning")
		}
		t.open = t.open[:len(t.open)-1]
		t.ended = len(t.open) == 0
	}
	return nil
}

func (t *tokens) start(e xml.StartElement) error {
	t.elements++
	t.open = append(t.open, e.Name)
	switch {
	case t.ended:
		return errors.New("there are two roots")
	case t.elements > maxElements || len(t.open) > maxDepth || len(e.Attr) > maxAttributes:
		return errors.New("it is too deep, or has too many elements or attributes")
	case !plain(e.Name):
		return errors.New("the name of an element is an odd one")
	}
	seen := make(map[xml.Name]bool, len(e.Attr))
	for _, a := range e.Attr {
		if !plain(a.Name) || seen[a.Name] {
			return errors.New("the name of an attribute is an odd one, or stands twice")
		}
		if a.Name.Space == "xmlns" && (strings.HasPrefix(strings.ToLower(a.Name.Local), "xml") || a.Value == "") {
			return errors.New("a namespace is declared that cannot be")
		}
		seen[a.Name] = true
	}
	return nil
}

func plain(n xml.Name) bool {
	return plainName.MatchString(n.Local) && (n.Space == "" || plainName.MatchString(n.Space))
}
