package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/config"
)

// site is one running Keyway, over TLS on a real socket, that the rows of
// conformance are asked of. Its clock stands still until a row moves it.
type site struct {
	URL     string
	Dir     string
	program *program
	clock   *clock
	log     *output
	roots   *x509.CertPool
	keys    map[string]any // of the client signer, by algorithm
	ledger
	mode string // the response_mode that every request asks for; "" for none
}

// ledger is every secret that went over the wire, and what it was.
type ledger struct {
	mu      *sync.Mutex
	secrets map[string]string
}

// The secrets and addresses of the site's clients.
const (
	siteSecret   = "site-secret-5d0c8f3e6b7a4c19b2e0-client"
	sitePassword = "correct-horse-canary-71"
	webReturn    = "https://app.example.com/callback"
	webBye       = "https://app.example.com/bye"
)

const siteConfig = siteTLS + siteRest

const siteTLS = `
tls: {certificate: cert.pem, key: key.pem}
`

const siteRest = `
database: keyway.db
secret: file:secret
log: {level: debug}
users_file: users.jsonl
passwords: {argon2: {memory_kib: 8, iterations: 1, parallelism: 1}}
registration: {mode: token}
lockout: {failures: 4, source_failures: 1000000}
clients:
  - {client_id: web, name: "Web <b>app</b>", secret: "file:client", grant_types: [authorization_code, refresh_token], scopes: &all [openid, profile, email, address, phone, offline_access, read],
     redirect_uris: ["https://app.example.com/callback", "https://app.example.com/callback?registered=1"], audience: ["https://api.example.com"],
     post_logout_redirect_uris: ["https://app.example.com/bye", "https://app.example.com/bye?x=1"]}
  - {client_id: second, auth_method: client_secret_post, secret: "file:client", grant_types: [authorization_code, refresh_token], scopes: *all, skip_consent: true,
     redirect_uris: ["https://second.example.com/callback"]}
  - {client_id: signer, auth_method: private_key_jwt, jwks: signer.json, grant_types: [authorization_code, refresh_token, client_credentials], scopes: *all, skip_consent: true,
     redirect_uris: ["https://signer.example.com/callback", "https://signer.example.com/other"]}
  - {client_id: es, auth_method: client_secret_basic, secret: "file:client", grant_types: [authorization_code, refresh_token, client_credentials], scopes: *all, skip_consent: true,
     redirect_uris: ["https://es.example.com/callback"], id_token_alg: ES256, access_token_format: at+jwt, audience: ["https://api.example.com"]}
  - {client_id: native, auth_method: none, grant_types: [authorization_code, refresh_token], scopes: *all, skip_consent: true,
     redirect_uris: ["http://127.0.0.1/callback", "http://[::1]:8080/callback", "com.example.app:/callback"]}
  - {client_id: machine, secret: "file:client", grant_types: [client_credentials, "urn:ietf:params:oauth:grant-type:jwt-bearer"], scopes: [openid, read], jwks: signer.json,
     may_introspect: true, may_revoke_legacy: true, may_exchange: true}
  - {client_id: tv, name: "TV app", auth_method: none, grant_types: ["urn:ietf:params:oauth:grant-type:device_code", refresh_token], scopes: *all}
  - {client_id: off, secret: "file:client", grant_types: [authorization_code], scopes: [openid], redirect_uris: ["https://off.example.com/callback"], disabled: true}
`

// sitePeople are the users; each has the same password.
const sitePeople = `
{"login_names":["alice","alice@example.com",{"directory":"crmcom/CRMDEMO","name":"alice"}],"email":"alice@example.com","email_verified":true,"status":"active","password":"PASSWORD","claims":{"name":"Alice Example","given_name":"Alice","family_name":"Example","middle_name":"B","nickname":"Al","preferred_username":"alice","profile":"https://alice.example.com","picture":"https://alice.example.com/p.png","website":"https://alice.example.com","gender":"female","birthdate":"1990-03-14","zoneinfo":"Europe/Berlin","locale":"en","address":{"formatted":"1 Road","locality":"Town"},"phone_number":"+15550100","phone_number_verified":false},"accounts":{"faveo":{"id":"7","attributes":{"user_name":"alice","role":"user"}},"ossn":{"id":"2","attributes":{}},"crmcom":{"id":"CRMDEMO/alice","attributes":{"organisation":"CRMDEMO","unit":"EE63A82C4FEBE02FF34E90DD1EBA5ABE"}},"payhub":{"id":"alice@example.com","attributes":{"apiKey":"DEMO-PAYHUB-APIKEY-ALICE"}}}}
{"login_names":["careful"],"status":"active","password":"PASSWORD"}
{"login_names":["bob"],"email":"bob@example.com","status":"active","password":"PASSWORD","claims":{"name":"Bob"}}
{"login_names":["locked"],"status":"active","password":"PASSWORD"}
{"login_names":["leaver"],"status":"active","password":"PASSWORD"}
{"login_names":["crafty"],"status":"active","password":"PASSWORD","claims":{"groups":["admin"],"scope_granted":"admin","name ":"x"}}
{"login_names":["craftier"],"status":"active","password":"PASSWORD","claims":{"sub":"alice","iss":"https://evil.example","aud":"web","amr":["mfa"]}}
{"login_names":["zoë","zoe"],"email":"zoe@example.com","status":"active","password":"PASSWORD","claims":{"name":"Zoë <script>alert(1)</script>","given_name":"Zoë"}}
`

