// Package legacytoken makes access tokens in the formats of legacy systems.
package legacytoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/secret"
)

// Token says how the access token of a password grant looks, so that
// the string the legacy app gets is the OAuth access token. It travels with
// each call; its secret is never stored.
type Token struct {
	Format    client.TokenFormat
	Upper     bool   // FormatHex32: in upper case
	Header    string // FormatJWTHS256: the JOSE header, as it is to be signed
	Secret    []byte // FormatJWTHS256: the legacy system's own signing secret
	Lifetime  time.Duration
	Reuse     bool          // return the same token again while it lives (needs FormatJWTHS256)
	MinRemain time.Duration // Reuse: only while it lives at least this much longer
	// Claims renders the claims as the exact JSON that is to be signed.
	// Only for FormatJWTHS256.
	Claims func(Facts) ([]byte, error)
}

// Facts are what a legacy token's claims may say.
type Facts struct {
	ID        string // 16 random letters and digits
	IssuedAt  time.Time
	ExpiresAt time.Time
	User      *identity.User
	Account   *identity.Account
}

// Made is a token that was made.
type Made struct {
	Token  string
	Claims []byte // of a JWT, as signed; else nil
}

// Make makes a token. The prefix is that of opaque ones; the id among the facts
// is filled in.
func Make(t *Token, prefix string, f Facts) (Made, error) {
	switch t.Format {
	case client.FormatOpaque:
		return Made{Token: secret.Token(prefix)}, nil
	case client.FormatHex32:
		token := secret.ID()
		if t.Upper {
			token = strings.ToUpper(token)
		}
		return Made{Token: token}, nil
	case client.FormatJWTHS256:
		if t.Claims == nil || len(t.Secret) == 0 {
			return Made{}, errors.New("a jwt-hs256 token needs claims and a secret")
		}
		f.ID = secret.Alnum()
		claims, err := t.Claims(f)
		if err != nil {
			return Made{}, fmt.Errorf("legacy token claims: %w", err)
		}
		return Made{Token: t.Sign(claims), Claims: claims}, nil
	default:
		return Made{}, fmt.Errorf("token format %q is not one of a legacy system", t.Format)
	}
}

// Sign signs header and claims exactly as they are (RFC 7515, section 5.1),
// HMAC with SHA-256; a library would order them anew.
func (t *Token) Sign(claims []byte) string {
	var b strings.Builder
	b.WriteString(base64.RawURLEncoding.EncodeToString([]byte(t.Header)))
	b.WriteByte('.')
	b.WriteString(base64.RawURLEncoding.EncodeToString(claims))
	mac := hmac.New(sha256.New, t.Secret)
	mac.Write([]byte(b.String()))
	b.WriteByte('.')
	b.WriteString(base64.RawURLEncoding.EncodeToString(mac.Sum(nil)))
	return b.String()
}
