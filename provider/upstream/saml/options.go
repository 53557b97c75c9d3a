package saml

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	crewjamsaml "github.com/crewjam/saml"
)

// Which signatures an answer has to have.
const (
	SignedAny       = "any" // one of the two
	SignedAssertion = "assertion"
	SignedResponse  = "response"
	SignedBoth      = "both"
)

// Which format of name is asked for, and taken.
const (
	NamePersistent  = "persistent"
	NameEmail       = "email"
	NameUnspecified = "unspecified"
)

// MaxSkew is how far clocks may be apart at most: the library refuses what is
// further off whatever it is told.
const MaxSkew = 90 * time.Second

const minRSA = 2048 // bits

// Options describe one identity provider. Issuer, EntityID, ACS, Metadata, Key,
// Certificate, Remember and Now have no default.
type Options struct {
	Issuer   string // its entity id
	EntityID string // ours
	ACS      string // where it posts answers to: ours, of this connector alone

	// Metadata reads what it publishes of itself.
	Metadata func(ctx context.Context) ([]byte, error)
	Refresh  time.Duration // how long that is kept; default 1 h

	Key         string // PEM: RSA, of at least 2048 bits; signs requests
	Certificate string // PEM, of the key

	Signed           string   // default [SignedAny]
	NameFormat       string   // default [NamePersistent]; with a SubjectAttribute it does not matter
	SubjectAttribute string   // the attribute that says who somebody is; "" for the name
	Lists            []string // attributes that are lists even of one value
	ACRValues        []string // authentication contexts that are asked for
	RequireACR       []string // one of which the answer must have; empty for any
	Force            bool     // people have to prove themselves each time

	Skew time.Duration // of clocks; default 1 min, at most [MaxSkew]
	// Remember returns [identity.ErrConflict] for an id that it was told before.
	Remember func(ctx context.Context, namespace, id string, expires time.Time) error
	Now      func() time.Time
}

func (o *Options) complete() error {
	acs, err := url.Parse(o.ACS)
	switch {
	case err != nil || acs.Host == "":
		return errors.New("the URL for answers must be an absolute one")
	case o.Issuer == "" || o.EntityID == "" || o.Metadata == nil || o.Remember == nil || o.Now == nil:
		return errors.New("issuer, entity id, metadata, memory and clock must be given")
	}
	for value, all := range map[*string][]string{
		&o.Signed:     {SignedAny, SignedAssertion, SignedResponse, SignedBoth},
		&o.NameFormat: {NamePersistent, NameEmail, NameUnspecified},
	} {
		if *value == "" {
			*value = all[0]
		}
		if !slices.Contains(all, *value) {
			return fmt.Errorf("%q is not one of %v", *value, all)
		}
	}
	if o.Skew <= 0 {
		o.Skew = time.Minute
	}
	if o.Skew > MaxSkew {
		return fmt.Errorf("clocks may be %s apart at most", MaxSkew)
	}
	if o.Refresh <= 0 {
		o.Refresh = time.Hour
	}
	return nil
}

// nameFormat is what the request asks for.
func (o *Options) nameFormat() crewjamsaml.NameIDFormat {
	switch {
	case o.SubjectAttribute != "" || o.NameFormat == NameUnspecified:
		return crewjamsaml.UnspecifiedNameIDFormat
	case o.NameFormat == NameEmail:
		return crewjamsaml.EmailAddressNameIDFormat
	}
	return crewjamsaml.PersistentNameIDFormat
}

// KeyPair reads a key and its certificate. What is wrong is said without a word
// of what stands there.
func KeyPair(key, certificate string) (*rsa.PrivateKey, *x509.Certificate, error) {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, nil, errors.New("certificate: must be PEM that begins with BEGIN CERTIFICATE")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	private, err := rsaKey(key)
	if err != nil {
		return nil, nil, err
	}
	if !private.PublicKey.Equal(cert.PublicKey) {
		return nil, nil, errors.New("certificate: is not that of the key")
	}
	return private, cert, nil
}

func rsaKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("key: must be PEM")
	}
	var parsed any
	var err error
	if parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes); err != nil {
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok || private.N.BitLen() < minRSA {
		return nil, fmt.Errorf("key: must be an unencrypted RSA key of at least %d bits, in PKCS #8 or PKCS #1", minRSA)
	}
	return private, nil
}