// startSite starts a site that ends with the test, with its configuration
// changed.
func startSite(t *testing.T, change ...func(*config.Config)) *site {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s := newSite(t, "https://"+l.Addr().String())
	s.write(t, "keyway.yaml", "issuer: "+s.URL+"\nlisten: "+l.Addr().String()+siteConfig)
	cfg, _, err := config.Load(filepath.Join(s.Dir, "keyway.yaml"))
	require.NoError(t, err)
	for _, f := range change {
		f(cfg)
	}
	ctx, stop := context.WithCancel(context.Background())
	s.program, err = openAt(ctx, cfg, s.log, s.clock.Now)
	require.NoError(t, err)
	done := make(chan error, 1)
	go func() { done <- s.program.serve(ctx, l, nil) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		s.program.close()
	})
	return s
}

// newSite writes the files of a site that will be at the URL.
func newSite(t *testing.T, at string) *site {
	t.Helper()
	s := &site{
		URL: at, Dir: t.TempDir(), log: &output{}, ledger: ledger{&sync.Mutex{}, map[string]string{}},
		clock: &clock{now: time.Now().UTC().Truncate(time.Second)},
	}
	s.write(t, "users.jsonl", strings.TrimSpace(strings.ReplaceAll(sitePeople, "PASSWORD", sitePassword)))
	s.write(t, "secret", strings.Repeat("0123456789abcdef", 4))
	s.write(t, "client", siteSecret)
	s.makeKeys(t)
	return s
}

func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o600))
}

// makeKeys makes the site's certificate and the key of the client signer.
func (s *site) makeKeys(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "site"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: s.clock.Now().Add(-time.Hour), NotAfter: s.clock.Now().AddDate(1, 0, 0), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	s.write(t, "cert.pem", string(certificate))
	s.write(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	s.roots = x509.NewCertPool()
	require.True(t, s.roots.AppendCertsFromPEM(certificate))
	s.makeClientKeys(t)
}

// makeClientKeys makes the keys of the client signer, one for each algorithm
// that a client may sign with.
func (s *site) makeClientKeys(t *testing.T) {
	t.Helper()
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	prime, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	s.keys = map[string]any{"ES256": curve, "RS256": prime, "PS256": prime, "EdDSA": edwards}
	var set jose.JSONWebKeySet
	for alg, key := range s.keys {
		private := jose.JSONWebKey{Key: key, KeyID: "signer-" + alg, Algorithm: alg, Use: "sig"}
		set.Keys = append(set.Keys, private.Public())
	}
	public, err := json.Marshal(set)
	require.NoError(t, err)
	s.write(t, "signer.json", string(public))
}

// sign makes a JWT of the client signer.
func (s *site) sign(t *testing.T, typ string, claims map[string]any) string {
	t.Helper()
	return s.signWith(t, "ES256", typ, claims)
}

func (s *site) signWith(t *testing.T, alg, typ string, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithHeader("kid", "signer-"+alg)
	if typ != "" {
		options.WithType(jose.ContentType(typ))
	}
	require.Contains(t, s.keys, alg, "the client has no key for it")
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: s.keys[alg]}, options)
	require.NoError(t, err)
	payload, err := json.Marshal(claims)
	require.NoError(t, err)
	signed, err := signer.Sign(payload)
	require.NoError(t, err)
	compact, err := signed.CompactSerialize()
	require.NoError(t, err)
	return compact
}

// httpClient has cookies of its own and follows nothing by itself.
func (s *site) httpClient(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.roots, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{
		Jar: jar, Transport: transport, Timeout: time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
