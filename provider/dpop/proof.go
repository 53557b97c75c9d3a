package dpop

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v3"
)

// Header is the header that carries a proof (RFC 9449, section 4.1).
const Header = "DPoP"

// Limits of a proof.
const (
	maxSize    = 8 << 10          // bytes
	maxID      = 256              // bytes of a jti
	maxAge     = time.Minute      // of a proof, by our clock
	maxAhead   = 15 * time.Second // of callers' clocks
	minRSABits = 2048
	maxRSABits = 4096 // larger keys are only slow to verify with
)

// ErrInvalid is in the chain of every judgement against a proof; its code is
// invalid_dpop_proof (RFC 9449, section 5).
var ErrInvalid = errors.New("the DPoP proof is not valid")

func invalid(cause string) error { return fmt.Errorf("%w: %s", ErrInvalid, cause) }

// Algorithms are the algorithms of proofs, for dpop_signing_alg_values_supported.
func Algorithms() []string { return []string{"ES256", "RS256", "PS256", "EdDSA"} }

// Request is what a proof has to be for.
type Request struct {
	Method      string
	URLs        []string // by each of which the endpoint is known, without query and fragment
	AccessToken string   // that is presented with the proof; "" at the token endpoint
}

// Proof is a proof that holds for a request.
type Proof struct {
	Thumbprint string    // of the key, by SHA-256 in base64url (RFC 7638): the claim jkt
	ID         string    // what nobody may use again with this key before Until
	Until      time.Time // from when on the proof is too old
	Nonce      string    // "" where it has none
}

// claims are the claims of a proof (RFC 9449, section 4.2).
type claims struct {
	ID        string   `json:"jti"`
	Method    string   `json:"htm"`
	URL       string   `json:"htu"`
	IssuedAt  *float64 `json:"iat"`
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	Token     string   `json:"ath"`
	Nonce     string   `json:"nonce"`
}

// Check judges the values of the header [Header] of a request (RFC 9449, section
// 4.3), but for the nonce and for whether the proof was used before. Every error
// is an [ErrInvalid].
func Check(header []string, r Request, now time.Time) (*Proof, error) {
	if len(header) != 1 {
		return nil, invalid("there must be exactly one")
	}
	key, payload, err := verify(header[0])
	if err != nil {
		return nil, err
	}
	var said claims
	if json.Unmarshal(payload, &said) != nil {
		return nil, invalid("its claims are malformed")
	}
	until, err := said.check(r, now)
	if err != nil {
		return nil, err
	}
	sum, err := key.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, invalid("its key has no thumbprint")
	}
	return &Proof{Thumbprint: base64.RawURLEncoding.EncodeToString(sum), ID: said.ID, Until: until, Nonce: said.Nonce}, nil
}

// ValidThumbprint reports whether s can be the value of dpop_jkt (RFC 9449,
// section 10).
func ValidThumbprint(s string) bool {
	return len(s) == 43 && strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == ""
}

// verify returns the key that the proof carries and what was signed with it.
func verify(proof string) (*jose.JSONWebKey, []byte, error) {
	if len(proof) > maxSize || strings.Count(proof, ".") != 2 || strings.ContainsAny(proof, " \t\r\n,{") {
		return nil, nil, invalid("it is not a JWS in compact form")
	}
	jws, err := jose.ParseSigned(proof) // refuses a jwk that is private or symmetric
	if err != nil || len(jws.Signatures) != 1 {
		return nil, nil, invalid("it is malformed")
	}
	h := jws.Signatures[0].Protected
	_, critical := h.ExtraHeaders["crit"]
	switch {
	case h.ExtraHeaders["typ"] != "dpop+jwt":
		return nil, nil, invalid("its typ is not dpop+jwt")
	case critical:
		return nil, nil, invalid("it has critical headers")
	case !slices.Contains(Algorithms(), h.Algorithm):
		return nil, nil, invalid("its algorithm is not supported")
	case h.JSONWebKey == nil:
		return nil, nil, invalid("it carries no jwk")
	case hasPrivatePart(proof):
		return nil, nil, invalid("its jwk has a private part")
	case !fits(h.JSONWebKey.Key, h.Algorithm):
		return nil, nil, invalid("its jwk is not one for its algorithm")
	}
	payload, err := jws.Verify(h.JSONWebKey)
	if err != nil {
		return nil, nil, invalid("its signature is wrong")
	}
	return h.JSONWebKey, payload, nil
}

