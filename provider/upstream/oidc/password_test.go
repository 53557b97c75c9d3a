package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/oidc"
)

func login() *upstream.Login {
	return &upstream.Login{Username: "alice@corp.example", Password: "p&w=1 ü"}
}

func TestAPasswordIsJudgedByItsGrant(t *testing.T) {
	s := newIDP(t)
	p, err := s.connector(t).Verify(t.Context(), login())
	require.NoError(t, err)
	require.Equal(t, []string{s.URL, "u1", "refresh-2"}, []string{p.Issuer, p.Subject, p.RefreshToken})
	require.Equal(t, "alice@corp.example", p.Claims["email"])
	asked := s.Asked["/token"]
	require.Equal(t, "password", asked.Get("grant_type"))
	require.Equal(t, "alice@corp.example", asked.Get("username"))
	require.Equal(t, "p&w=1 ü", asked.Get("password"))
	require.Equal(t, "openid profile email", asked.Get("scope"))
	require.NotContains(t, asked, "code")
	_, _, basic := (&http.Request{Header: s.Header}).BasicAuth()
	require.True(t, basic)
}

func TestAPasswordIsJudgedByAClientWithAKey(t *testing.T) {
	s := newIDP(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	_, err = s.connector(t, func(o *oidc.Options) {
		o.ClientSecret, o.Key = "", &jose.JSONWebKey{Key: key, KeyID: "k", Algorithm: "ES256"}
	}).Verify(t.Context(), login())
	require.NoError(t, err)
	asked := s.Asked["/token"]
	require.NotEmpty(t, asked.Get("client_assertion"))
	require.Equal(t, []string{"password"}, asked["grant_type"])
	require.Equal(t, "p&w=1 ü", asked.Get("password"))
}

func TestWithoutAnIDTokenUserinfoSaysWho(t *testing.T) {
	s := newIDP(t)
	s.Answer = map[string]any{"id_token": nil}
	s.Userinfo = map[string]any{"sub": "u7", "email": "seven@corp.example"}
	p, err := s.connector(t).Verify(t.Context(), login())
	require.NoError(t, err)
	require.Equal(t, []string{s.URL, "u7"}, []string{p.Issuer, p.Subject})
	require.Equal(t, "seven@corp.example", p.Claims["email"])
	for name, c := range map[string]struct {
		userinfo map[string]any
		change   func(*oidc.Options)
	}{
		"nobody":                                {userinfo: map[string]any{"email": "seven@corp.example"}},
		"a subject without end":                 {userinfo: map[string]any{"sub": strings.Repeat("u", 300)}},
		"nothing of a context that is required": {map[string]any{"sub": "u7"}, func(o *oidc.Options) { o.RequireACR = []string{"gold"} }},
	} {
		s.Userinfo = c.userinfo
		var changes []func(*oidc.Options)
		if c.change != nil {
			changes = append(changes, c.change)
		}
		_, err = s.connector(t, changes...).Verify(t.Context(), login())
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err), name)
	}
	s.Metadata = map[string]any{"userinfo_endpoint": nil}
	_, err = s.connector(t).Verify(t.Context(), login())
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
}

func TestWhatATokenEndpointSaysOfAPassword(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   upstream.Kind
	}{
		"a wrong one":                    {400, `{"error":"invalid_grant","error_description":"Invalid user credentials"}`, upstream.Wrong},
		"as Keycloak does":               {401, `{"error":"invalid_grant","error_description":"Invalid user credentials"}`, upstream.Wrong},
		"nobody, by Entra ID":            {400, `{"error":"invalid_grant","error_codes":[50034]}`, upstream.Unknown},
		"wrong, by Entra ID":             {400, `{"error":"invalid_grant","error_codes":[50126]}`, upstream.Wrong},
		"locked, by Entra ID":            {400, `{"error":"invalid_grant","error_codes":[50053]}`, upstream.Locked},
		"expired, by Entra ID":           {400, `{"error":"invalid_grant","error_codes":[50055]}`, upstream.Expired},
		"disabled, by Entra ID":          {400, `{"error":"invalid_grant","error_codes":[50057]}`, upstream.Disabled},
		"a second factor, by Entra ID":   {400, `{"error":"interaction_required","error_codes":[50076]}`, upstream.Disabled},
		"a second factor, by Auth0":      {403, `{"error":"mfa_required","mfa_token":"x"}`, upstream.Disabled},
		"numbers that are none":          {400, `{"error":"invalid_grant","error_codes":"50034"}`, upstream.Wrong},
		"no":                             {403, `{"error":"access_denied"}`, upstream.Refused},
		"that we are somebody else":      {401, `{"error":"invalid_client"}`, upstream.Unavailable},
		"that we may not":                {400, `{"error":"unauthorized_client"}`, upstream.Unavailable},
		"that nobody may":                {400, `{"error":"unsupported_grant_type"}`, upstream.Unavailable},
		"that we asked too often":        {429, `{"error":"slow_down"}`, upstream.Unavailable},
		"that it is broken":              {503, `{"error":"invalid_grant"}`, upstream.Unavailable},
		"a page":                         {400, `<html>`, upstream.Unavailable},
		"a redirect inwards":             {302, ``, upstream.Unavailable},
		"yes, by a page":                 {200, `<html>`, upstream.Unavailable},
		"yes, with a token of somebody":  {200, `{"access_token":"a","token_type":"Bearer","id_token":"a.b.c"}`, upstream.Untrusted},
		"a yes of more than it may have": {200, `{"access_token":"` + strings.Repeat("a", 200<<10) + `","token_type":"Bearer"}`, upstream.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			s.Status, s.Body = map[string]int{"/token": c.status}, map[string]string{"/token": c.body}
			_, err := s.connector(t).Verify(t.Context(), login())
			require.Equal(t, c.want, upstream.KindOf(err), "%v", err)
			require.NotContains(t, err.Error(), "p&w=1")
			require.NotContains(t, err.Error(), "Invalid user credentials", "an upstream's own words may quote the name")
		})
	}
}

func TestAnIDTokenOfAPasswordIsJudgedAsAnyOther(t *testing.T) {
	for name, lie := range map[string]map[string]any{
		"another issuer": {"iss": "https://evil.example"}, "another audience": {"aud": "x"}, "an expired one": {"exp": 1}, "nobody": {"sub": ""},
		"of another access token": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"},
	} {
		s := newIDP(t)
		s.Lie = func(claims map[string]any) { maps.Copy(claims, lie) }
		_, err := s.connector(t).Verify(t.Context(), login())
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err), name)
	}
	s := newIDP(t)
	s.Metadata = map[string]any{"issuer": s.URL + "/{tenantid}/v2.0"}
	s.Lie = func(claims map[string]any) { claims["tid"], claims["iss"] = "t2", s.URL+"/t2/v2.0" }
	_, err := s.connector(t, func(o *oidc.Options) { o.Tenants = []string{"t1"} }).Verify(t.Context(), login())
	require.Equal(t, upstream.Disabled, upstream.KindOf(err), "who made a tenant for it must not open the breaker: %v", err)
	s.Close()
	_, err = s.connector(t).Verify(t.Context(), login())
	require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
}
