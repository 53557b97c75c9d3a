// Package pairwise makes subject identifiers by which two clients cannot find out
// that they know the same person (OpenID Connect Core 1.0, section 8.1).
package pairwise

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// The values of subject_type (OpenID Connect Core 1.0, section 8).
const (
	Public   = "public"
	Pairwise = "pairwise"
)

// Types are the values for subject_types_supported.
func Types() []string { return []string{Public, Pairwise} }

// Subjects makes the identifiers of one provider.
type Subjects struct{ key []byte }

// New derives the key from the provider's secret, which therefore must never
// change: with another, everybody is somebody else.
func New(secret []byte) (*Subjects, error) {
	key, err := hkdf.Key(sha256.New, secret, nil, "keyway pairwise subjects", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	return &Subjects{key: key}, nil
}

// Of is by what the clients of a sector know a subject: 43 characters of
// base64url, from which nobody finds the subject without the key. Clients without
// a sector know the subject itself, and "" stays "", which is nobody.
func (s *Subjects) Of(sector, subject string) string {
	if sector == "" || subject == "" {
		return subject
	}
	mac := hmac.New(sha256.New, s.key)
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(sector)))) //nolint:gosec // a host name; where one ends decides nothing else
	mac.Write([]byte(sector))
	mac.Write([]byte(subject))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// ErrSector says that a client has no sector of its own.
var ErrSector = errors.New("a pairwise client needs redirect URIs of one https host, or a sector_identifier_uri")

// Sector is the host that tells which clients share their identifiers: that of
// the sector_identifier_uri, or else the one host of all redirect URIs. A host
// that anybody may have, such as loopback, or an app's own scheme is none.
func Sector(sectorURI string, redirectURIs []string) (string, error) {
	uris := redirectURIs
	if sectorURI != "" {
		uris = []string{sectorURI}
	}
	sector := ""
	for _, uri := range uris {
		u, err := url.Parse(uri)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" {
			return "", ErrSector
		}
		host := strings.ToLower(u.Hostname())
		if sector != "" && sector != host {
			return "", ErrSector
		}
		sector = host
	}
	if sector == "" {
		return "", ErrSector
	}
	return sector, nil
}
