package upstreamtest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// API is an upstream that speaks plain OAuth 2 and tells of its people as a GitHub
// server of one's own does, until a test makes it lie. Its fields are changed
// between calls; where somebody may be calling by themselves, within Change.
type API struct {
	*httptest.Server

	Body   map[string]string // by path: what is answered
	Status map[string]int    // by path: with which status; 302 leads inwards
	Header http.Header       // of answers with such a status
	Answer map[string]any    // further members of the token answer; nil removes one

	Asked  map[string]url.Values // by path: what was sent last
	Tokens map[string]bool       // access tokens that count

	mu         sync.Mutex
	challenges map[string]string // by code
}

// Secret is that of the client [ClientID].
const Secret = "p/w:1"

// NewAPI starts an upstream that ends with the test.
func NewAPI(t testing.TB) *API {
	t.Helper()
	s := &API{
		Body: map[string]string{
			"/api/v3/user": `{"id":9007199254740993,"login":"octo","name":"Octo Cat","email":"public@elsewhere.example","avatar_url":"https://img.example/1",
				"html_url":"https://github.example/octo","site_admin":false}`,
			"/api/v3/user/emails": `[{"email":"old@corp.example","primary":false,"verified":true},{"email":"octo@corp.example","primary":true,"verified":true}]`,
			"/api/v3/user/orgs":   `[{"login":"corp","id":42},{"login":"hobby","id":43}]`,
		},
		Status: map[string]int{}, Asked: map[string]url.Values{}, Tokens: map[string]bool{}, challenges: map[string]string{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/login/oauth/authorize", s.authorize)
	mux.HandleFunc("/login/oauth/access_token", s.locked(s.token))
	mux.HandleFunc("/api/v3/", s.locked(s.api))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

// authorize lets everybody in at once.
func (s *API) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	to, err := url.Parse(q.Get("redirect_uri"))
	if err != nil || q.Get("client_id") != ClientID || q.Get("code_challenge_method") != "S256" {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	to.RawQuery = url.Values{"code": {s.Code(q.Get("code_challenge"))}, "state": {q.Get("state")}}.Encode()
	http.Redirect(w, r, to.String(), http.StatusFound) //nolint:gosec // of a test
}

// Change changes the upstream while nobody is answered.
func (s *API) Change(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// Code is one that somebody has got who began with the challenge.
func (s *API) Code(challenge string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	code := rand.Text()
	s.challenges[code] = challenge
	return code
}

func (s *API) locked(f func(w http.ResponseWriter, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = r.ParseForm()
		s.Asked[r.URL.Path] = r.Form
		status := s.Status[r.URL.Path]
		if status == 0 {
			f(w, r)
			return
		}
		for name, v := range s.Header {
			w.Header()[name] = v
		}
		if status == http.StatusFound {
			w.Header().Set("Location", "http://169.254.169.254/inwards")
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(s.Body[r.URL.Path]))
	}
}

// token answers as GitHub does: with status 200, also where it refuses.
func (s *API) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if body, ok := s.Body[r.URL.Path]; ok {
		_, _ = w.Write([]byte(body))
		return
	}
	id, secret, basic := r.BasicAuth()
	secret, _ = url.QueryUnescape(secret)
	if !basic {
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	challenge, known := s.challenges[r.PostForm.Get("code")]
	delete(s.challenges, r.PostForm.Get("code"))
	sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	proved := known && challenge == base64.RawURLEncoding.EncodeToString(sum[:])
	refreshed := r.PostForm.Get("grant_type") == "refresh_token" && r.PostForm.Get("refresh_token") == "refresh-1"
	switch {
	case id != ClientID || secret != Secret:
		_, _ = w.Write([]byte(`{"error":"incorrect_client_credentials"}`))
		return
	case !proved && !refreshed:
		_, _ = w.Write([]byte(`{"error":"bad_verification_code","error_description":"<b>secret</b>"}`))
		return
	}
	access := rand.Text()
	s.Tokens[access] = true
	a := map[string]any{"access_token": access, "token_type": "bearer"}
	merge(a, s.Answer)
	_ = json.NewEncoder(w).Encode(a)
}

func (s *API) api(w http.ResponseWriter, r *http.Request) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if kind != "Bearer" || !s.Tokens[token] || r.URL.Query().Has("access_token") {
		http.Error(w, `{"message":"Bad credentials"}`, http.StatusUnauthorized)
		return
	}
	_, _ = w.Write([]byte(s.Body[r.URL.Path]))
}
