package store

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
)

// sealer encrypts what must not be read from a stolen database, with
// AES-256-GCM. Each value is bound to the row that it stands in, so that it
// cannot be moved to another.
type sealer struct{ aead cipher.AEAD }

var errNoSealKey = errors.New("signing keys need a seal key: 32 random bytes, set in the configuration")

func newSealer(key []byte) (*sealer, error) {
	if key == nil {
		return &sealer{}, nil
	}
	if len(key) != 32 {
		return nil, fmt.Errorf("the seal key has %d bytes; it must have 32", len(key))
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &sealer{aead: aead}, nil
}

// seal encrypts plain for the row named by bind.
func (s *sealer) seal(plain []byte, bind string) ([]byte, error) {
	if s.aead == nil {
		return nil, errNoSealKey
	}
	return s.aead.Seal(nil, nil, plain, []byte(bind)), nil //nolint:gosec // this AEAD makes its own random nonce
}

// open decrypts what seal returned for bind.
func (s *sealer) open(sealed []byte, bind string) ([]byte, error) {
	if s.aead == nil {
		return nil, errNoSealKey
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte(bind))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be unsealed: the configured secret is not the one that this database was "+
			"made with, or the row was changed or damaged", bind)
	}
	return plain, nil
}
