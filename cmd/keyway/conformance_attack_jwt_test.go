package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// forgeries are ways to make a JWT look signed. Good is one that is, and set is
// the key set of whom it must look signed by.
func forgeries(t *testing.T, good, set string) map[string]string {
	t.Helper()
	parts := strings.Split(good, ".")
	require.Len(t, parts, 3)
	head := joseHeader(t, good)
	var keys struct{ Keys []map[string]any }
	require.NoError(t, json.Unmarshal([]byte(set), &keys))
	with := func(more map[string]any) string {
		h := maps.Clone(head)
		maps.Copy(h, more)
		b, err := json.Marshal(h)
		require.NoError(t, err)
		return base64.RawURLEncoding.EncodeToString(b) + "." + parts[1]
	}
	mac := func(input string, key []byte) string {
		m := hmac.New(sha256.New, key)
		m.Write([]byte(input))
		return input + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	symmetric := with(map[string]any{"alg": "HS256"})
	public, err := json.Marshal(keys.Keys[0])
	require.NoError(t, err)
	out := map[string]string{
		"alg none": with(map[string]any{"alg": "none"}) + ".", "alg None": with(map[string]any{"alg": "None"}) + ".",
		"alg NONE with the old signature": with(map[string]any{"alg": "NONE"}) + "." + parts[2],
		"HS256 with the public key":       mac(symmetric, public), "HS256 with the key set": mac(symmetric, []byte(set)), "HS256 with nothing": mac(symmetric, nil),
		"an emptied signature": parts[0] + "." + parts[1] + ".", "no signature": parts[0] + "." + parts[1],
		"another payload":        parts[0] + "." + outlived(t, parts[1]) + "." + parts[2],
		"a signature cut short":  good[:len(good)-4],
		"a signature and a word": good + "x",
	}
	for name, more := range map[string]map[string]any{
		"kid traversal": {"kid": "../../../../dev/null"}, "kid SQL": {"kid": "x' UNION SELECT 'AAAA' --"}, "kid of nobody": {"kid": "nobody"},
		"embedded jwk": {"jwk": keys.Keys[0]}, "jku": {"jku": "https://evil.example/jwks"}, "x5u": {"x5u": "https://evil.example/x5u"},
		"x5c": {"x5c": []string{"MIIB"}}, "crit": {"crit": []string{"exp"}}, "crit of nothing": {"crit": []string{}}, "b64": {"b64": false, "crit": []string{"b64"}},
	} {
		// Whoever forges has a key of their own; its signature is as good as any.
		out[name] = with(more) + "." + parts[2]
	}
	return out
}

// outlived is the payload with a longer life.
func outlived(t *testing.T, payload string) string {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(payload)
	require.NoError(t, err)
	claims := map[string]any{}
	require.NoError(t, json.Unmarshal(b, &claims))
	claims["exp"] = claims["exp"].(float64) + 1
	b, err = json.Marshal(claims)
	require.NoError(t, err)
	return base64.RawURLEncoding.EncodeToString(b)
}

// signatureAttacks present forged JWTs wherever one is taken.
func signatureAttacks(t *testing.T, s *site) {
	s.row(t, "attack 8: the genuine ones pass", func(v *visitor) {
		require.Equal(v, http.StatusOK, v.userinfo(v.tokens("es").text("access_token")).status)
		require.Equal(v, http.StatusOK, v.asserted(s.sign(v.T, "", s.assertion())).status)
	})
	first := s.visitor(t)
	issued, ours := first.tokens("es"), first.get("/oauth2/jwks").body
	access := forgeries(t, issued.text("access_token"), ours)
	hints := forgeries(t, issued.text("id_token"), ours)
	for name := range access {
		s.row(t, "attack 8: "+name, func(v *visitor) {
			v.userinfo(access[name]).fails(v.T, http.StatusUnauthorized, "invalid_token")
			require.Equal(v, map[string]any{"active": false}, v.introspects(access[name]))

			theirs := forgeries(v.T, s.sign(v.T, "", s.assertion()), readSite(v.T, s, "signer.json"))
			v.asserted(theirs[name]).fails(v.T, http.StatusUnauthorized, "invalid_client")

			v.refused(v.get(s.ask("web", "id_token_hint", hints[name])), "invalid_request")
			v.told(v.get("/oauth2/logout?id_token_hint=" + url.QueryEscape(hints[name])))
		})
	}
}

// asserted asks for a token with a client assertion.
func (v *visitor) asserted(assertion string) seen {
	v.Helper()
	return v.send(http.MethodPost, "/oauth2/token", url.Values{
		"grant_type": {"client_credentials"}, "client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		"client_id": {"signer"}, "client_assertion": {assertion},
	})
}
