package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/binding"
	"keyway/provider/mtls"
	"keyway/provider/store/storetest"
)

// certified is a certificate with its key.
type certified struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// certify makes a certificate; without an issuer, one that signs itself.
func certify(t *testing.T, by *certified, name string, now time.Time) *certified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name, Organization: []string{"Acme"}},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), BasicConstraintsValid: true, IsCA: by == nil,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return &certified{cert, key}
}

// header is how a proxy passes the certificate on.
func (c *certified) header() string {
	return ":" + base64.StdEncoding.EncodeToString(c.cert.Raw) + ":"
}

func (c *certified) thumbprint() string { return mtls.Chain{c.cert}.Thumbprint() }

// withCertificates is a world behind a proxy that asks for certificates.
func withCertificates(t *testing.T) (w *world, authority *certified) {
	t.Helper()
	authority = certify(t, nil, "authority", time.Now())
	pool := x509.NewCertPool()
	pool.AddCert(authority.cert)
	return newWorld(t, storetest.SQLite(t), func(o *provider.Options) {
		o.Certificates = &binding.Certificates{
			Source: mtls.Source{Header: "Client-Cert", Proxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}, Authorities: pool,
			URL: "https://mtls.example.com/tenant",
		}
	}), authority
}

func x5t(v any) any {
	m, _ := v.(map[string]any)
	c, _ := m["cnf"].(map[string]any)
	return c["x5t#S256"]
}

func TestClientsAuthenticateByCertificates(t *testing.T) {
	w, authority := withCertificates(t)
	pay, other, own := certify(t, authority, "pay", time.Now()), certify(t, authority, "other", time.Now()), certify(t, nil, "own", time.Now())
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: own.key.Public(), Certificates: []*x509.Certificate{own.cert}}}})
	require.NoError(t, err)
	for _, c := range []provider.Client{
		{ID: "pay", AuthMethod: provider.AuthTLS, TLSSubjectDN: "CN=pay,O=Acme", CertificateBound: true, AccessTokenFormat: provider.FormatATJWT},
		{ID: "own", AuthMethod: provider.AuthSelfSignedTLS, JWKS: string(keys)},
	} {
		c.GrantTypes, c.Scopes = []string{"client_credentials"}, []string{"read"}
		require.NoError(t, w.SaveClient(t.Context(), &c))
	}
	t.Run("by subject, and bound", func(t *testing.T) {
		a := w.machine("pay", "Client-Cert", pay.header())
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.Equal(t, "Bearer", a.str("token_type"), "RFC 8705 has no type of its own")
		claims, err := w.Decode(t.Context(), a.str("access_token"))
		require.NoError(t, err)
		require.Equal(t, pay.thumbprint(), x5t(claims))
		require.Equal(t, pay.thumbprint(), x5t(w.introspect(a.str("access_token")).body))
	})
	t.Run("by a registered certificate, not bound", func(t *testing.T) {
		a := w.machine("own", "Client-Cert", own.header())
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.NotContains(t, w.introspect(a.str("access_token")).body, "cnf")
		same := w.postWith("/oauth2/introspect", "own", url.Values{"token": {a.str("access_token")}}, "Client-Cert", own.header())
		require.Equal(t, true, same.body["active"])
	})
	t.Run("the wrong certificate, none, or a header of a stranger", func(t *testing.T) {
		for client, wrong := range map[string][]*certified{"pay": {other, own}, "own": {pay, other}} {
			wantError(t, w.machine(client), http.StatusUnauthorized, "invalid_client")
			for _, c := range wrong {
				wantError(t, w.machine(client, "Client-Cert", c.header()), http.StatusUnauthorized, "invalid_client")
			}
		}
		wantError(t, w.machine("pay", "Client-Cert", "rubbish"), http.StatusUnauthorized, "invalid_client")
		r := httptest.NewRequest(http.MethodPost, "/tenant/oauth2/token", strings.NewReader("grant_type=client_credentials&client_id=pay"))
		r.RemoteAddr = "203.0.113.9:1000"
		r.Header.Set("Client-Cert", pay.header())
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		wantError(t, w.do(r), http.StatusUnauthorized, "invalid_client")
	})
	t.Run("a certificate does not stand in for a secret, nor a secret for a certificate", func(t *testing.T) {
		wantError(t, w.postWith("/oauth2/token", "", url.Values{"grant_type": {"client_credentials"}, "client_id": {"app"}}, "Client-Cert", pay.header()),
			http.StatusUnauthorized, "invalid_client")
		wantError(t, w.postWith("/oauth2/token", "", url.Values{"grant_type": {"client_credentials"}, "client_id": {"pay"}, "client_secret": {"x"}},
			"Client-Cert", pay.header()), http.StatusUnauthorized, "invalid_client")
	})
	t.Run("discovery says so", func(t *testing.T) {
		m := w.do(httptest.NewRequest(http.MethodGet, "/tenant/.well-known/openid-configuration", nil)).body
		require.Equal(t, true, m["tls_client_certificate_bound_access_tokens"])
		require.Contains(t, m["token_endpoint_auth_methods_supported"], "tls_client_auth")
		require.Contains(t, m["introspection_endpoint_auth_methods_supported"], "self_signed_tls_client_auth")
		aliases, _ := m["mtls_endpoint_aliases"].(map[string]any)
		require.Equal(t, "https://mtls.example.com/tenant/oauth2/token", aliases["token_endpoint"])
		require.Equal(t, "https://mtls.example.com/tenant/oauth2/userinfo", aliases["userinfo_endpoint"])
		plain := newWorld(t, storetest.SQLite(t)).do(httptest.NewRequest(http.MethodGet, "/tenant/.well-known/openid-configuration", nil)).body
		for _, name := range []string{"tls_client_certificate_bound_access_tokens", "mtls_endpoint_aliases"} {
			require.NotContains(t, plain, name)
		}
		require.NotContains(t, plain["token_endpoint_auth_methods_supported"], "tls_client_auth")
	})
	t.Run("a proof may be for the alias", func(t *testing.T) {
		h := w.newHolder(t)
		a := w.machine("app", "DPoP", h.proof(t, "POST", "", "htu", "https://mtls.example.com/tenant/oauth2/token"))
		require.Equal(t, "DPoP", a.str("token_type"), a.raw)
	})
}

