package codeflow

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
)

const maxDepth = 32 // of objects and lists in each other

// ErrTwice says that a member stands twice: two readers could see two people.
var ErrTwice = errors.New("a claim stands twice")

var errNoJSON = errors.New("not JSON")

// Parse reads a document. Numbers are [json.Number].
func Parse(document []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	v, err := value(d, 0)
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNoJSON
	}
	return v, nil
}

// Claims reads a document that has to be an object.
func Claims(document []byte) (map[string]any, error) {
	v, err := Parse(document)
	if err != nil {
		return nil, err
	}
	claims, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("claims are not an object")
	}
	return claims, nil
}

// Spelled refuses claims that are one of the names but for its case: package
// encoding/json, on which our libraries stand, takes one for the other.
func Spelled(claims map[string]any, names ...string) error {
	for claim := range claims {
		for _, name := range names {
			if claim != name && strings.EqualFold(claim, name) {
				return errors.New("a claim is spelled in two ways")
			}
		}
	}
	return nil
}

func value(d *json.Decoder, depth int) (any, error) {
	t, err := d.Token()
	if err != nil || depth > maxDepth {
		return nil, errNoJSON // the cause would quote the document
	}
	switch t {
	case json.Delim('{'):
		return object(d, depth)
	case json.Delim('['):
		return list(d, depth)
	}
	return t, nil
}

func object(d *json.Decoder, depth int) (any, error) {
	members := map[string]any{}
	for d.More() {
		t, err := d.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, errNoJSON
		}
		if _, twice := members[name]; twice {
			return nil, ErrTwice
		}
		if members[name], err = value(d, depth+1); err != nil {
			return nil, err
		}
	}
	return members, end(d)
}

func list(d *json.Decoder, depth int) (any, error) {
	items := []any{}
	for d.More() {
		v, err := value(d, depth+1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	return items, end(d)
}

func end(d *json.Decoder) error {
	if _, err := d.Token(); err != nil {
		return errNoJSON
	}
	return nil
}
