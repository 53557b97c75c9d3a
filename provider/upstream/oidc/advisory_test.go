package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/oidc"
)

// TestNOAuthNobodyIsWhoTheirAddressSays: an owner of a foreign tenant can write any
// address into it; who somebody is has the tenant in it, and the address is none of it
// (nOAuth).
func TestNOAuthNobodyIsWhoTheirAddressSays(t *testing.T) {
	s := newIDP(t)
	s.Metadata = map[string]any{"issuer": s.URL + "/{tenantid}/v2.0"}
	ours, foreign := "11111111-2222-3333-4444-555555555555", "99999999-2222-3333-4444-555555555555"
	from := func(tenant string, c *oidc.Connector) (*upstream.Person, error) {
		s.Lie = func(claims map[string]any) { claims["tid"], claims["iss"] = tenant, s.URL+"/"+tenant+"/v2.0" }
		return c.Exchange(t.Context(), &s.attempt, s.back())
	}
	_, err := from(foreign, s.connector(t, func(o *oidc.Options) { o.Tenants = []string{ours} }))
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))

	both := s.connector(t, func(o *oidc.Options) { o.Tenants = []string{ours, foreign} })
	one, err := from(ours, both)
	require.NoError(t, err)
	other, err := from(foreign, both)
	require.NoError(t, err)
	require.Equal(t, one.Claims["email"], other.Claims["email"])
	require.Equal(t, one.Subject, other.Subject)
	require.NotEqual(t, one.Issuer, other.Issuer, "the same address and subject in two tenants are two people")
}

// TestGoOIDC471And493AnIssuerThatIsNotTheOneAskedFor: where metadata names another
// issuer than was asked for, the way out is a list of tenants and not to look away.
func TestGoOIDC471And493AnIssuerThatIsNotTheOneAskedFor(t *testing.T) {
	tenants := func(o *oidc.Options) { o.Tenants = []string{"11111111-2222-3333-4444-555555555555"} }
	for name, c := range map[string]struct {
		issuer func(s *idp) string
		change func(*oidc.Options)
	}{
		"a template without a list of tenants":     {func(s *idp) string { return s.URL + "/{tenantid}/v2.0" }, func(*oidc.Options) {}},
		"another issuer, whatever the list":        {func(*idp) string { return "https://evil.example" }, tenants},
		"a template on another host":               {func(*idp) string { return "https://evil.example/{tenantid}/v2.0" }, tenants},
		"a template that tenants could choose":     {func(s *idp) string { return s.URL + "/{tenantid}/{tenantid}" }, tenants},
		"a slash more than the issuer that counts": {func(s *idp) string { return s.URL + "/" }, func(*oidc.Options) {}},
	} {
		s := newIDP(t)
		s.Metadata = map[string]any{"issuer": c.issuer(s)}
		_, err := s.connector(t, c.change).AuthCodeURL(t.Context(), &s.attempt)
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err), name)
	}
}

