package provider_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/stretchr/testify/require"

	"keyway/adapter"
	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/pages"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/templates"
)

var _ adapter.Granter = (*provider.Provider)(nil)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	storetest.Main(m)
}

// onEach runs a test on every database.
func onEach(t *testing.T, f func(t *testing.T, w *world), change ...func(*provider.Options)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, newWorld(t, storetest.SQLite(t), change...)) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, newWorld(t, storetest.Postgres(t), change...)) })
}

const (
	issuer   = "https://id.example.com/tenant"
	password = "correct horse battery canary"
	legacyID = "legacy-faveo"
)

// clock stands still until it is moved.
type clock struct {
	sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.Lock()
	defer c.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) {
	c.Lock()
	defer c.Unlock()
	c.now = c.now.Add(d)
}

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	sync.Mutex
	bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.Lock()
	defer b.Unlock()
	return b.Buffer.Write(p)
}

func (b *safeBuffer) text() string {
	b.Lock()
	defer b.Unlock()
	return b.String()
}

// world is a provider over a real database, with one user and some clients.
type world struct {
	*provider.Provider
	store   *store.Store
	options provider.Options
	clock   *clock
	log     *safeBuffer
	hasher  *identity.Hasher
	engine  http.Handler
	alice   string            // her subject
	secrets map[string]string // by client id
}

func newWorld(t *testing.T, dsn string, change ...func(*provider.Options)) *world {
	t.Helper()
	w := &world{clock: &clock{now: time.Now().UTC().Truncate(time.Second)}, log: &safeBuffer{}, secrets: map[string]string{}}
	ctx := t.Context()
	var err error
	w.store, err = store.Open(ctx, store.Options{DSN: dsn, SealKey: bytes.Repeat([]byte{7}, 32), Now: w.clock.Now, Timeout: 3 * time.Second})
	require.NoError(t, err)
	t.Cleanup(func() { _ = w.store.Close() })
	hasher, err := identity.NewHasher(identity.HasherOptions{Memory: 1024, Time: 1})
	require.NoError(t, err)
	logger := slog.New(slog.NewJSONHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	local, err := identity.NewLocal(identity.LocalOptions{Users: w.store, Hasher: hasher, Logger: logger, Now: w.clock.Now})
	require.NoError(t, err)
	gate, err := identity.NewGate(identity.GateOptions{Attempts: w.store, Now: w.clock.Now, Failures: -1, SourceFailures: -1})
	require.NoError(t, err)
	signIn, err := identity.NewSignIn(identity.SignInOptions{Users: w.store, Gate: gate, Authenticator: local, Now: w.clock.Now})
	require.NoError(t, err)
	web, err := templates.Web()
	require.NoError(t, err)
	shown, err := pages.New(pages.Options{Files: web, Base: "/tenant"})
	require.NoError(t, err)
	w.options = provider.Options{
		Pages:  shown,
		Issuer: issuer, Storage: w.store, Users: w.store, SignIn: signIn, Gate: gate, Secrets: hasher,
		Secret: bytes.Repeat([]byte{9}, 32), Now: w.clock.Now, Log: logger,
	}
	w.options.Passwords, err = identity.NewPasswords(identity.PasswordsOptions{
		Users: w.store, Storage: w.store, SignIn: signIn, Hasher: hasher, Directory: "default", Now: w.clock.Now,
	})
	require.NoError(t, err)
	for _, f := range change {
		f(&w.options)
	}
	w.hasher = hasher
	w.seedUser(t, hasher)
	w.seedKeys(t)
	w.start(t)
	w.seedClients(t)
	return w
}

// firstKeys are made once in a test run: an RSA key takes longer than most tests.
var firstKeys struct {
	sync.Mutex
	keys []keys.Record
}

func (w *world) seedKeys(t *testing.T) {
	t.Helper()
	firstKeys.Lock()
	defer firstKeys.Unlock()
	if firstKeys.keys == nil {
		_, err := provider.New(t.Context(), w.options)
		require.NoError(t, err)
		firstKeys.keys, err = w.store.ListKeys(t.Context())
		require.NoError(t, err)
		return
	}
	require.NoError(t, w.store.UpdateKeys(t.Context(), func([]keys.Record) ([]keys.Record, error) {
		keys := slices.Clone(firstKeys.keys)
		for i := range keys {
			keys[i].CreatedAt, keys[i].ActiveAt = w.clock.Now(), w.clock.Now()
		}
		return keys, nil
	}))
}

// start makes a provider anew over the same database, as a restart does.
func (w *world) start(t *testing.T) {
	t.Helper()
	var err error
	w.Provider, err = provider.New(t.Context(), w.options)
	require.NoError(t, err)
	engine := gin.New()
	w.Mount(engine)
	w.engine = engine
}

func (w *world) seedUser(t *testing.T, hasher *identity.Hasher) {
	t.Helper()
	hash, err := hasher.Hash(t.Context(), password)
	require.NoError(t, err)
	done, err := w.store.SaveRecords(t.Context(), []identity.Record{{
		User: identity.User{
			Status: identity.StatusActive, Email: "alice@example.com", EmailVerified: true,
			Claims:     map[string]any{"given_name": "Alice", "phone_number": "+1555", "secret_note": "no claim"},
			LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}},
		},
		Credentials: []identity.RecordCredential{{Credential: identity.Credential{Slot: identity.SlotPassword, Hash: hash}}},
		Accounts:    []identity.Account{{System: "faveo", ID: "7", Attributes: map[string]any{"role": "agent", "units": []any{"a", "b"}}}},
	}})
	require.NoError(t, err)
	require.NoError(t, done[0].Err)
	w.alice = done[0].Subject
}

