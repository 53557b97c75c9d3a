package oidc_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/oidc"
)

func TestAttack17AnIDTokenThatLiesIsRefused(t *testing.T) {
	lies := map[string]func(s *idp, c map[string]any){
		"of another issuer":                func(_ *idp, c map[string]any) { c["iss"] = "https://evil.example" },
		"for another client":               func(_ *idp, c map[string]any) { c["aud"] = "other" },
		"for many without azp":             func(_ *idp, c map[string]any) { c["aud"] = []string{clientID, "other"} },
		"of another authorized party":      func(_ *idp, c map[string]any) { c["azp"] = "other" },
		"with another nonce":               func(_ *idp, c map[string]any) { c["nonce"] = "other" },
		"without a nonce":                  func(_ *idp, c map[string]any) { delete(c, "nonce") },
		"that has expired":                 func(s *idp, c map[string]any) { c["exp"] = s.Now().Add(-2 * time.Minute).Unix() },
		"from the future":                  func(s *idp, c map[string]any) { c["iat"] = s.Now().Add(10 * time.Minute).Unix() },
		"from two days ago":                func(s *idp, c map[string]any) { c["iat"] = s.Now().Add(-48 * time.Hour).Unix() },
		"with another access token's hash": func(_ *idp, c map[string]any) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" },
		"without a subject":                func(_ *idp, c map[string]any) { c["sub"] = "" },
		"with an endless subject":          func(_ *idp, c map[string]any) { c["sub"] = strings.Repeat("a", 256) },
	}
	for name, lie := range lies {
		t.Run("an ID token "+name, func(t *testing.T) {
			s := newIDP(t)
			s.Lie = func(c map[string]any) { lie(s, c) }
			_, err := s.connector(t).Exchange(t.Context(), &s.attempt, s.back())
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
}

func TestAttack17ASignatureThatDoesNotHoldIsRefused(t *testing.T) {
	segment := base64.RawURLEncoding.EncodeToString
	unsigned := func(alg string) func(*idp, string) string {
		return func(_ *idp, signed string) string {
			return segment([]byte(`{"alg":"`+alg+`"}`)) + "." + strings.Split(signed, ".")[1] + "."
		}
	}
	lies := map[string]func(s *idp, signed string) string{
		"alg none":  unsigned("none"),
		"alg NoNe":  unsigned("NoNe"),
		"alg empty": unsigned(""),
		"HS256 with the public key": func(s *idp, signed string) string {
			der, _ := x509.MarshalPKIXPublicKey(s.Key())
			input := segment([]byte(`{"alg":"HS256","kid":"one"}`)) + "." + strings.Split(signed, ".")[1]
			mac := hmac.New(sha256.New, der)
			mac.Write([]byte(input))
			return input + "." + segment(mac.Sum(nil))
		},
		"a stranger's key under the same kid": func(_ *idp, signed string) string {
			other := newIDP(t)
			payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(signed, ".")[1])
			return other.SignRaw(payload, "JWT")
		},
		"a signature cut off": func(_ *idp, signed string) string { return signed[:strings.LastIndex(signed, ".")+1] },
		"a payload changed": func(_ *idp, signed string) string {
			p := strings.Split(signed, ".")
			return p[0] + "." + segment([]byte(`{"sub":"u2"}`)) + "." + p[2]
		},
		"a claim that stands twice": func(s *idp, _ string) string {
			return s.SignRaw([]byte(`{"iss":"`+s.URL+`","aud":"keyway","sub":"u1","sub":"u2","nonce":"`+s.attempt.Nonce+`","iat":1793534400,"exp":1793534460}`), "JWT")
		},
		"a token of 70 KiB": func(_ *idp, signed string) string { return signed + strings.Repeat("A", 70<<10) },
		"no token at all":   func(*idp, string) string { return "" },
	}
	for name, lie := range lies {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			s.Token = func(signed string) string { return lie(s, signed) }
			_, err := s.connector(t).Exchange(t.Context(), &s.attempt, s.back())
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
}

func TestAttack16And18AnAnswerOfAnotherTripIsRefused(t *testing.T) {
	s := newIDP(t)
	c := s.connector(t)
	for name, answer := range map[string]url.Values{
		"without state":                      s.back("state", ""),
		"with another state":                 s.back("state", "other"),
		"of another issuer (mix-up)":         s.back("iss", "https://evil.example"),
		"without a code":                     s.back("code", ""),
		"with a code of 9 KiB":               s.back("code", strings.Repeat("a", 9<<10)),
		"with a parameter that stands twice": {"code": {"c1", "c2"}, "state": {s.attempt.State}},
	} {
		t.Run("an answer "+name, func(t *testing.T) {
			_, err := c.Exchange(t.Context(), &s.attempt, answer)
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
			require.Empty(t, s.Asked["/token"], "nobody is asked about it")
		})
	}
	t.Run("an issuer that promised to name itself has to", func(t *testing.T) {
		s.Metadata = map[string]any{"authorization_response_iss_parameter_supported": true}
		c := s.connector(t)
		_, err := c.Exchange(t.Context(), &s.attempt, s.back())
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
		_, err = c.Exchange(t.Context(), &s.attempt, s.back("iss", s.URL))
		require.NoError(t, err)
	})
	t.Run("a refusal is told from an outage, and quotes nothing foreign", func(t *testing.T) {
		for code, kind := range map[string]upstream.Kind{
			"access_denied": upstream.Refused, "<script>": upstream.Refused, "temporarily_unavailable": upstream.Unavailable,
		} {
			_, err := c.Exchange(t.Context(), &s.attempt, s.back("error", code, "error_description", "<b>x</b>"))
			require.Equal(t, kind, upstream.KindOf(err))
			require.NotContains(t, err.Error(), "<")
		}
	})
}

func TestAttack21AnUpstreamThatDoesNotAnswerSensibly(t *testing.T) {
	for name, change := range map[string]func(*idp){
		"the token endpoint fails":         func(s *idp) { s.Status["/token"] = http.StatusInternalServerError },
		"the token endpoint is a page":     func(s *idp) { s.Body["/token"] = "<html>" },
		"half an answer":                   func(s *idp) { s.Body["/token"] = `{"access_token":"a","id_to` },
		"an answer of 200 KiB":             func(s *idp) { s.Body["/token"] = `{"access_token":"` + strings.Repeat("a", 200<<10) + `"}` },
		"metadata is missing":              func(s *idp) { s.Status["/.well-known/openid-configuration"] = http.StatusNotFound },
		"metadata of another issuer":       func(s *idp) { s.Metadata = map[string]any{"issuer": "https://evil.example"} },
		"metadata without keys":            func(s *idp) { s.Metadata = map[string]any{"jwks_uri": nil} },
		"keys at a private address":        func(s *idp) { s.Metadata = map[string]any{"jwks_uri": "https://169.254.169.254/jwks"} },
		"keys are gone from the beginning": func(s *idp) { s.Status["/jwks"] = http.StatusGone },
		"keys by a redirect inwards":       func(s *idp) { s.Status["/jwks"] = http.StatusFound },
	} {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			change(s)
			_, err := s.connector(t).Exchange(t.Context(), &s.attempt, s.back())
			require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "%v", err)
			require.NotContains(t, err.Error(), "<html>")
		})
	}
	t.Run("a slow one costs the time that is allowed", func(t *testing.T) {
		stop := make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
		defer slow.Close()
		defer close(stop)
		s := newIDP(t)
		calls, err := outbound.New(outbound.Options{AllowLoopback: true, Timeout: 50 * time.Millisecond})
		require.NoError(t, err)
		s.Metadata = map[string]any{"token_endpoint": slow.URL}
		_, err = s.connector(t, func(o *oidc.Options) { o.HTTP = calls.HTTP() }).Exchange(t.Context(), &s.attempt, s.back())
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
	})
}

