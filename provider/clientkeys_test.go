package provider_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/outbound"
	"keyway/provider/store/storetest"
)

// keySite is where a client publishes its keys.
type keySite struct {
	*httptest.Server
	mu      sync.Mutex
	keys    map[string]crypto.Signer
	away    bool
	fetches int
}

func newKeySite(t *testing.T) *keySite {
	t.Helper()
	s := &keySite{keys: map[string]crypto.Signer{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.fetches++; s.away {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		var set jose.JSONWebKeySet
		for kid, k := range s.keys {
			set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.Public(), KeyID: kid})
		}
		_ = json.NewEncoder(w).Encode(set)
	}))
	t.Cleanup(s.Close)
	return s
}

// rotate makes a new key the only one.
func (s *keySite) rotate(t *testing.T, kid string) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keys = map[string]crypto.Signer{kid: key}
	return key
}

func (s *keySite) set(away bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.away = away
}

func (s *keySite) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fetches
}

// calling lets a provider make calls.
func calling(t *testing.T, o outbound.Options) func(*provider.Options) {
	t.Helper()
	calls, err := outbound.New(o)
	require.NoError(t, err)
	t.Cleanup(calls.Close)
	return func(p *provider.Options) { p.Outbound = calls }
}

// assertAs authenticates the client "pk" by a key with a kid.
func (w *world) assertAs(t *testing.T, kid string, key crypto.Signer) answer {
	t.Helper()
	jti, _ := client.NewSecret()
	assertion := signJWS(t, jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, nil, map[string]any{
		"iss": "pk", "sub": "pk", "aud": issuer, "jti": jti, "exp": w.clock.Now().Add(time.Minute).Unix(),
	})
	return w.post("/oauth2/token", "", url.Values{
		"grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	})
}

func (w *world) registerKeysAt(t *testing.T, uri string) {
	t.Helper()
	require.NoError(t, w.SaveClient(t.Context(), &provider.Client{
		ID: "pk", AuthMethod: provider.AuthPrivateKeyJWT, JWKSURI: uri, AuthAlg: "ES256",
		GrantTypes: []string{"client_credentials"}, Scopes: []string{"read"},
	}))
}

func TestDynamicOPJWKSURIIsFetched(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		site := newKeySite(t)
		first := site.rotate(t, "first")
		w.registerKeysAt(t, site.URL)
		for range 3 {
			a := w.assertAs(t, "first", first)
			require.Equal(t, http.StatusOK, a.status, a.raw)
		}
		require.Equal(t, 1, site.count())
		t.Run("RP key rotation with private_key_jwt works within a minute", func(t *testing.T) {
			second := site.rotate(t, "second")
			w.clock.add(time.Minute)
			a := w.assertAs(t, "second", second)
			require.Equal(t, http.StatusOK, a.status, a.raw)
			wantError(t, w.assertAs(t, "first", first), 401, "invalid_client")
			require.Equal(t, 2, site.count())
		})
		t.Run("unknown keys do not make us call again and again", func(t *testing.T) {
			for i := range 5 {
				wantError(t, w.assertAs(t, fmt.Sprint("unknown", i), first), 401, "invalid_client")
			}
			require.Equal(t, 2, site.count())
		})
		t.Run("a site that is away is an outage only when the keys are too old", func(t *testing.T) {
			third := site.rotate(t, "third")
			w.clock.add(time.Minute)
			require.Equal(t, http.StatusOK, w.assertAs(t, "third", third).status)
			site.set(true)
			w.clock.add(time.Hour)
			require.Equal(t, http.StatusOK, w.assertAs(t, "third", third).status)
			w.clock.add(25 * time.Hour)
			wantError(t, w.assertAs(t, "third", third), 503, "temporarily_unavailable")
		})
	}, calling(t, outbound.Options{AllowLoopback: true}))
}

func TestAttack14AJWKSURIThatPointsInwardsIsNeverCalled(t *testing.T) {
	site := newKeySite(t)
	key := site.rotate(t, "k")
	tls := httptest.NewTLSServer(site.Config.Handler)
	t.Cleanup(tls.Close)
	w := newWorld(t, storetest.SQLite(t), calling(t, outbound.Options{}))
	for _, uri := range []string{site.URL, tls.URL, "file:///etc/passwd", "https://169.254.169.254/latest", "https://[::1]/"} {
		w.registerKeysAt(t, uri)
		wantError(t, w.assertAs(t, "k", key), 503, "temporarily_unavailable")
	}
	require.Zero(t, site.count())
	w.options.Outbound = nil
	w.start(t)
	wantError(t, w.assertAs(t, "k", key), 503, "temporarily_unavailable")
}
