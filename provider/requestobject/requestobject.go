package requestobject

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v3"

	"keyway/provider/keyset"
)

// MaxSize is the longest request object that is read, in bytes.
const MaxSize = 8 << 10

const (
	leeway    = time.Minute    // of clients' clocks
	maxLife   = 24 * time.Hour // from now to exp
	maxID     = 255            // of jti, in bytes
	maxClaims = 100
)

// Algorithms are the algorithms of request objects. Neither "none" nor one
// with a shared secret is among them.
func Algorithms() []string { return []string{"RS256", "PS256", "ES256", "EdDSA"} }

// Expected is what a request object is judged by.
type Expected struct {
	Keys      *jose.JSONWebKeySet // registered by the client; no others count
	Algorithm string              // the one that the client registered; "" for any of [Algorithms]
	Client    string              // must be iss and, where it is there, client_id
	Issuer    string              // ours: must be in aud
	Now       time.Time
}

// Parse verifies a request object and returns the parameters in it: texts as
// they are, numbers and booleans as they are written, lists and objects as JSON,
// but for resource, of which each is a value. The claims of the JWT itself are
// left out. No error has anything in it that was sent.
func Parse(object string, want Expected) (url.Values, error) {
	payload, err := verify(object, want)
	if err != nil {
		return nil, err
	}
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var claims map[string]any
	if decoder.Decode(&claims) != nil || decoder.More() || claims == nil || len(claims) > maxClaims {
		return nil, errors.New("the claims of the request object are malformed")
	}
	if err := checkClaims(claims, want); err != nil {
		return nil, err
	}
	return parameters(claims)
}

// verify returns what was signed.
func verify(object string, want Expected) ([]byte, error) {
	if len(object) > MaxSize || strings.Count(object, ".") != 2 {
		return nil, errors.New("the request object is too long or no signed JWT")
	}
	if err := checkHeader(object, want.Algorithm); err != nil {
		return nil, err
	}
	payload, err := keyset.Verify(want.Keys, object, Algorithms())
	if err != nil {
		return nil, fmt.Errorf("the request object: %w", err)
	}
	return payload, nil
}

// checkHeader reads the header itself: a key that comes with the object, or an
// extension that must be understood, is a reason to refuse and not to ignore.
func checkHeader(object, algorithm string) error {
	encoded, _, _ := strings.Cut(object, ".")
	b, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return errors.New("the header of the request object is malformed")
	}
	var all map[string]json.RawMessage
	var said struct {
		Algorithm string `json:"alg"`
		Type      string `json:"typ"`
	}
	if json.Unmarshal(b, &all) != nil || json.Unmarshal(b, &said) != nil {
		return errors.New("the header of the request object is malformed")
	}
	for name := range all {
		switch strings.ToLower(name) {
		case "jwk", "jku", "x5u", "x5c", "crit", "b64", "enc", "zip":
			return errors.New("the header of the request object has a parameter that is refused")
		}
	}
	switch typ := strings.ToLower(said.Type); {
	case typ != "" && typ != "jwt" && strings.TrimPrefix(typ, "application/") != "oauth-authz-req+jwt":
		return errors.New("the JWT is of another type than a request object")
	case !slices.Contains(Algorithms(), said.Algorithm), algorithm != "" && said.Algorithm != algorithm:
		return errors.New("the algorithm of the request object is not supported, or not the client's")
	}
	return nil
}

// checkClaims judges what the JWT says of itself.
func checkClaims(claims map[string]any, want Expected) error {
	switch {
	case claims["iss"] != want.Client:
		return errors.New("iss of the request object is not the client")
	case !names(claims["aud"], want.Issuer):
		return errors.New("the request object is for another audience")
	case claims["client_id"] != nil && claims["client_id"] != want.Client:
		return errors.New("client_id of the request object is not the client")
	case claims["sub"] != nil && claims["sub"] == want.Client:
		return errors.New("the JWT could be a client assertion") // RFC 9101, section 10.8
	}
	if id, there := claims["jti"]; there {
		if s, ok := id.(string); !ok || s == "" || len(s) > maxID {
			return errors.New("jti of the request object is malformed")
		}
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		v, there := claims[name]
		if !there {
			continue
		}
		at, err := instant(v)
		switch {
		case err != nil:
			return err
		case name == "exp" && (!want.Now.Before(at.Add(leeway)) || at.After(want.Now.Add(maxLife))):
			return errors.New("the request object has expired, or lives too long")
		case name != "exp" && at.After(want.Now.Add(leeway)):
			return errors.New("the request object is not valid yet")
		}
	}
	return nil
}

// names reports whether an aud is, or has in it, the issuer.
func names(aud any, issuer string) bool {
	list, ok := aud.([]any)
	return aud == issuer || ok && slices.Contains(list, any(issuer))
}

// instant reads a NumericDate (RFC 7519, section 2).
func instant(v any) (time.Time, error) {
	n, ok := v.(json.Number)
	if !ok {
		return time.Time{}, errors.New("a time of the request object is not a number")
	}
	seconds, err := n.Float64()
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, errors.New("a time of the request object is out of range")
	}
	return time.Unix(int64(seconds), 0), nil
}

// parameters are the claims that are parameters of the request.
func parameters(claims map[string]any) (url.Values, error) {
	values := url.Values{}
	for name, v := range claims {
		switch name {
		case "iss", "aud", "exp", "nbf", "iat", "jti", "sub":
			continue
		case "request", "request_uri":
			return nil, errors.New("a request object must not refer to another one") // RFC 9101, section 4
		}
		if list, ok := v.([]any); ok && name == "resource" {
			for _, one := range list {
				if err := add(values, name, one); err != nil {
					return nil, err
				}
			}
			continue
		}
		if err := add(values, name, v); err != nil {
			return nil, err
		}
	}
	return values, nil
}

func add(values url.Values, name string, v any) error {
	text, err := textOf(v)
	if err != nil || strings.ContainsRune(name+text, 0) || !utf8.ValidString(text) {
		return errors.New("a claim of the request object is not text")
	}
	values.Add(name, text)
	return nil
}

// textOf writes a claim as the query would have it. fosite would write
// numbers as Go does.
func textOf(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}
