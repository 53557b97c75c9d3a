package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/oidc"
)

func TestThePersonIsWhoTheUpstreamSays(t *testing.T) {
	s := newIDP(t)
	c := s.connector(t)

	to, err := c.AuthCodeURL(t.Context(), &s.attempt)
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	q := u.Query()
	require.Equal(t, s.URL+"/authorize", strings.Split(to, "?")[0])
	require.Equal(t, "openid profile email", q.Get("scope"))
	require.Equal(t, "S256", q.Get("code_challenge_method"))
	require.Equal(t, redirectURL, q.Get("redirect_uri"))
	require.Equal(t, s.attempt.State, q.Get("state"))
	require.Equal(t, s.attempt.Nonce, q.Get("nonce"))

	p, err := c.Exchange(t.Context(), &s.attempt, s.back())
	require.NoError(t, err)
	require.Equal(t, s.URL, p.Issuer)
	require.Equal(t, "u1", p.Subject)
	require.Equal(t, []string{"pwd", "otp"}, p.AMR)
	require.Equal(t, "gold", p.ACR)
	require.Equal(t, "s1", p.SID)
	require.Equal(t, "refresh-2", p.RefreshToken)
	require.Equal(t, s.Now().Truncate(time.Second), p.AuthTime)
	require.Equal(t, json.Number("9007199254740993"), p.Claims["level"], "numbers keep their digits")

	user, password, ok := basic(s.Header)
	require.True(t, ok)
	require.Equal(t, "keyway", user)
	require.Equal(t, "p%2Fw%3A1", password, "form-encoded (RFC 6749, section 2.3.1)")
	require.Equal(t, s.attempt.Verifier, s.Asked["/token"].Get("code_verifier"))
	require.Equal(t, "c1", s.Asked["/token"].Get("code"))
}

func basic(h http.Header) (user, password string, ok bool) {
	r := &http.Request{Header: h}
	return r.BasicAuth()
}

func TestTheRequestSaysWhatIsAskedFor(t *testing.T) {
	s := newIDP(t)
	c := s.connector(t, func(o *oidc.Options) {
		o.Scopes, o.Prompt, o.ACRValues, o.Params = []string{"groups"}, "login", []string{"silver"}, map[string]string{"domain": "corp"}
	})
	a := s.attempt
	a.LoginHint, a.Locales, a.Fresh = "alice@corp.example", "de", true
	q := query(t, c, &a)
	require.Equal(t, []string{"openid groups", "login", "silver", "corp", "alice@corp.example", "de", "0"},
		[]string{q.Get("scope"), q.Get("prompt"), q.Get("acr_values"), q.Get("domain"), q.Get("login_hint"), q.Get("ui_locales"), q.Get("max_age")})
	a.Prompt, a.ACRValues = "select_account", []string{"gold", "silver"}
	q = query(t, c, &a)
	require.Equal(t, "select_account", q.Get("prompt"))
	require.Equal(t, "gold silver", q.Get("acr_values"))
}

func query(t *testing.T, c *oidc.Connector, a *upstream.Attempt) url.Values {
	t.Helper()
	to, err := c.AuthCodeURL(t.Context(), a)
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	return u.Query()
}

