// Package upstreamtest is an OpenID provider for tests, which tells the truth
// until a test makes it lie.
package upstreamtest

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
)

// IDP is an OpenID provider. Its fields are changed between calls, not during
// them; where somebody may be calling by themselves, within Change.
type IDP struct {
	*httptest.Server
	Now   func() time.Time
	Nonce string // that its ID tokens carry

	Metadata map[string]any              // members that differ; nil removes one
	Lie      func(claims map[string]any) // changes an ID token's claims
	Token    func(signed string) string  // what becomes of the ID token
	Userinfo map[string]any
	Status   map[string]int    // by path: the answer instead
	Body     map[string]string // by path: the body instead
	Answer   map[string]any    // further members of the token answer; nil removes one
	// Passwords are those of the people whom the resource-owner grant lets in, by
	// their addresses, which are their subjects too; nil lets everybody in as u1.
	Passwords map[string]string

	Asked   map[string]url.Values // by path: what was posted last
	Counted map[string]int        // by path: how often it was called
	Header  http.Header           // of the last call of the token endpoint

	mu      sync.Mutex
	key     *ecdsa.PrivateKey
	kid     string
	fetches int // of the key set
	family  *Family
}

// ClientID is whom the provider makes its ID tokens for.
const ClientID = "keyway"

// New starts a provider that ends with the test.
func New(t testing.TB) *IDP {
	t.Helper()
	s := &IDP{
		Now:    func() time.Time { return time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC) },
		Status: map[string]int{}, Body: map[string]string{}, Asked: map[string]url.Values{}, Counted: map[string]int{},
	}
	s.Rotate(t, "one")
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", s.serve(s.discovery))
	mux.HandleFunc("/jwks", s.serve(s.jwks))
	mux.HandleFunc("/token", s.serve(s.tokens))
	mux.HandleFunc("/userinfo", s.serve(func(*http.Request) any { return s.Userinfo }))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *IDP) serve(f func(*http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		s.dawdle(r)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.Asked[r.URL.Path] = r.PostForm
		s.Counted[r.URL.Path]++
		if status := s.Status[r.URL.Path]; status != 0 {
			if status == http.StatusFound {
				w.Header().Set("Location", "http://127.0.0.1:1/inwards")
			}
			if strings.HasPrefix(s.Body[r.URL.Path], "{") {
				w.Header().Set("Content-Type", "application/json")
			}
			w.WriteHeader(status)
			_, _ = w.Write([]byte(s.Body[r.URL.Path]))
			return
		}
		if body, ok := s.Body[r.URL.Path]; ok {
			_, _ = w.Write([]byte(body))
			return
		}
		if s.family != nil && r.URL.Path == "/token" && s.family.refuses(w, r.PostForm) {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if s.wrong(r.PostForm) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
			return
		}
		_ = json.NewEncoder(w).Encode(f(r))
	}
}

// wrong reports a password that is not somebody's.
func (s *IDP) wrong(form url.Values) bool {
	want, known := s.Passwords[form.Get("username")]
	return s.Passwords != nil && form.Get("grant_type") == "password" && (!known || form.Get("password") != want)
}

// Change changes the provider while nobody is answered.
func (s *IDP) Change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Fetched says how often the key set was fetched.
func (s *IDP) Fetched() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

// Rotate makes a new key.
func (s *IDP) Rotate(t testing.TB, kid string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s.Change(func() { s.key, s.kid = key, kid })
}

func (s *IDP) discovery(*http.Request) any {
	d := map[string]any{
		"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token",
		"jwks_uri": s.URL + "/jwks", "userinfo_endpoint": s.URL + "/userinfo", "end_session_endpoint": s.URL + "/logout?x=1",
		"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
	}
	merge(d, s.Metadata)
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

func (s *IDP) jwks(*http.Request) any {
	s.fetches++
	return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: s.key.Public(), KeyID: s.kid, Algorithm: "ES256", Use: "sig"}}}
}

func (s *IDP) tokens(r *http.Request) any {
	s.Header = r.Header.Clone()
	access := "access-" + rand.Text()
	sum := sha256.Sum256([]byte(access))
	claims := map[string]any{
		"iss": s.URL, "sub": "u1", "aud": ClientID, "iat": s.Now().Unix(), "exp": s.Now().Add(time.Minute).Unix(),
		"auth_time": s.Now().Unix(), "nonce": s.Nonce, "at_hash": base64.RawURLEncoding.EncodeToString(sum[:16]),
		"email": "alice@corp.example", "email_verified": true, "amr": []string{"pwd", "otp"}, "acr": "gold", "sid": "s1", "level": 9007199254740993,
	}
	if name := r.PostForm.Get("username"); s.Passwords != nil && name != "" {
		claims["sub"], claims["email"] = name, name
	}
	if s.Lie != nil {
		s.Lie(claims)
		merge(claims, maps.Clone(claims))
	}
	a := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": 60, "refresh_token": "refresh-2", "id_token": s.Sign(claims, "JWT")}
	if s.Token != nil {
		a["id_token"] = s.Token(a["id_token"].(string))
	}
	if s.family != nil {
		a["refresh_token"] = s.family.next()
	}
	merge(a, s.Answer)
	return a
}

// dawdle takes as long as a slow provider does.
func (s *IDP) dawdle(r *http.Request) {
	s.mu.Lock()
	f := s.family
	s.mu.Unlock()
	if f != nil && r.URL.Path == "/token" {
		time.Sleep(f.Slow)
	}
}

// Sign makes a compact JWS of claims.
func (s *IDP) Sign(claims map[string]any, typ string) string {
	body, _ := json.Marshal(claims)
	return s.SignRaw(body, typ)
}

// SignRaw makes a compact JWS of any payload.
func (s *IDP) SignRaw(body []byte, typ string) string {
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

// Key is the public key that verifies what is signed now.
func (s *IDP) Key() *ecdsa.PublicKey { return &s.key.PublicKey }