// seedBob adds somebody else, with the same password.
func (w *world) seedBob(t *testing.T) string {
	t.Helper()
	hash, err := w.hasher.Hash(t.Context(), password)
	require.NoError(t, err)
	done, err := w.store.SaveRecords(t.Context(), []identity.Record{{
		User:        identity.User{Status: identity.StatusActive, LoginNames: []identity.LoginName{{Directory: "default", Name: "bob"}}},
		Credentials: []identity.RecordCredential{{Credential: identity.Credential{Slot: identity.SlotPassword, Hash: hash}}},
	}})
	require.NoError(t, err)
	require.NoError(t, done[0].Err)
	return done[0].Subject
}

// seedClients saves every kind of client.
func (w *world) seedClients(t *testing.T) {
	t.Helper()
	all := []string{"openid", "profile", "email", "offline_access", "read", "write"}
	machine := []string{"client_credentials", "refresh_token"}
	for _, c := range []provider.Client{
		{ID: "app", AuthMethod: provider.AuthSecretBasic, GrantTypes: machine, Scopes: all},
		{ID: "other", AuthMethod: provider.AuthSecretPost, GrantTypes: machine, Scopes: all},
		{ID: "jwt", AuthMethod: provider.AuthSecretBasic, GrantTypes: machine, Scopes: all, AccessTokenFormat: provider.FormatATJWT},
		{ID: "api", AuthMethod: provider.AuthSecretBasic, MayIntrospect: true},
		{ID: "spa", AuthMethod: provider.AuthNone, GrantTypes: []string{"refresh_token"}, Scopes: all},
		{ID: legacyID, AuthMethod: provider.AuthAdapter, GrantTypes: []string{"password"}, System: "faveo"},
	} {
		if c.AuthMethod == provider.AuthSecretBasic || c.AuthMethod == provider.AuthSecretPost {
			secret, hash := client.NewSecret()
			w.secrets[c.ID], c.SecretHashes = secret, []string{hash}
		}
		require.NoError(t, w.SaveClient(t.Context(), &c))
	}
}

// answer is what an endpoint said.
type answer struct {
	status int
	header http.Header
	raw    string
	body   map[string]any
}