// TestCVE202655669AndGHSAwxg7AnIDTokenSaysForWhomAndForHowLong: ZITADEL believed tokens
// of upstreams without aud and exp.
func TestCVE202655669AndGHSAwxg7AnIDTokenSaysForWhomAndForHowLong(t *testing.T) {
	for name, lie := range map[string]func(c map[string]any){
		"without aud": func(c map[string]any) { delete(c, "aud") }, "with an empty aud": func(c map[string]any) { c["aud"] = []string{} },
		"with an aud that is null": func(c map[string]any) { c["aud"] = nil }, "without exp": func(c map[string]any) { delete(c, "exp") },
		"with an exp of zero": func(c map[string]any) { c["exp"] = 0 }, "with an exp that is a text": func(c map[string]any) { c["exp"] = "never" },
		"without iat": func(c map[string]any) { delete(c, "iat") }, "without iss": func(c map[string]any) { delete(c, "iss") },
		"with Aud for aud":  func(c map[string]any) { delete(c, "aud"); c["Aud"] = clientID },
		"with Sub for sub":  func(c map[string]any) { delete(c, "sub"); c["Sub"] = "u1" },
		"with a second Sub": func(c map[string]any) { c["SUB"] = "u2" },
	} {
		t.Run("an ID token "+name+" is refused", func(t *testing.T) {
			s := newIDP(t)
			s.Lie = lie
			_, err := s.connector(t).Exchange(t.Context(), &s.attempt, s.back())
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
}

func TestAttack17AKeyOfAnotherProviderIsNone(t *testing.T) {
	other := newIDP(t)
	other.Nonce = "n"
	t.Run("its token is not ours, also where the keys are the same", func(t *testing.T) {
		s := newIDP(t)
		s.Metadata = map[string]any{"jwks_uri": other.URL + "/jwks"}
		s.Token = func(string) string {
			return other.Sign(map[string]any{
				"iss": other.URL, "sub": "u1", "aud": clientID, "nonce": s.attempt.Nonce, "iat": s.Now().Unix(), "exp": s.Now().Add(time.Minute).Unix(),
			}, "JWT")
		}
		_, err := s.connector(t).Exchange(t.Context(), &s.attempt, s.back())
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	})
	t.Run("a kid that nobody has", func(t *testing.T) {
		s := newIDP(t)
		c := s.connector(t)
		_, err := c.Exchange(t.Context(), &s.attempt, s.back())
		require.NoError(t, err)
		other.Rotate(t, "unheard-of")
		s.Token = func(string) string {
			return other.Sign(map[string]any{"iss": s.URL, "sub": "u1", "aud": clientID, "nonce": s.attempt.Nonce, "iat": s.Now().Unix(), "exp": s.Now().Add(time.Minute).Unix()}, "JWT")
		}
		_, err = c.Exchange(t.Context(), &s.attempt, s.back())
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	})
}

func TestAttack20UserinfoIsAboutWhomTheIDTokenIs(t *testing.T) {
	for name, body := range map[string]string{
		"somebody else": `{"sub":"u2"}`, "nobody": `{"email":"a@corp.example"}`, "two people": `{"sub":"u1","sub":"u2"}`, "somebody else by another spelling": `{"Sub":"u1"}`,
		"somebody else beside": `{"sub":"u1","SUB":"u2"}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newIDP(t)
			s.Body["/userinfo"] = body
			_, err := s.connector(t, func(o *oidc.Options) { o.Userinfo = true }).Exchange(t.Context(), &s.attempt, s.back())
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
}

// TestDex4928NoSecretInRedirects: what proves us goes to the token endpoint alone.
func TestDex4928NoSecretInRedirects(t *testing.T) {
	s := newIDP(t)
	to, err := s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
	require.NoError(t, err)
	require.NotContains(t, to, "client_secret")
	for _, secret := range []string{"p/w:1", url.QueryEscape("p/w:1"), s.attempt.Verifier} {
		require.NotContains(t, to, secret)
	}
}

func TestAttack21AnUpstreamThatBreaksOffOrGoesInCircles(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"breaks off": func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
				_ = c.Close()
			}
		},
		"redirects for ever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) },
		"never ends": func(w http.ResponseWriter, _ *http.Request) {
			for range 1 << 10 {
				if _, err := w.Write([]byte(strings.Repeat("a", 1<<10))); err != nil {
					return
				}
			}
		},
	} {
		t.Run("an upstream that "+name, func(t *testing.T) {
			odd := httptest.NewServer(answer)
			defer odd.Close()
			s := newIDP(t)
			for _, change := range []func(o *oidc.Options){
				func(o *oidc.Options) { o.Issuer = odd.URL },
				func(*oidc.Options) { s.Metadata = map[string]any{"token_endpoint": odd.URL + "/token"} },
				func(*oidc.Options) { s.Metadata = map[string]any{"jwks_uri": odd.URL + "/jwks"} },
			} {
				_, err := s.connector(t, change).Exchange(t.Context(), &s.attempt, s.back())
				require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "%v", err)
			}
		})
	}
}

func TestAttack21AnUpstreamThatIsAwayHoldsNobodyUpOneAfterTheOther(t *testing.T) {
	stop := make(chan struct{})
	slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
	defer slow.Close()
	defer close(stop)
	calls, err := outbound.New(outbound.Options{AllowLoopback: true, Timeout: 200 * time.Millisecond})
	require.NoError(t, err)
	s := newIDP(t)
	c := s.connector(t, func(o *oidc.Options) { o.Issuer, o.HTTP = slow.URL, calls.HTTP() })
	begun := time.Now()
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			_, err := c.AuthCodeURL(t.Context(), &s.attempt)
			if upstream.KindOf(err) != upstream.Unavailable {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Less(t, time.Since(begun), 2*time.Second, "20 people wait once, and not 20 times")
	away := s.Now()
	s.Now = func() time.Time { return away.Add(time.Minute) }
	_, err = s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
	require.NoError(t, err, "and nobody at another upstream does")
}
