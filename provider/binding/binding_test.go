package binding_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/binding"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/wire"
)

const (
	issuer = "https://id.example.com"
	path   = "/oauth2/par"
)

func TestMain(m *testing.M) {
	gin.SetMode(gin.TestMode)
	storetest.Main(m)
}

func TestBind(t *testing.T) {
	proof, cert := binding.Key{Proof: "p"}, binding.Key{Certificate: "c"}
	both := binding.Key{Proof: "p", Certificate: "c"}
	for _, c := range []struct {
		name   string
		shown  binding.Key
		demand binding.Demand
		want   *binding.Key
		code   string
	}{
		{"nothing shown, nothing demanded", binding.Key{}, binding.Demand{}, nil, ""},
		{"a proof binds whoever shows it", proof, binding.Demand{}, &proof, ""},
		{"a certificate binds who asked for it", cert, binding.Demand{Certificate: true}, &cert, ""},
		{"a certificate that only authenticates does not", cert, binding.Demand{}, nil, ""},
		{"both", both, binding.Demand{Certificate: true, Proof: true}, &both, ""},
		{"a proof is missing", cert, binding.Demand{Proof: true}, nil, "invalid_dpop_proof"},
		{"a certificate is missing", proof, binding.Demand{Certificate: true}, nil, "invalid_request"},
		{"the same key again", proof, binding.Demand{Held: &proof, Keep: true}, &proof, ""},
		{"another key", binding.Key{Proof: "q"}, binding.Demand{Held: &proof, Keep: true}, nil, "invalid_grant"},
		{"no key any more", binding.Key{}, binding.Demand{Held: &proof, Keep: true}, nil, "invalid_dpop_proof"},
		{"the same certificate again, asked for or not", cert, binding.Demand{Held: &cert, Keep: true}, &cert, ""},
		{"another certificate", binding.Key{Certificate: "d"}, binding.Demand{Held: &cert, Keep: true}, nil, "invalid_grant"},
		{"no certificate any more", proof, binding.Demand{Held: &cert, Keep: true}, nil, "invalid_request"},
		{"one of two", proof, binding.Demand{Held: &both, Keep: true}, nil, "invalid_request"},
		{"what need not be kept may change", binding.Key{Proof: "q"}, binding.Demand{Held: &proof}, &binding.Key{Proof: "q"}, ""},
		{"or end", binding.Key{}, binding.Demand{Held: &both}, nil, ""},
	} {
		got, err := binding.Bind(c.shown, c.demand)
		require.Equal(t, c.want, got, c.name)
		if c.code == "" {
			require.NoError(t, err, c.name)
			continue
		}
		var e *wire.Error
		require.ErrorAs(t, err, &e, c.name)
		require.Equal(t, c.code, e.Code, c.name)
		require.Equal(t, http.StatusBadRequest, e.Status, c.name)
	}
}

func TestKeysAreEqualByWhatTheyAre(t *testing.T) {
	var none *binding.Key
	one, same := &binding.Key{Proof: "p"}, &binding.Key{Proof: "p"}
	require.True(t, none.Equal(nil))
	require.True(t, one.Equal(same))
	require.False(t, one.Equal(nil))
	require.False(t, none.Equal(one))
	require.False(t, one.Equal(&binding.Key{Proof: "p", Certificate: "c"}))
	require.Equal(t, "Bearer", none.TokenType())
	require.Equal(t, "Bearer", (&binding.Key{Certificate: "c"}).TokenType())
	require.Equal(t, "DPoP", one.TokenType())
}

func newBinder(t *testing.T) (*binding.Binder, *store.Store) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{DSN: storetest.SQLite(t), SealKey: make([]byte, 32), Now: time.Now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	b, err := binding.New(binding.Options{Issuer: issuer, Secret: make([]byte, 32), Remember: s.RememberOnce, Now: time.Now})
	require.NoError(t, err)
	return b, s
}

// prover makes a new proof of one key at every call.
func prover(t *testing.T) func() string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{EmbedJWK: true}).WithType("dpop+jwt"))
	require.NoError(t, err)
	n := 0
	return func() string {
		n++
		payload, err := json.Marshal(map[string]any{"jti": strconv.Itoa(n), "htm": "POST", "htu": issuer + path, "iat": time.Now().Unix()})
		require.NoError(t, err)
		jws, err := signer.Sign(payload)
		require.NoError(t, err)
		out, err := jws.CompactSerialize()
		require.NoError(t, err)
		return out
	}
}

