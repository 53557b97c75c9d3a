package requestobject_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/requestobject"
)

var now = time.Unix(1_800_000_000, 0)

const issuer = "https://id.example.com/tenant"

// keys are a client's: one of each kind.
func keys(t testing.TB) (map[string]crypto.Signer, *jose.JSONWebKeySet) {
	t.Helper()
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	e, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, o, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	return map[string]crypto.Signer{"RS256": r, "PS256": r, "ES256": e, "EdDSA": o, "weak": weak}, &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{
		{Key: r.Public(), KeyID: "rsa"},
		{Key: e.Public(), KeyID: "ec", Use: "sig"},
		{Key: o.Public(), KeyID: "okp", Algorithm: "EdDSA"},
		{Key: weak.Public(), KeyID: "weak"},
		{Key: e.Public(), KeyID: "enc", Use: "enc"},
	}}
}

// sign makes a JWS of claims with a header.
func sign(t testing.TB, alg string, key any, claims any, header map[jose.HeaderKey]any) string {
	t.Helper()
	o := &jose.SignerOptions{ExtraHeaders: map[jose.HeaderKey]any{}}
	maps.Copy(o.ExtraHeaders, header)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: key}, o)
	require.NoError(t, err)
	payload, ok := claims.([]byte)
	if !ok {
		payload, err = json.Marshal(claims)
		require.NoError(t, err)
	}
	jws, err := signer.Sign(payload)
	require.NoError(t, err)
	object, err := jws.CompactSerialize()
	require.NoError(t, err)
	return object
}

func good() map[string]any {
	return map[string]any{
		"iss": "app", "aud": issuer, "exp": now.Add(time.Minute).Unix(), "nbf": now.Unix(), "jti": "1", "client_id": "app",
		"response_type": "code", "max_age": 3600, "claims": map[string]any{"userinfo": nil}, "resource": []string{"https://a", "https://b"},
		"essential": true, "state": "a&b",
	}
}

func TestParse(t *testing.T) {
	private, public := keys(t)
	want := requestobject.Expected{Keys: public, Client: "app", Issuer: issuer, Now: now}
	for _, alg := range requestobject.Algorithms() {
		t.Run(alg+" is verified, and numbers, lists and objects keep their meaning (regression 11)", func(t *testing.T) {
			values, err := requestobject.Parse(sign(t, alg, private[alg], good(), map[jose.HeaderKey]any{"typ": "oauth-authz-req+jwt"}), want)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(url.Values{
				"client_id": {"app"}, "response_type": {"code"}, "max_age": {"3600"}, "claims": {`{"userinfo":null}`},
				"resource": {"https://a", "https://b"}, "essential": {"true"}, "state": {"a&b"},
			}, values))
		})
	}
	t.Run("the algorithm that the client registered is the only one", func(t *testing.T) {
		only := want
		only.Algorithm = "PS256"
		_, err := requestobject.Parse(sign(t, "PS256", private["PS256"], good(), nil), only)
		require.NoError(t, err)
		_, err = requestobject.Parse(sign(t, "RS256", private["RS256"], good(), nil), only)
		require.Error(t, err)
	})
	t.Run("typ may be absent, JWT or a media type", func(t *testing.T) {
		for _, typ := range []string{"JWT", "jwt", "application/oauth-authz-req+jwt", "OAUTH-AUTHZ-REQ+JWT"} {
			_, err := requestobject.Parse(sign(t, "ES256", private["ES256"], good(), map[jose.HeaderKey]any{"typ": typ}), want)
			require.NoError(t, err, typ)
		}
	})
}

func TestClaimsThatAreRefused(t *testing.T) {
	private, public := keys(t)
	want := requestobject.Expected{Keys: public, Client: "app", Issuer: issuer, Now: now}
	parse := func(claims any) error {
		_, err := requestobject.Parse(sign(t, "ES256", private["ES256"], claims, nil), want)
		return err
	}
	for name, change := range map[string]map[string]any{
		"iss of another client":         {"iss": "other"},
		"iss of nobody":                 {"iss": nil},
		"iss in a list":                 {"iss": []string{"app"}},
		"aud of another issuer":         {"aud": issuer + "/"},
		"no aud":                        {"aud": nil},
		"aud without us":                {"aud": []string{"https://a", "https://b"}},
		"client_id of another client":   {"client_id": "other"},
		"client_id in a list":           {"client_id": []string{"app"}},
		"sub of the client":             {"sub": "app"},
		"exp in the past":               {"exp": now.Add(-2 * time.Minute).Unix()},
		"exp far ahead":                 {"exp": now.Add(48 * time.Hour).Unix()},
		"exp in text":                   {"exp": "1800000100"},
		"exp of null":                   {"exp": nil},
		"exp beyond time":               {"exp": 1e300},
		"nbf ahead":                     {"nbf": now.Add(5 * time.Minute).Unix()},
		"iat ahead":                     {"iat": now.Add(5 * time.Minute).Unix()},
		"jti of numbers":                {"jti": 1},
		"jti of nothing":                {"jti": ""},
		"jti of 300 letters":            {"jti": strings.Repeat("x", 300)},
		"another request object in it":  {"request": "x"},
		"a reference to another one":    {"request_uri": "https://app.example.com/x"},
		"a parameter with NUL":          {"state": "a\x00"},
		"a resource of objects in NULs": {"resource": []any{"a\x00"}},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			claims := good()
			for k, v := range change {
				if claims[k] = v; v == nil && k != "exp" {
					delete(claims, k)
				}
			}
			require.Error(t, parse(claims))
		})
	}
	for name, payload := range map[string]string{"text": "x", "a list": "[]", "null": "null", "two objects": "{} {}", "nothing": ""} {
		t.Run("claims that are "+name+" are refused", func(t *testing.T) { require.Error(t, parse([]byte(payload))) })
	}
	t.Run("an aud with us among others, and no exp at all, will do", func(t *testing.T) {
		claims := good()
		claims["aud"] = []string{"https://a", issuer}
		delete(claims, "exp")
		require.NoError(t, parse(claims))
	})
}