func TestKeysAreFetchedSparingly(t *testing.T) {
	s := newIDP(t)
	begun := s.Now()
	c := s.connector(t)
	sign := func() error {
		_, err := c.Exchange(t.Context(), &s.attempt, s.back())
		return err
	}
	require.NoError(t, sign())
	require.NoError(t, sign())
	require.Equal(t, 1, s.Fetched())

	t.Run("tokens with made-up kids do not make us fetch each time", func(t *testing.T) {
		s.Token = func(string) string { return "eyJhbGciOiJFUzI1NiIsImtpZCI6InR3byJ9.e30.AAAA" }
		for range 20 {
			require.Equal(t, upstream.Untrusted, upstream.KindOf(sign()))
		}
		require.LessOrEqual(t, s.Fetched(), 2)
		s.Token = nil
	})
	t.Run("a new key is found, and the old ones outlive an outage of the key set", func(t *testing.T) {
		s.Now = func() time.Time { return begun.Add(time.Minute) }
		s.Rotate(t, "two")
		require.NoError(t, sign())
		s.Change(func() {
			s.Now = func() time.Time { return begun.Add(3 * time.Hour) }
			s.Status["/jwks"] = http.StatusInternalServerError
		})
		require.NoError(t, sign())
	})
	t.Run("metadata outlives an outage too", func(t *testing.T) {
		s.Change(func() { // the keys may still be being fetched behind our back
			s.Status["/.well-known/openid-configuration"] = http.StatusInternalServerError
			s.Now = func() time.Time { return begun.Add(9 * time.Hour) }
		})
		require.NoError(t, sign())
	})
}

func TestWhatIsRequired(t *testing.T) {
	s := newIDP(t)
	_, err := s.connector(t, func(o *oidc.Options) { o.RequireACR = []string{"platinum"} }).Exchange(t.Context(), &s.attempt, s.back())
	require.Equal(t, upstream.Refused, upstream.KindOf(err))
	_, err = s.connector(t, func(o *oidc.Options) { o.RequireACR = []string{"gold"} }).Exchange(t.Context(), &s.attempt, s.back())
	require.NoError(t, err)
	s.attempt.Fresh = true
	s.Lie = func(c map[string]any) { c["auth_time"] = s.Now().Add(-time.Hour).Unix() }
	_, err = s.connector(t).Exchange(t.Context(), &s.attempt, s.back())
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))

	for name, change := range map[string]func(*oidc.Options){
		"no issuer": func(o *oidc.Options) { o.Issuer = "" }, "no client": func(o *oidc.Options) { o.ClientID = "" },
		"a symmetric algorithm": func(o *oidc.Options) { o.Algorithms = []string{"HS256"} },
	} {
		t.Run(name+" is refused when the connector is made", func(t *testing.T) {
			o := oidc.Options{Issuer: "https://corp.example", ClientID: "a", RedirectURL: "https://b", HTTP: http.DefaultClient, Now: s.Now}
			change(&o)
			_, err := oidc.New(o)
			require.Error(t, err)
		})
	}
}
