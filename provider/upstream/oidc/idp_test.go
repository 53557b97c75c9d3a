package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/oidc"
)

// idp is an OpenID provider that tells the truth until a test makes it lie.
type idp struct {
	*httptest.Server
	now func() time.Time

	mu       sync.Mutex
	key      *ecdsa.PrivateKey
	kid      string
	fetches  int            // of the key set
	metadata map[string]any // members that differ; nil removes one
	lie      func(claims map[string]any)
	token    func(signed string) string // what becomes of the ID token
	userinfo map[string]any
	status   map[string]int // by path: the answer instead
	body     map[string]string
	asked    map[string]url.Values // by path: what was posted last
	auth     http.Header           // of the last call of the token endpoint
	answer   map[string]any        // further members of the token answer
	attempt  upstream.Attempt
}

const (
	clientID    = "keyway"
	redirectURL = "https://keyway.example/login/callback/corp"
)

func newIDP(t *testing.T) *idp {
	t.Helper()
	s := &idp{
		now:    func() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) },
		status: map[string]int{}, body: map[string]string{}, asked: map[string]url.Values{}, attempt: upstream.NewAttempt(),
	}
	s.rotate(t, "one")
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", s.serve(s.discovery))
	mux.HandleFunc("/jwks", s.serve(s.jwks))
	mux.HandleFunc("/token", s.serve(s.tokens))
	mux.HandleFunc("/userinfo", s.serve(func(*http.Request) any { return s.userinfo }))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *idp) serve(f func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = r.ParseForm()
		s.asked[r.URL.Path] = r.PostForm
		if status := s.status[r.URL.Path]; status != 0 {
			if status == http.StatusFound {
				w.Header().Set("Location", "http://127.0.0.1:1/inwards")
			}
			if strings.HasPrefix(s.body[r.URL.Path], "{") {
				w.Header().Set("Content-Type", "application/json")
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(s.body[r.URL.Path]))
			return
		}
		if body, ok := s.body[r.URL.Path]; ok {
			_, _ = w.Write([]byte(body))
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(f(r))
	}
}

func (s *idp) rotate(t *testing.T, kid string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s.key, s.kid = key, kid
}

func (s *idp) discovery(*http.Request) any {
	d := map[string]any{
		"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
		"jwks_uri": s.URL + "/jwks", "userinfo_endpoint": s.URL + "/userinfo", "end_session_endpoint": s.URL + "/logout?x=1",
		"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
	}
	merge(d, s.metadata)
	return d
}

func merge(to, from map[string]any) {
	maps.Copy(to, from)
	for name, v := range from {
		if v == nil {
			delete(to, name)
		}
	}
}

func (s *idp) jwks(*http.Request) any {
	s.fetches++
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: s.kid, Algorithm: "ES256", Use: "sig"}}}
}

func (s *idp) tokens(r *http.Request) any {
	s.auth = r.Header.Clone()
	access := "access-" + rand.Text()
	sum := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": s.URL, "sub": "u1", "aud": clientID, "iat": s.now().Unix(), "exp": s.now().Add(time.Minute).Unix(),
		"auth_time": s.now().Unix(), "nonce": s.attempt.Nonce, "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
		"email": "alice@corp.example", "email_verified": true, "amr": []string{"pwd", "otp"}, "acr": "gold", "sid": "s1", "level": 9007199254740993,
	}
	if s.lie != nil {
		s.lie(claims)
		merge(claims, maps.Clone(claims))
	}
	a := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 60, "refresh_token": "refresh-2", "id_token": s.sign(claims, "JWT")}
	if s.token != nil {
		a["id_token"] = s.token(a["id_token"].(string))
	}
	merge(a, s.answer)
	return a
}

func (s *idp) sign(claims map[string]any, typ string) string {
	body, _ := json.Marshal(claims)
	return s.signRaw(body, typ)
}

func (s *idp) signRaw(body []byte, typ string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: s.key, KeyID: s.kid}},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)))
	if err != nil {
		return err.Error()
	}
	jws, err := signer.Sign(body)
	if err != nil {
		return err.Error()
	}
	compact, _ := jws.CompactSerialize()
	return compact
}

func (s *idp) connector(t *testing.T, change ...func(*oidc.Options)) *oidc.Connector {
	t.Helper()
	calls, err := outbound.New(outbound.Options{AllowLoopback: true, Timeout: time.Second, MaxBytes: 128 << 10})
	require.NoError(t, err)
	o := oidc.Options{
		Issuer: s.URL, ClientID: clientID, ClientSecret: "p/w:1", RedirectURL: redirectURL, HTTP: calls.HTTP(),
		Now: func() time.Time { return s.now() },
	}
	for _, f := range change {
		f(&o)
	}
	c, err := oidc.New(o)
	require.NoError(t, err)
	return c
}

func (s *idp) back(values ...string) url.Values {
	q := url.Values{"code": {"c1"}, "state": {s.attempt.State}}
	for i := 0; i+1 < len(values); i += 2 {
		q.Set(values[i], values[i+1])
		if values[i+1] == "" {
			q.Del(values[i])
		}
	}
	return q
}