func TestATokenBoundToACertificateIsWorthNothingWithout(t *testing.T) {
	w, authority := withCertificates(t)
	w.seedApps(t)
	spa, thief := certify(t, authority, "spa", time.Now()), certify(t, authority, "thief", time.Now())
	const uri = "https://bound.example.com/callback"
	require.NoError(t, w.SaveClient(t.Context(), &provider.Client{
		ID: "bound", AuthMethod: provider.AuthNone, GrantTypes: []string{"authorization_code", "refresh_token"},
		Scopes: []string{"openid", "offline_access"}, RedirectURIs: []string{uri}, SkipConsent: true, CertificateBound: true,
	}))
	code := w.newBrowser().signIn(t, ask("bound", "redirect_uri", uri, "scope", "openid offline_access")).Get("code")
	wantError(t, w.exchange("bound", code, uri), http.StatusBadRequest, "invalid_request")
	a := w.exchange("bound", code, uri, "Client-Cert", spa.header())
	require.Equal(t, http.StatusOK, a.status, a.raw)
	userinfo := func(headers ...string) answer {
		r := httptest.NewRequest(http.MethodGet, "/tenant/oauth2/userinfo", nil)
		r.Header.Set("Authorization", "Bearer "+a.str("access_token"))
		for i := 0; i+1 < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return w.do(r)
	}
	require.Equal(t, w.alice, userinfo("Client-Cert", spa.header()).str("sub"))
	wantError(t, userinfo(), http.StatusUnauthorized, "invalid_token")
	wantError(t, userinfo("Client-Cert", thief.header()), http.StatusUnauthorized, "invalid_token")
	wantError(t, userinfo("Client-Cert", "rubbish"), http.StatusUnauthorized, "invalid_token")

	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {a.str("refresh_token")}}
	wantError(t, w.postWith("/oauth2/token", "bound", refresh), http.StatusBadRequest, "invalid_request")
	wantError(t, w.postWith("/oauth2/token", "bound", refresh, "Client-Cert", thief.header()), http.StatusBadRequest, "invalid_grant")
	wantError(t, w.postWith("/oauth2/token", "bound", refresh, "Client-Cert", ":rubbish:"), http.StatusBadRequest, "invalid_request")
	require.Equal(t, http.StatusOK, w.postWith("/oauth2/token", "bound", refresh, "Client-Cert", spa.header()).status)
}