// hasPrivatePart looks at the members themselves: a key that lacks some of its
// private parts is read as a public one.
func hasPrivatePart(proof string) bool {
	protected, _, _ := strings.Cut(proof, ".")
	raw, err := base64.RawURLEncoding.DecodeString(protected)
	if err != nil {
		return true
	}
	var header struct {
		JWK map[string]json.RawMessage `json:"jwk"`
	}
	if json.Unmarshal(raw, &header) != nil {
		return true
	}
	for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
		if _, ok := header.JWK[name]; ok {
			return true
		}
	}
	return false
}

func fits(key any, alg string) bool {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		return alg == "ES256" && k.Curve == elliptic.P256()
	case *rsa.PublicKey:
		return (alg == "RS256" || alg == "PS256") && k.N.BitLen() >= minRSABits && k.N.BitLen() <= maxRSABits
	case ed25519.PublicKey:
		return alg == "EdDSA"
	}
	return false
}

// check returns from when on the proof is too old.
func (c *claims) check(r Request, now time.Time) (time.Time, error) {
	issued, ok := instant(c.IssuedAt)
	switch {
	case c.ID == "" || len(c.ID) > maxID:
		return time.Time{}, invalid("it has no jti, or one that is too long")
	case c.Method != r.Method:
		return time.Time{}, invalid("htm is another method")
	case !names(c.URL, r.URLs):
		return time.Time{}, invalid("htu is another endpoint")
	case !ok:
		return time.Time{}, invalid("it has no iat")
	case issued.After(now.Add(maxAhead)):
		return time.Time{}, invalid("it is from the future")
	case !now.Before(issued.Add(maxAge)):
		return time.Time{}, invalid("it is too old")
	case r.AccessToken != "" && !isOf(c.Token, r.AccessToken):
		return time.Time{}, invalid("ath is not of the access token")
	}
	if expires, ok := instant(c.Expires); c.Expires != nil && (!ok || !now.Before(expires)) {
		return time.Time{}, invalid("it has expired")
	}
	if begins, ok := instant(c.NotBefore); c.NotBefore != nil && (!ok || begins.After(now.Add(maxAhead))) {
		return time.Time{}, invalid("it is not valid yet")
	}
	return issued.Add(maxAge), nil
}

// instant reads a NumericDate (RFC 7519, section 2), and false for none or one
// that no clock shows.
func instant(seconds *float64) (time.Time, bool) {
	if seconds == nil || math.IsNaN(*seconds) || *seconds < 0 || *seconds > 1<<40 {
		return time.Time{}, false
	}
	whole, part := math.Modf(*seconds)
	return time.Unix(int64(whole), int64(part*1e9)), true
}

func isOf(ath, accessToken string) bool {
	sum := sha256.Sum256([]byte(accessToken))
	want := base64.RawURLEncoding.EncodeToString(sum[:])
	return subtle.ConstantTimeCompare([]byte(ath), []byte(want)) == 1
}

// names reports whether htu is one of the URLs, after syntax-based and
// scheme-based normalisation (RFC 3986, sections 6.2.2 and 6.2.3) and without
// query and fragment.
func names(htu string, urls []string) bool {
	said, ok := normal(htu)
	return ok && slices.ContainsFunc(urls, func(u string) bool {
		known, ok := normal(u)
		return ok && known == said
	})
}

func normal(raw string) (string, bool) {
	u, err := url.Parse(raw)
	if err != nil || u.User != nil || u.Opaque != "" || u.Host == "" {
		return "", false
	}
	scheme, host, port := strings.ToLower(u.Scheme), strings.ToLower(u.Hostname()), u.Port()
	if scheme == "https" && port == "443" || scheme == "http" && port == "80" {
		port = ""
	}
	// Path is decoded and EscapedPath is not: the first alone would make an
	// encoded slash a slash.
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return "", false
		}
		segments[i] = url.PathEscape(decoded)
	}
	joined := strings.Join(segments, "/")
	if cleaned := path.Clean("/" + joined); strings.HasSuffix(joined, "/") && cleaned != "/" {
		joined = cleaned + "/"
	} else {
		joined = cleaned
	}
	return scheme + "://" + host + ":" + port + joined, true
}