func (a answer) str(name string) string { s, _ := a.body[name].(string); return s }

func (w *world) do(r *http.Request) answer {
	rec := httptest.NewRecorder()
	w.engine.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a.body)
	return a
}

// post sends a form, authenticated as the client if it has a secret.
func (w *world) post(path, client string, form url.Values) answer {
	r := httptest.NewRequest(http.MethodPost, "/tenant"+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	switch {
	case client == "other":
		form = url.Values{"client_id": {client}, "client_secret": {w.secrets[client]}}
		return w.do(withForm(r, form))
	case w.secrets[client] != "":
		r.SetBasicAuth(client, w.secrets[client])
	case client != "":
		return w.do(withForm(r, url.Values{"client_id": {client}}))
	}
	return w.do(r)
}

// withForm adds to a form that was not sent yet.
func withForm(r *http.Request, more url.Values) *http.Request {
	var old bytes.Buffer
	_, _ = old.ReadFrom(r.Body)
	body := strings.Trim(old.String()+"&"+more.Encode(), "&")
	n := httptest.NewRequest(r.Method, r.URL.String(), strings.NewReader(body))
	n.Header = r.Header
	return n
}

func (w *world) introspect(token string) answer {
	return w.post("/oauth2/introspect", "api", url.Values{"token": {token}})
}

func (w *world) userinfo(token string) answer {
	r := httptest.NewRequest(http.MethodGet, "/tenant/oauth2/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+token)
	return w.do(r)
}

func (w *world) refresh(client, token string, more ...string) answer {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return w.post("/oauth2/token", client, form)
}

// login is a good legacy login.
func login() provider.PasswordGrant {
	return provider.PasswordGrant{
		Client:        legacyID,
		Credentials:   identity.Credentials{Directory: "default", Username: "alice", Password: password, System: "faveo"},
		AccountSystem: "faveo",
		Token:         provider.LegacyToken{Format: provider.FormatOpaque, Lifetime: time.Hour},
		RequestID:     "r1",
	}
}

// session issues a grant with a refresh token, as an authorization code would.
func (w *world) session(t *testing.T, client string, scopes ...string) (refresh, grant string) {
	t.Helper()
	s := &provider.Session{ClientID: client, AuthTime: w.clock.Now().Unix(), AMR: []string{"pwd"}}
	s.SetSubject(w.alice)
	return w.sessionOf(t, client, s, scopes...)
}

func (w *world) sessionOf(t *testing.T, id string, s *provider.Session, scopes ...string) (refresh, grant string) {
	t.Helper()
	if len(scopes) == 0 {
		scopes = []string{"openid", "email", "offline_access", "read"}
	}
	now := w.clock.Now()
	stored, err := s.Encode()
	require.NoError(t, err)
	refresh, _ = client.NewSecret()
	grant = "grant-" + refresh[:20]
	expires := now.Add(30 * 24 * time.Hour)
	require.NoError(t, w.store.Issue(t.Context(), &provider.Issue{
		GrantID: grant,
		NewGrant: &provider.GrantRecord{
			ID: grant, ClientID: id, Subject: w.alice, Origin: "authorization_code", Scopes: scopes,
			Session: stored, AuthTime: now, CreatedAt: now, ExpiresAt: expires,
		},
		Tokens: []provider.TokenRecord{{
			Hash: provider.HashToken(refresh), GrantID: grant, Kind: provider.KindRefresh, IssuedAt: now, ExpiresAt: expires,
		}},
	}))
	return refresh, grant
}

func (w *world) token(t *testing.T, token string) *provider.StoredToken {
	t.Helper()
	st, err := w.store.FindToken(context.WithoutCancel(t.Context()), provider.HashToken(token))
	require.NoError(t, err)
	return st
}

func wantError(t *testing.T, a answer, status int, code string) {
	t.Helper()
	require.Equal(t, status, a.status, a.raw)
	require.Equal(t, code, a.str("error"), a.raw)
}
