package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

// The secrets of the measured program; it listens on loopback with made-up data.
const (
	serviceSecret = "kw_bench_service_secret_0123456789abcdef0123456789"
	faveoSecret   = "bench-faveo-jwt-secret-0123456789abcdef0123456789abcdef0123456789ab" //nolint:gosec // public, for a program on loopback
	password      = "correct-horse"
)

const configuration = `
issuer: http://%[1]s
listen: %[1]s
database: %[2]s
secret: env:KEYWAY_BENCH_SECRET
log: {level: error}
users_file: %[3]s
lockout: {failures: 1000000, source_failures: 1000000}
passwords: {keep_hashes: true, verified_cache: %[4]s, queue: 1000, wait: 30s}
clients:
  - client_id: service
    secret: env:KEYWAY_BENCH_SERVICE
    grant_types: [client_credentials, "urn:ietf:params:oauth:grant-type:token-exchange"]
    scopes: [read, openid]
    may_introspect: true
    may_exchange: true
  - client_id: service-jwt
    secret: env:KEYWAY_BENCH_SERVICE
    grant_types: [client_credentials]
    scopes: [read]
    access_token_format: at+jwt
  - client_id: app
    secret: env:KEYWAY_BENCH_SERVICE
    grant_types: [authorization_code, refresh_token]
    id_token_alg: ES256
    redirect_uris: ["http://127.0.0.1/callback"]
    scopes: [openid, profile, email, offline_access]
  - client_id: own
    secret: env:KEYWAY_BENCH_SERVICE
    grant_types: [authorization_code]
    id_token_alg: ES256
    skip_consent: true
    redirect_uris: ["http://127.0.0.1/callback"]
    scopes: [openid, profile, email]
  - client_id: box
    auth_method: none
    grant_types: ["urn:ietf:params:oauth:grant-type:device_code"]
    id_token_alg: ES256
    scopes: [openid]
systems:
  - name: faveo
    template: faveo
    profile: "2.0"
    lifetime: 1h
    sunset: 2099-01-01
    owner: bench
    settings: {jwt_secret: env:KEYWAY_BENCH_FAVEO, rate_limit: 0}
`

// instance is one configured Keyway: its files and where it will listen.
type instance struct {
	Address string
	File    string
	Dir     string
	Log     string
}

// environment is what the configuration's references resolve to.
func environment() []string {
	return []string{
		"KEYWAY_BENCH_SECRET=" + strings.Repeat("bench-secret-", 4), "KEYWAY_BENCH_SERVICE=" + serviceSecret,
		"KEYWAY_BENCH_FAVEO=" + faveoSecret, "GIN_MODE=release",
	}
}

// configure writes the configuration and users of one run into dir.
func configure(dir, dsn, cache string) (*instance, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	users := filepath.Join(dir, "users.jsonl")
	if err := writeUsers(users); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "keyway.yaml")
	text := fmt.Sprintf(configuration, address, dsn, users, cache)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return &instance{Address: address, File: file, Dir: dir, Log: filepath.Join(dir, "log")}, nil
}

// writeUsers writes one user with today's hash and one with a trivial one, so
// that everything but the hash can be told from the hash.
func writeUsers(file string) error {
	cheap, err := bcrypt.GenerateFromPassword([]byte(password), 4)
	if err != nil {
		return err
	}
	full, err := newHash(password)
	if err != nil {
		return err
	}
	line := `{"login_names":[%q],"email":"%s@example.com","email_verified":true,"status":"active","password_hash":%q,` +
		`"claims":{"given_name":"Bench","family_name":"User"},"accounts":{"faveo":{"id":%q,"attributes":{"role":"user"}}}}` + "\n"
	text := fmt.Sprintf(line, "full", "full", full, "1") + fmt.Sprintf(line, "cheap", "cheap", string(cheap), "2")
	return os.WriteFile(file, []byte(text), 0o600)
}

// newHash is an argon2id hash with the parameters that Keyway uses by default.
func newHash(password string) (string, error) {
	salt := make([]byte, 16)
	if _, err := rand.Read(salt); err != nil {
		return "", err
	}
	key := argon2.IDKey([]byte(password), salt, 2, 19456, 1, 32)
	b64 := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=19456,t=2,p=1$%s$%s", b64.EncodeToString(salt), b64.EncodeToString(key)), nil
}

// seedRefresh stores n grants of the client app with a refresh token each, as
// the authorization endpoint would, and returns the tokens.
func seedRefresh(ctx context.Context, dsn string, n int) ([]string, error) {
	s, err := store.Open(ctx, store.Options{DSN: dsn, Now: time.Now})
	if err != nil {
		return nil, err
	}
	defer s.Close() //nolint:errcheck // the process reports what matters
	login, err := s.FindLogin(ctx, "default", "cheap")
	if err != nil {
		return nil, err
	}
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = "kw_rt_" + rand.Text() + rand.Text()
		if err := seedOne(ctx, s, login.User, tokens[i]); err != nil {
			return nil, err
		}
	}
	return tokens, nil
}

func seedOne(ctx context.Context, s *store.Store, u identity.User, token string) error {
	now := time.Now()
	session := &provider.Session{Username: "cheap", AuthTime: now.Unix(), AMR: []string{"pwd"}}
	session.SetSubject(u.Subject)
	encoded, err := session.Encode()
	if err != nil {
		return err
	}
	id := rand.Text()
	return s.Issue(ctx, &provider.Issue{
		GrantID: id,
		NewGrant: &provider.GrantRecord{
			ID: id, ClientID: "app", Subject: u.Subject, Origin: "authorization_code", Scopes: []string{"openid", "offline_access"},
			Session: encoded, AuthTime: now, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour),
		},
		Tokens: []provider.TokenRecord{{
			Hash: provider.HashToken(token), GrantID: id, Kind: provider.KindRefresh, IssuedAt: now, ExpiresAt: now.Add(24 * time.Hour),
		}},
	})
}
