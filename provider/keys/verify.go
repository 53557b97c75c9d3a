package keys

import (
	"errors"

	"github.com/go-jose/go-jose/v3"
)

// MaxToken is the longest token that is verified, in bytes.
const MaxToken = 8 << 10

// Signed is a token that a key of ours signed, whenever that was.
type Signed struct {
	Type    string // the header typ, "" for none
	Payload []byte // JSON; nothing in it was judged, its times neither
}

// Verify checks a compact JWS (RFC 7515) with the key that its kid names, be
// it active or retired, and only by that key's own algorithm.
func (k *Ring) Verify(token string) (*Signed, error) {
	if len(token) > MaxToken {
		return nil, errors.New("token is too long")
	}
	jws, err := jose.ParseSigned(token)
	if err != nil || len(jws.Signatures) != 1 {
		return nil, errors.New("not a JWS in compact form")
	}
	header := jws.Signatures[0].Protected
	key, alg, err := k.Public(header.KeyID)
	if err != nil {
		return nil, err
	}
	if header.Algorithm != alg {
		return nil, ErrNoKey
	}
	payload, err := jws.Verify(key)
	if err != nil {
		return nil, errors.New("signature is wrong")
	}
	typ, _ := header.ExtraHeaders[jose.HeaderType].(string)
	return &Signed{Type: typ, Payload: payload}, nil
}