func TestPrivateKeyJWTTowardsTheUpstream(t *testing.T) {
	s := newIDP(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	c := s.connector(t, func(o *oidc.Options) {
		o.ClientSecret, o.Key = "", &jose.JSONWebKey{Key: key, KeyID: "ours", Algorithm: "ES256"}
	})
	check := func() {
		t.Helper()
		f := s.Asked["/token"]
		require.Equal(t, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", f.Get("client_assertion_type"))
		require.False(t, f.Has("client_secret"))
		require.Empty(t, s.Header.Get("Authorization"))
		jws, err := jose.ParseSigned(f.Get("client_assertion"))
		require.NoError(t, err)
		payload, err := jws.Verify(key.Public())
		require.NoError(t, err)
		var claims map[string]any
		require.NoError(t, json.Unmarshal(payload, &claims))
		require.Equal(t, "keyway", claims["iss"])
		require.Equal(t, "keyway", claims["sub"])
		require.NotEmpty(t, claims["jti"])
	}
	p, err := c.Exchange(t.Context(), &s.attempt, s.back())
	require.NoError(t, err)
	check()
	s.Lie = func(claims map[string]any) { delete(claims, "nonce") }
	_, err = c.Follow(t.Context(), known(p))
	require.NoError(t, err)
	check()
	require.Equal(t, "refresh_token", s.Asked["/token"].Get("grant_type"))
	require.Equal(t, "refresh-2", s.Asked["/token"].Get("refresh_token"))
}

func TestUserinfoAddsClaims(t *testing.T) {
	s := newIDP(t)
	c := s.connector(t, func(o *oidc.Options) { o.Userinfo = true })
	s.Userinfo = map[string]any{"sub": "u1", "email": "other@corp.example", "groups": []string{"staff"}}
	p, err := c.Exchange(t.Context(), &s.attempt, s.back())
	require.NoError(t, err)
	require.Equal(t, "alice@corp.example", p.Claims["email"], "what is signed stays")
	require.Equal(t, []any{"staff"}, p.Claims["groups"])

	t.Run("attack 20: userinfo about somebody else is refused", func(t *testing.T) {
		s.Userinfo = map[string]any{"sub": "u2"}
		_, err := c.Exchange(t.Context(), &s.attempt, s.back())
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	})
}

func TestTenantsOfATemplatedIssuer(t *testing.T) {
	s := newIDP(t)
	template := s.URL + "/{tenantid}/v2.0"
	s.Metadata = map[string]any{"issuer": template}
	tenant := "11111111-2222-3333-4444-555555555555"
	from := func(tid, iss string) {
		s.Lie = func(claims map[string]any) { claims["tid"], claims["iss"] = tid, iss }
	}
	c := s.connector(t, func(o *oidc.Options) { o.Tenants = []string{tenant} })
	from(tenant, s.URL+"/"+tenant+"/v2.0")
	p, err := c.Exchange(t.Context(), &s.attempt, s.back())
	require.NoError(t, err)
	require.Equal(t, s.URL+"/"+tenant+"/v2.0", p.Issuer, "who somebody is has the tenant in it")

	for name, lie := range map[string][2]string{
		"nOAuth: a foreign tenant is refused":             {"99999999-2222-3333-4444-555555555555", s.URL + "/99999999-2222-3333-4444-555555555555/v2.0"},
		"an issuer of another tenant than tid is refused": {tenant, s.URL + "/99999999-2222-3333-4444-555555555555/v2.0"},
		"the template itself is no issuer":                {tenant, template},
		"an issuer on another host is refused":            {tenant, "https://evil.example/" + tenant + "/v2.0"},
	} {
		t.Run(name, func(t *testing.T) {
			from(lie[0], lie[1])
			_, err := c.Exchange(t.Context(), &s.attempt, s.back())
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
	t.Run("without an allow-list a templated issuer is refused", func(t *testing.T) {
		_, err := s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
	})
}

// known is what is kept of a person.
func known(p *upstream.Person) *upstream.Known {
	return &upstream.Known{Issuer: p.Issuer, Subject: p.Subject, RefreshToken: p.RefreshToken}
}

func TestLifeAfterLogin(t *testing.T) {
	s := newIDP(t)
	c := s.connector(t)
	p, err := c.Exchange(t.Context(), &s.attempt, s.back())
	require.NoError(t, err)

	t.Run("a refresh brings new claims and the next refresh token", func(t *testing.T) {
		s.Lie = func(claims map[string]any) { delete(claims, "nonce"); claims["email"] = "new@corp.example" }
		s.Answer = map[string]any{"refresh_token": "refresh-3"}
		again, err := c.Follow(t.Context(), known(p))
		require.NoError(t, err)
		require.Equal(t, "refresh-3", again.RefreshToken)
		require.Equal(t, "new@corp.example", again.Claims["email"])
	})
	t.Run("a refresh token that is not rotated goes on to count", func(t *testing.T) {
		s.Answer = map[string]any{"refresh_token": nil, "id_token": nil}
		again, err := c.Follow(t.Context(), known(p))
		require.NoError(t, err)
		require.Equal(t, "refresh-2", again.RefreshToken)
		require.Nil(t, again.Claims)
	})
	t.Run("a refresh about somebody else is refused", func(t *testing.T) {
		s.Answer = nil
		s.Lie = func(claims map[string]any) { claims["sub"] = "u2" }
		again, err := c.Follow(t.Context(), known(p))
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
		require.Equal(t, "refresh-2", again.RefreshToken, "the one that was used may be worth nothing now")
	})
	t.Run("who left is refused, and an outage is not taken for that", func(t *testing.T) {
		s.Status["/token"], s.Body["/token"] = http.StatusBadRequest, `{"error":"invalid_grant"}`
		_, err := c.Follow(t.Context(), known(p))
		require.Equal(t, upstream.Refused, upstream.KindOf(err))
		require.ErrorContains(t, err, "invalid_grant")
		s.Status["/token"], s.Body["/token"] = http.StatusBadGateway, "<html>secret</html>"
		_, err = c.Follow(t.Context(), known(p))
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
		require.NotContains(t, err.Error(), "secret")
		for _, ours := range []string{"invalid_client", "unauthorized_client", "slow_down", ""} {
			s.Status["/token"], s.Body["/token"] = http.StatusUnauthorized, `{"error":"`+ours+`"}`
			_, err = c.Follow(t.Context(), known(p))
			require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "%q is about us, and not about the person", ours)
		}
		_, err = c.Follow(t.Context(), &upstream.Known{Issuer: p.Issuer, Subject: p.Subject})
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
	})
	t.Run("signing out goes up with the hint", func(t *testing.T) {
		to, err := c.SignOutURL(t.Context(), p.IDToken, "https://keyway.example/out", "st")
		require.NoError(t, err)
		u, err := url.Parse(to)
		require.NoError(t, err)
		require.Equal(t, url.Values{
			"x": {"1"}, "id_token_hint": {p.IDToken}, "client_id": {clientID}, "post_logout_redirect_uri": {"https://keyway.example/out"}, "state": {"st"},
		}, u.Query())
	})
}

func TestNoBrowserIsSentToWhatIsNoPage(t *testing.T) {
	for _, endpoint := range []string{"javascript:alert(1)", "//evil.example/out", "out", "data:text/html,x", ":"} {
		s := newIDP(t)
		s.Metadata = map[string]any{"end_session_endpoint": endpoint}
		to, err := s.connector(t).SignOutURL(t.Context(), "", "https://keyway.example/out", "st")
		require.Empty(t, to, endpoint)
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err), endpoint)
	}
	s := newIDP(t)
	s.Metadata = map[string]any{"end_session_endpoint": nil}
	to, err := s.connector(t).SignOutURL(t.Context(), "", "https://keyway.example/out", "st")
	require.NoError(t, err)
	require.Empty(t, to, "an upstream that offers nothing of that kind")
}

func TestLogoutTokens(t *testing.T) {
	s := newIDP(t)
	c := s.connector(t)
	claims := func(change func(map[string]any)) string {
		m := map[string]any{
			"iss": s.URL, "aud": clientID, "iat": s.Now().Unix(), "exp": s.Now().Add(time.Minute).Unix(), "jti": "j1", "sid": "s1",
			"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
		}
		change(m)
		return s.Sign(m, "logout+jwt")
	}
	l, err := c.VerifyLogout(t.Context(), claims(func(map[string]any) {}))
	require.NoError(t, err)
	require.Equal(t, "s1", l.SID)
	require.Equal(t, "j1", l.ID)
	for name, change := range map[string]func(map[string]any){
		"with a nonce":        func(m map[string]any) { m["nonce"] = "n" },
		"without events":      func(m map[string]any) { delete(m, "events") },
		"without sub and sid": func(m map[string]any) { delete(m, "sid") },
		"without jti":         func(m map[string]any) { delete(m, "jti") },
		"for another client":  func(m map[string]any) { m["aud"] = "other" },
		"of another issuer":   func(m map[string]any) { m["iss"] = "https://evil.example" },
		"of tomorrow":         func(m map[string]any) { m["iat"] = s.Now().Add(time.Hour).Unix() },
		"of the day before":   func(m map[string]any) { m["iat"] = s.Now().Add(-25 * time.Hour).Unix() },
		"with Sid for sid":    func(m map[string]any) { delete(m, "sid"); m["Sid"] = "s1" },
		"with a text as event": func(m map[string]any) {
			m["events"] = map[string]any{"http://schemas.openid.net/event/backchannel-logout": "yes"}
		},
		"with a NUL in its sid": func(m map[string]any) { m["sid"] = "s\x001" },
		"with a NUL in its sub": func(m map[string]any) { m["sub"] = "u\x001" },
		"with an endless jti":   func(m map[string]any) { m["jti"] = strings.Repeat("j", 300) },
		"that has expired":      func(m map[string]any) { m["exp"] = s.Now().Add(-time.Hour).Unix() },
	} {
		t.Run("a logout token "+name+" is refused", func(t *testing.T) {
			_, err := c.VerifyLogout(t.Context(), claims(change))
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
		})
	}
	t.Run("an oversized one is refused", func(t *testing.T) {
		_, err := c.VerifyLogout(t.Context(), strings.Repeat("a", 65<<10))
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	})
}
