package keyset

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v3"
)

// maxHeader is the longest header that is read before anything is verified, in
// bytes.
const maxHeader = 4 << 10

// Header is what a JWS says of its key, before anything of it is verified.
type Header struct {
	KeyID     string `json:"kid"`
	Algorithm string `json:"alg"`
}

// HeaderOf reads the header of a JWS in compact form; what cannot be read is
// empty.
func HeaderOf(jws string) Header {
	var h Header
	head, _, found := strings.Cut(jws, ".")
	if !found || len(head) > maxHeader {
		return h
	}
	b, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(b, &h) != nil {
		return Header{}
	}
	return h
}

// Verify returns what one of the algorithms and a key of the set, nil for none,
// have signed (RFC 7515, section 5.2). What the header says of keys is ignored,
// but for the kid. The caller bounds the length.
func Verify(set *jose.JSONWebKeySet, compact string, algorithms []string) ([]byte, error) {
	if set == nil {
		return nil, errors.New("there are no keys")
	}
	if strings.Count(compact, ".") != 2 {
		return nil, errors.New("not a JWS in compact form")
	}
	jws, err := jose.ParseSigned(compact)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("not a JWS in compact form")
	}
	header := jws.Signatures[0].Protected
	if !slices.Contains(algorithms, header.Algorithm) {
		return nil, errors.New("the algorithm is not supported")
	}
	for i := range set.Keys {
		k := &set.Keys[i]
		if !fits(k, header.KeyID, header.Algorithm) {
			continue
		}
		if payload, err := jws.Verify(k.Public()); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the set verifies the signature")
}

// fits reports whether a key may have signed.
func fits(k *jose.JSONWebKey, id, algorithm string) bool {
	if id != "" && k.KeyID != id || k.Algorithm != "" && k.Algorithm != algorithm || k.Use == "enc" {
		return false
	}
	r, isRSA := k.Key.(*rsa.PublicKey)
	return !isRSA || r.N.BitLen() >= minRSABits
}