func request(method, body string, headers ...string) *gin.Context {
	c, _ := gin.CreateTestContext(httptest.NewRecorder())
	c.Request = httptest.NewRequest(method, path, strings.NewReader(body)).WithContext(context.Background())
	if body != "" {
		c.Request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		c.Request.Header.Add(headers[i], headers[i+1])
	}
	return c
}

func TestAPushedRequestIsBoundToItsProof(t *testing.T) {
	b, s := newBinder(t)
	proof := prover(t)
	values := url.Values{}
	require.NoError(t, b.Pushed(request("POST", ""), path, values))
	require.Empty(t, values, "without a proof there is nothing to bind to")
	require.NoError(t, b.Pushed(request("POST", "", "DPoP", proof()), path, values))
	require.Len(t, values.Get("dpop_jkt"), 43)
	require.NoError(t, b.Pushed(request("POST", "", "DPoP", proof()), path, values), "both say the same")
	var e *wire.Error
	require.ErrorAs(t, b.Pushed(request("POST", "", "DPoP", prover(t)()), path, values), &e)
	require.Equal(t, "invalid_dpop_proof", e.Code)
	require.ErrorAs(t, b.Pushed(request("POST", "", "DPoP", proof()), "/oauth2/token", values), &e)
	require.Equal(t, "invalid_dpop_proof", e.Code, "a proof is for one endpoint")
	require.NoError(t, s.Close())
	err := b.Pushed(request("POST", "", "DPoP", proof()), path, values)
	require.Equal(t, http.StatusServiceUnavailable, wire.From(err).Status, "an outage is no judgement")
}

func TestWhereATokenIsRead(t *testing.T) {
	for _, c := range []struct {
		name            string
		c               *gin.Context
		scheme, token   string
		status          int
		code, challenge string
	}{
		{"Bearer", request("GET", "", "Authorization", "bEaReR t"), "Bearer", "t", 0, "", ""},
		{"DPoP", request("GET", "", "Authorization", "dpop t"), "DPoP", "t", 0, "", ""},
		{"body", request("POST", "access_token=t"), "Bearer", "t", 0, "", ""},
		{"nothing", request("GET", ""), "", "", 401, "invalid_token", "Bearer"},
		{"another header", request("GET", "", "X", "y"), "", "", 401, "invalid_token", "Bearer"},
		{"another scheme", request("GET", "", "Authorization", "Basic x"), "", "", 401, "invalid_token", "Bearer"},
		{"twice", request("GET", "", "Authorization", "Bearer a", "Authorization", "DPoP a"), "", "", 400, "invalid_request", ""},
		{"header and body", request("POST", "access_token=t", "Authorization", "DPoP t"), "", "", 400, "invalid_request", ""},
		{"empty", request("GET", "", "Authorization", "DPoP "), "", "", 401, "invalid_token", "DPoP"},
		{"method", request("PUT", "", "Authorization", "DPoP t"), "", "", 405, "invalid_request", ""},
	} {
		got, err := binding.Token(c.c)
		require.Equal(t, binding.Presented{Scheme: c.scheme, Token: c.token}, got, c.name)
		if c.status == 0 {
			require.NoError(t, err, c.name)
			continue
		}
		var e *wire.Error
		require.ErrorAs(t, err, &e, c.name)
		require.Equal(t, []any{c.status, c.code, c.challenge}, []any{e.Status, e.Code, e.Challenge}, c.name)
	}
}

func TestJudgementsOfATokenNameItsScheme(t *testing.T) {
	var e *wire.Error
	shown := binding.Presented{Scheme: "DPoP", Token: "t"}
	require.ErrorAs(t, shown.Refuse("insufficient_scope", nil), &e)
	require.Equal(t, []any{403, "DPoP"}, []any{e.Status, e.Challenge})
	require.NotEmpty(t, e.Algorithms)
	require.ErrorAs(t, shown.Judge(wire.Of("invalid_grant", errors.New("locked"))), &e)
	require.Equal(t, []any{401, "invalid_token"}, []any{e.Status, e.Code})
	require.Equal(t, http.StatusInternalServerError, wire.From(shown.Judge(errors.New("broken"))).Status)
}

func TestMethodsAndAliases(t *testing.T) {
	var none *binding.Certificates
	require.Empty(t, none.Methods())
	require.Nil(t, none.Aliases(map[string]string{"token_endpoint": "/t"}))
	require.Nil(t, (&binding.Certificates{}).Aliases(map[string]string{"token_endpoint": "/t"}))
	require.Equal(t, []string{"self_signed_tls_client_auth"}, (&binding.Certificates{}).Methods(), "there is no authority")
}
