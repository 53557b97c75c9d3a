package dpop_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/dpop"
)

const endpoint = "https://id.example.com/tenant/oauth2/token"

var moment = time.Unix(1_800_000_000, 0)

func request() dpop.Request {
	return dpop.Request{Method: "POST", URLs: []string{endpoint}}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func jwkOf(t testing.TB, key any) map[string]any {
	t.Helper()
	raw, err := json.Marshal(jose.JSONWebKey{Key: key})
	require.NoError(t, err)
	var out map[string]any
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

// maker makes proofs with a key that is P-256 unless told otherwise.
type maker struct {
	alg    string
	key    crypto.Signer
	header map[string]any
	claims map[string]any
	tamper func(string) string
}

func newMaker(t testing.TB) *maker {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	return &maker{
		alg: "ES256", key: key,
		header: map[string]any{"typ": "dpop+jwt", "jwk": jwkOf(t, key.Public())},
		claims: map[string]any{"jti": "one", "htm": "POST", "htu": endpoint, "iat": moment.Unix()},
	}
}

// make signs the header as it is: a library would put right what is wrong here.
func (m *maker) make(t testing.TB) string {
	t.Helper()
	header := map[string]any{"alg": m.alg}
	for name, v := range m.header {
		header[name] = v
	}
	h, err := json.Marshal(header)
	require.NoError(t, err)
	c, err := json.Marshal(m.claims)
	require.NoError(t, err)
	input := b64(h) + "." + b64(c)
	proof := input + "." + b64(sign(t, m.alg, m.key, []byte(input)))
	if m.tamper != nil {
		proof = m.tamper(proof)
	}
	return proof
}

func sign(t testing.TB, alg string, key crypto.Signer, input []byte) []byte {
	t.Helper()
	sum := sha256.Sum256(input)
	switch k := key.(type) {
	case *ecdsa.PrivateKey:
		r, s, err := ecdsa.Sign(rand.Reader, k, sum[:])
		require.NoError(t, err)
		size := (k.Params().BitSize + 7) / 8
		out := make([]byte, 2*size)
		r.FillBytes(out[:size])
		s.FillBytes(out[size:])
		return out
	case ed25519.PrivateKey:
		return ed25519.Sign(k, input)
	case *rsa.PrivateKey:
		var opts crypto.SignerOpts = crypto.SHA256
		if alg == "PS256" {
			opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
		}
		out, err := k.Sign(rand.Reader, sum[:], opts)
		require.NoError(t, err)
		return out
	}
	t.Fatalf("%T does not sign", key)
	return nil
}

func TestAProofHoldsWithEachAlgorithm(t *testing.T) {
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	keys := map[string]crypto.Signer{"ES256": ec, "RS256": rs, "PS256": rs, "EdDSA": ed}
	for _, alg := range dpop.Algorithms() {
		m := newMaker(t)
		m.alg, m.key, m.header["jwk"] = alg, keys[alg], jwkOf(t, keys[alg].Public())
		proof, err := dpop.Check([]string{m.make(t)}, request(), moment)
		require.NoError(t, err, alg)
		sum, err := (&jose.JSONWebKey{Key: keys[alg].Public()}).Thumbprint(crypto.SHA256)
		require.NoError(t, err)
		require.Equal(t, b64(sum), proof.Thumbprint, alg)
		require.Equal(t, "one", proof.ID)
		require.Equal(t, moment.Add(time.Minute), proof.Until)
	}
}

// TestTheThumbprintIsThatOfTheRFC has its proof and its key's thumbprint from
// RFC 9449, sections 4.1 and 6.1.
func TestTheThumbprintIsThatOfTheRFC(t *testing.T) {
	const proof = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19." +
		"eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ." +
		"2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	got, err := dpop.Check([]string{proof}, dpop.Request{Method: "POST", URLs: []string{"https://server.example.com/token"}}, time.Unix(1562262616, 0))
	require.NoError(t, err)
	require.Equal(t, "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I", got.Thumbprint)
}

func TestAProofIsRefused(t *testing.T) {
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	require.NoError(t, err)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	cases := map[string]func(m *maker){
		"without typ":                         func(m *maker) { delete(m.header, "typ") },
		"with typ JWT":                        func(m *maker) { m.header["typ"] = "JWT" },
		"with typ in another case":            func(m *maker) { m.header["typ"] = "DPOP+JWT" },
		"with typ that is no text":            func(m *maker) { m.header["typ"] = 1 },
		"without jwk":                         func(m *maker) { delete(m.header, "jwk") },
		"with jwk null":                       func(m *maker) { m.header["jwk"] = nil },
		"with a private key as jwk":           func(m *maker) { m.header["jwk"] = jwkOf(t, m.key) },
		"with part of a private RSA key":      func(m *maker) { privateRSA(t, m) },
		"with a symmetric key as jwk":         func(m *maker) { m.header["jwk"] = map[string]any{"kty": "oct", "k": b64([]byte("secret"))} },
		"with the jwk of somebody else":       func(m *maker) { m.header["jwk"] = jwkOf(t, stranger.Public()) },
		"with a key that is not on the curve": func(m *maker) { m.header["jwk"] = offCurve(m.header["jwk"]) },
		"with critical headers":               func(m *maker) { m.header["crit"] = []string{"exp"} },
		"with b64 false":                      func(m *maker) { m.header["crit"], m.header["b64"] = []string{"b64"}, false },
		"with alg none":                       func(m *maker) { m.alg = "none"; m.tamper = unsigned },
		"with alg nOnE":                       func(m *maker) { m.alg = "nOnE"; m.tamper = unsigned },
		"with alg HS256":                      func(m *maker) { m.alg = "HS256" },
		"with alg ES384":                      func(m *maker) { m.alg, m.key, m.header["jwk"] = "ES384", p384, jwkOf(t, p384.Public()) },
		"with ES256 and a key of P-384":       func(m *maker) { m.key, m.header["jwk"] = p384, jwkOf(t, p384.Public()) },
		"with RS256 and an EC key":            func(m *maker) { m.alg = "RS256" },
		"with a weak RSA key":                 func(m *maker) { m.alg, m.key, m.header["jwk"] = "RS256", weak, jwkOf(t, weak.Public()) },
		"without signature":                   func(m *maker) { m.tamper = unsigned },
		"with a broken signature":             func(m *maker) { m.tamper = func(s string) string { return s[:len(s)-8] + "AAAAAAAA" } },
		"with other claims than were signed":  func(m *maker) { m.tamper = otherClaims },
		"with a part too many":                func(m *maker) { m.tamper = func(s string) string { return s + "." } },
		"with two joined by a comma":          func(m *maker) { m.tamper = func(s string) string { return s + "," + s } },
		"as JSON":                             func(m *maker) { m.tamper = asJSON },
		"that is too long":                    func(m *maker) { m.claims["pad"] = strings.Repeat("x", 9<<10) },
		"that is empty":                       func(m *maker) { m.tamper = func(string) string { return "" } },
		"without jti":                         func(m *maker) { delete(m.claims, "jti") },
		"with an empty jti":                   func(m *maker) { m.claims["jti"] = "" },
		"with a jti that is no text":          func(m *maker) { m.claims["jti"] = 7 },
		"with a jti that is too long":         func(m *maker) { m.claims["jti"] = strings.Repeat("x", 257) },
		"without htm":                         func(m *maker) { delete(m.claims, "htm") },
		"with htm GET":                        func(m *maker) { m.claims["htm"] = "GET" },
		"with htm in lower case":              func(m *maker) { m.claims["htm"] = "post" },
		"without htu":                         func(m *maker) { delete(m.claims, "htu") },
		"with htu of another endpoint":        func(m *maker) { m.claims["htu"] = "https://id.example.com/tenant/oauth2/userinfo" },
		"with htu of another host":            func(m *maker) { m.claims["htu"] = "https://evil.example.com/tenant/oauth2/token" },
		"with htu of another port":            func(m *maker) { m.claims["htu"] = "https://id.example.com:8443/tenant/oauth2/token" },
		"with htu of http":                    func(m *maker) { m.claims["htu"] = "http://id.example.com/tenant/oauth2/token" },
		"with htu that has a user":            func(m *maker) { m.claims["htu"] = "https://id.example.com@evil.example.com/tenant/oauth2/token" },
		"with htu that is only a path":        func(m *maker) { m.claims["htu"] = "/tenant/oauth2/token" },
		"with htu in another case":            func(m *maker) { m.claims["htu"] = "https://id.example.com/tenant/oauth2/TOKEN" },
		"with an encoded slash in htu":        func(m *maker) { m.claims["htu"] = "https://id.example.com/tenant%2Foauth2/token" },
		"without iat":                         func(m *maker) { delete(m.claims, "iat") },
		"with an iat that is text":            func(m *maker) { m.claims["iat"] = "1800000000" },
		"with a negative iat":                 func(m *maker) { m.claims["iat"] = -1 },
		"with an iat beyond all clocks":       func(m *maker) { m.claims["iat"] = 1e30 },
		"that is too old":                     func(m *maker) { m.claims["iat"] = moment.Add(-time.Minute).Unix() },
		"from the future":                     func(m *maker) { m.claims["iat"] = moment.Add(16 * time.Second).Unix() },
		"that has expired":                    func(m *maker) { m.claims["exp"] = moment.Unix() },
		"that is not valid yet":               func(m *maker) { m.claims["nbf"] = moment.Add(time.Minute).Unix() },
		"with claims that are a list":         func(m *maker) { m.tamper = func(s string) string { return replacePayload(s, "[]") } },
	}
	for name, change := range cases {
		t.Run(name, func(t *testing.T) {
			m := newMaker(t)
			change(m)
			_, err := dpop.Check([]string{m.make(t)}, request(), moment)
			require.ErrorIs(t, err, dpop.ErrInvalid)
		})
	}
}

func privateRSA(t testing.TB, m *maker) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	jwk := jwkOf(t, key.Public())
	jwk["p"] = b64(key.Primes[0].Bytes())
	m.alg, m.key, m.header["jwk"] = "RS256", key, jwk
}

func offCurve(jwk any) any {
	out := map[string]any{}
	if known, ok := jwk.(map[string]any); ok {
		for name, v := range known {
			out[name] = v
		}
	}
	out["y"] = out["x"]
	return out
}

func unsigned(proof string) string { return proof[:strings.LastIndexByte(proof, '.')+1] }

func replacePayload(proof, payload string) string {
	parts := strings.Split(proof, ".")
	parts[1] = b64([]byte(payload))
	return strings.Join(parts, ".")
}

func otherClaims(proof string) string {
	return replacePayload(proof, `{"jti":"two","htm":"POST","htu":"`+endpoint+`","iat":1800000000}`)
}

func asJSON(proof string) string {
	parts := strings.Split(proof, ".")
	return `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
}

func TestThereMustBeExactlyOneProof(t *testing.T) {
	m := newMaker(t)
	for _, header := range [][]string{nil, {m.make(t), m.make(t)}} {
		_, err := dpop.Check(header, request(), moment)
		require.ErrorIs(t, err, dpop.ErrInvalid)
	}
}

func TestClocksMayDifferByTenSeconds(t *testing.T) {
	for _, by := range []time.Duration{-10 * time.Second, 10 * time.Second, 500 * time.Millisecond} {
		m := newMaker(t)
		m.claims["iat"] = float64(moment.Add(by).UnixMilli()) / 1000
		proof, err := dpop.Check([]string{m.make(t)}, request(), moment)
		require.NoError(t, err)
		require.WithinDuration(t, moment.Add(by+time.Minute), proof.Until, time.Millisecond)
	}
}

func TestTheSameEndpointMayBeWrittenInOtherWays(t *testing.T) {
	for _, htu := range []string{
		"HTTPS://ID.Example.COM/tenant/oauth2/token",
		"https://id.example.com:443/tenant/oauth2/token",
		"https://id.example.com/tenant/oauth2/token?x=1",
		"https://id.example.com/tenant/oauth2/token#top",
		"https://id.example.com/tenant/oauth2/%74oken",
		"https://id.example.com/tenant/x/../oauth2/./token",
	} {
		m := newMaker(t)
		m.claims["htu"] = htu
		_, err := dpop.Check([]string{m.make(t)}, request(), moment)
		require.NoError(t, err, htu)
	}
}

func TestWithAnAccessTokenAProofNamesIt(t *testing.T) {
	const token = "kw_at_canary"
	sum := sha256.Sum256([]byte(token))
	r := dpop.Request{Method: "GET", URLs: []string{"https://id.example.com/other", endpoint}, AccessToken: token}
	m := newMaker(t)
	m.claims["htm"] = "GET"
	for name, ath := range map[string]any{"none": nil, "of another": b64(make([]byte, 32)), "itself": token, "number": 1} {
		m.claims["ath"] = ath
		_, err := dpop.Check([]string{m.make(t)}, r, moment)
		require.ErrorIs(t, err, dpop.ErrInvalid, name)
		require.NotContains(t, err.Error(), token)
	}
	m.claims["ath"] = b64(sum[:])
	_, err := dpop.Check([]string{m.make(t)}, r, moment)
	require.NoError(t, err)
}

func FuzzCheck(f *testing.F) {
	m := newMaker(f)
	f.Add(m.make(f), endpoint)
	f.Add("a.b.c", "https://[::1]:99/%2f/..")
	f.Add("e30.e30.", "//")
	f.Fuzz(func(t *testing.T, proof, url string) {
		got, err := dpop.Check([]string{proof}, dpop.Request{Method: "POST", URLs: []string{url}}, moment)
		if err != nil {
			require.ErrorIs(t, err, dpop.ErrInvalid)
			return
		}
		require.Len(t, got.Thumbprint, 43)
		require.NotEmpty(t, got.ID)
	})
}