func TestHeadersThatAreRefused(t *testing.T) {
	private, public := keys(t)
	want := requestobject.Expected{Keys: public, Client: "app", Issuer: issuer, Now: now}
	es := func(header map[jose.HeaderKey]any) string { return sign(t, "ES256", private["ES256"], good(), header) }
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	plain := es(nil)
	payload := strings.Split(plain, ".")[1]
	headed := func(header string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload + "."
	}
	spki, err := json.Marshal(public.Keys[0])
	require.NoError(t, err)
	for name, object := range map[string]string{
		"alg none":                        headed(`{"alg":"none"}`),
		"alg None":                        headed(`{"alg":"None"}`),
		"alg nOnE":                        headed(`{"alg":"nOnE"}`),
		"no alg":                          headed(`{}`),
		"HS256 with the public key":       sign(t, "HS256", spki, good(), nil),
		"an embedded jwk":                 sign(t, "ES256", stranger, good(), map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: stranger.Public()}}),
		"an embedded jwk of the client":   es(map[jose.HeaderKey]any{"jwk": jose.JSONWebKey{Key: private["ES256"].Public()}}),
		"jku":                             es(map[jose.HeaderKey]any{"jku": "https://evil.example/keys"}),
		"x5u":                             es(map[jose.HeaderKey]any{"x5u": "https://evil.example/cert"}),
		"x5c":                             es(map[jose.HeaderKey]any{"x5c": []string{"AA=="}}),
		"crit":                            es(map[jose.HeaderKey]any{"crit": []string{"b64"}}),
		"a stranger's key":                sign(t, "ES256", stranger, good(), nil),
		"a stranger's key under our kid":  sign(t, "ES256", stranger, good(), map[jose.HeaderKey]any{"kid": "ec"}),
		"a kid that is a path":            es(map[jose.HeaderKey]any{"kid": "../../ec"}),
		"a kid that is SQL":               es(map[jose.HeaderKey]any{"kid": "' OR 1=1 --"}),
		"the kid of a key to encrypt":     es(map[jose.HeaderKey]any{"kid": "enc"}),
		"a key that is too short":         sign(t, "RS256", private["weak"], good(), map[jose.HeaderKey]any{"kid": "weak"}),
		"an emptied signature":            plain[:strings.LastIndexByte(plain, '.')+1],
		"a changed signature":             plain[:len(plain)-4] + "AAAA",
		"another type":                    es(map[jose.HeaderKey]any{"typ": "at+jwt"}),
		"five parts":                      plain + ".x.y",
		"two parts":                       payload + ".x",
		"nothing":                         "",
		"more than 8 KiB":                 plain + strings.Repeat("A", requestobject.MaxSize),
		"JSON instead of compact form":    `{"payload":"","signatures":[]}`,
		"a header that is no JSON":        "AAAA." + payload + ".AAAA",
		"a header that is no base64 text": "a=." + payload + ".AAAA",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			_, err := requestobject.Parse(object, want)
			require.Error(t, err)
			require.NotContains(t, err.Error(), "evil")
		})
	}
	t.Run("a client without keys has no request objects", func(t *testing.T) {
		none := want
		none.Keys = nil
		_, err := requestobject.Parse(plain, none)
		require.Error(t, err)
	})
}

func FuzzParse(f *testing.F) {
	private, public := keys(f)
	want := requestobject.Expected{Keys: public, Client: "app", Issuer: issuer, Now: now}
	signed := sign(f, "ES256", private["ES256"], good(), nil)
	f.Add(signed)
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Fuzz(func(t *testing.T, object string) {
		if _, err := requestobject.Parse(object, want); err == nil && object != signed {
			// The last letter of base64 has bits that do not count; nothing else may differ.
			require.Equal(t, signed[:len(signed)-1], object[:len(object)-1])
		}
	})
}

func FuzzClaims(f *testing.F) {
	private, public := keys(f)
	want := requestobject.Expected{Keys: public, Client: "app", Issuer: issuer, Now: now}
	f.Add(`{"iss":"app","aud":"` + issuer + `","max_age":1e2,"x":[{"y":null}]}`)
	f.Fuzz(func(t *testing.T, claims string) {
		if len(claims) > 4<<10 {
			return
		}
		values, err := requestobject.Parse(sign(t, "EdDSA", private["EdDSA"], []byte(claims), nil), want)
		if err != nil {
			return
		}
		require.NotContains(t, values.Encode(), "%00")
		require.Empty(t, values["request"])
	})
}
