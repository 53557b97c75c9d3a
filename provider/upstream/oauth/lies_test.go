package oauth_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/oauth"
)

func TestAttack16And18AnAnswerOfAnotherTripIsRefused(t *testing.T) {
	s := newHub(t)
	c := s.connector(t)
	for name, change := range map[string]func(url.Values){
		"without state":                      func(q url.Values) { q.Del("state") },
		"with another state":                 func(q url.Values) { q.Set("state", "other") },
		"of another issuer (mix-up)":         func(q url.Values) { q.Set("iss", "https://evil.example") },
		"without a code":                     func(q url.Values) { q.Del("code") },
		"with a code of 9 KiB":               func(q url.Values) { q.Set("code", strings.Repeat("a", 9<<10)) },
		"with a parameter that stands twice": func(q url.Values) { q.Add("code", "c2") },
	} {
		t.Run("an answer "+name, func(t *testing.T) {
			answer := s.back(t, c)
			change(answer)
			_, err := c.Exchange(t.Context(), &s.attempt, answer)
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
			require.Empty(t, s.Asked, "nobody is asked about it")
		})
	}
	t.Run("an issuer that promised to name itself has to", func(t *testing.T) {
		c := s.connector(t, func(o *oauth.Options) { o.Named = true })
		_, err := s.signIn(t, c)
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
		answer := s.back(t, c)
		answer.Set("iss", s.URL+"/login/oauth")
		_, err = c.Exchange(t.Context(), &s.attempt, answer)
		require.NoError(t, err)
	})
	t.Run("a code that another browser began is refused by its verifier", func(t *testing.T) {
		answer := s.back(t, c)
		answer.Set("code", s.Code("another challenge"))
		_, err := c.Exchange(t.Context(), &s.attempt, answer)
		require.Equal(t, upstream.Refused, upstream.KindOf(err))
		require.NotContains(t, err.Error(), "secret")
	})
	t.Run("a person who breaks it off is told from an outage", func(t *testing.T) {
		for code, kind := range map[string]upstream.Kind{"access_denied": upstream.Refused, "<script>": upstream.Refused, "server_error": upstream.Unavailable} {
			_, err := c.Exchange(t.Context(), &s.attempt, url.Values{"error": {code}, "state": {s.attempt.State}})
			require.Equal(t, kind, upstream.KindOf(err))
			require.NotContains(t, err.Error(), "<")
		}
	})
}

func TestAttack17APersonWithoutAStableIDIsRefused(t *testing.T) {
	for name, body := range map[string]string{
		"no id": `{"login":"octo"}`, "an id that is null": `{"id":null}`, "an empty id": `{"id":""}`, "an id of nobody": `{"id":0}`,
		"a number that can be written in two ways": `{"id":1e3}`, "a negative number": `{"id":-1}`, "a fraction": `{"id":1.0}`, "an object": `{"id":{"a":1}}`,
		"true": `{"id":true}`, "an endless id": `{"id":"` + strings.Repeat("a", 256) + `"}`, "two ids": `{"id":1,"id":2}`,
		"a member that stands twice within another": `{"id":1,"plan":{"name":"a","name":"b"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newHub(t)
			s.Body["/api/v3/user"] = body
			_, err := s.signIn(t, s.connector(t))
			require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "%v", err)
		})
	}
	t.Run("somebody else behind a token that was kept", func(t *testing.T) {
		s := newHub(t)
		c := s.connector(t)
		p, err := s.signIn(t, c)
		require.NoError(t, err)
		s.Body["/api/v3/user"] = `{"id":7,"login":"octo"}`
		_, err = c.Follow(t.Context(), &upstream.Known{Issuer: p.Issuer, Subject: p.Subject, RefreshToken: p.RefreshToken})
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	})
	t.Run("a token that is no bearer token", func(t *testing.T) {
		s := newHub(t)
		s.Answer = map[string]any{"token_type": "mac"}
		_, err := s.signIn(t, s.connector(t))
		require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	})
}

// TestCVE202655670ALoginThatSomebodyElseTookIsAnotherPerson: identifiers that are
// given up and taken again are nobody's identity (ZITADEL CVE-2026-55670).
func TestCVE202655670ALoginThatSomebodyElseTookIsAnotherPerson(t *testing.T) {
	s := newHub(t)
	before, err := s.signIn(t, s.connector(t))
	require.NoError(t, err)
	s.Body["/api/v3/user"] = `{"id":8,"login":"octo"}`
	after, err := s.signIn(t, s.connector(t))
	require.NoError(t, err)
	require.Equal(t, before.Claims["preferred_username"], after.Claims["preferred_username"])
	require.NotEqual(t, before.Subject, after.Subject)

	for _, member := range []string{"login", "email", "username", "profile.mail", "Name"} {
		o := s.options(t)
		o.Subject = member
		_, err := oauth.New(o)
		require.ErrorContains(t, err, "stable id", member)
	}
}

// TestCVE202429892ReservedClaimsAreNotForClaimMaps: without a signature nobody says
// how somebody signed in (ZITADEL CVE-2024-29892).
func TestCVE202429892ReservedClaimsAreNotForClaimMaps(t *testing.T) {
	s := newHub(t)
	for _, claim := range []string{"sub", "iss", "aud", "acr", "amr", "azp", "nonce", "auth_time", "sid", "exp"} {
		o := s.options(t)
		o.Claims = map[string]string{claim: "login"}
		_, err := oauth.New(o)
		require.ErrorContains(t, err, "claims."+claim)
	}
	s.Body["/api/v3/user"] = `{"id":7,"acr":"gold","amr":["otp"],"auth_time":1,"sid":"s"}`
	p, err := s.signIn(t, s.connector(t))
	require.NoError(t, err)
	require.Empty(t, p.ACR+p.SID)
	require.Empty(t, p.AMR)
	require.True(t, p.AuthTime.IsZero())
}

func TestAttack21AnUpstreamThatDoesNotAnswerSensibly(t *testing.T) {
	const token, user, emails, orgs = "/login/oauth/access_token", "/api/v3/user", "/api/v3/user/emails", "/api/v3/user/orgs"
	for name, change := range map[string]func(*hub){
		"the token endpoint fails":       func(s *hub) { s.Status[token] = http.StatusInternalServerError },
		"the token endpoint is a page":   func(s *hub) { s.Body[token] = "<html>" },
		"half an answer":                 func(s *hub) { s.Body[token] = `{"access_token":"a","tok` },
		"no token in it":                 func(s *hub) { s.Body[token] = `{"token_type":"bearer"}` },
		"our own secret is wrong there":  func(s *hub) { s.Body[token] = `{"error":"incorrect_client_credentials"}` },
		"a token answer of 200 KiB":      func(s *hub) { s.Body[token] = `{"access_token":"` + strings.Repeat("a", 200<<10) + `"}` },
		"userinfo fails":                 func(s *hub) { s.Status[user] = http.StatusBadGateway },
		"userinfo is a page":             func(s *hub) { s.Body[user] = "<html>" },
		"half of userinfo":               func(s *hub) { s.Body[user] = `{"id":7,"lo` },
		"userinfo is a list":             func(s *hub) { s.Body[user] = `[{"id":7}]` },
		"userinfo of 200 KiB":            func(s *hub) { s.Body[user] = `{"id":7,"x":"` + strings.Repeat("a", 200<<10) + `"}` },
		"userinfo by a redirect inwards": func(s *hub) { s.Status[user] = http.StatusFound },
		"the API has had enough calls": func(s *hub) {
			s.Status[user], s.Header = http.StatusForbidden, http.Header{"X-Ratelimit-Remaining": {"0"}}
		},
		"the API asks to wait":                 func(s *hub) { s.Status[user] = http.StatusTooManyRequests },
		"e-mails are not to be had":            func(s *hub) { s.Status[emails] = http.StatusNotFound },
		"e-mails are no list":                  func(s *hub) { s.Body[emails] = `{"email":"octo@corp.example","primary":true,"verified":true}` },
		"groups are not to be had":             func(s *hub) { s.Status[orgs] = http.StatusInternalServerError },
		"half of the groups, the good half":    func(s *hub) { s.Body[orgs] = `[{"login":"corp","id":42},` },
		"userinfo that is too deep to be read": func(s *hub) { s.Body[user] = strings.Repeat(`{"a":`, 100) + "1" + strings.Repeat("}", 100) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newHub(t)
			change(s)
			_, err := s.signIn(t, s.connector(t))
			require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "%v", err)
			require.NotContains(t, err.Error(), "<html>")
		})
	}
	t.Run("who is blocked there is refused", func(t *testing.T) {
		s := newHub(t)
		s.Status[user] = http.StatusForbidden
		_, err := s.signIn(t, s.connector(t))
		require.Equal(t, upstream.Refused, upstream.KindOf(err))
	})
	t.Run("an API at a private address is not called", func(t *testing.T) {
		s := newHub(t)
		_, err := s.signIn(t, s.connector(t, func(o *oauth.Options) { o.UserinfoURL = "https://169.254.169.254/user" }))
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
	})
	t.Run("a slow one costs the time that is allowed", func(t *testing.T) {
		stop := make(chan struct{})
		slow := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-stop }))
		defer slow.Close()
		defer close(stop)
		s := newHub(t)
		calls, err := outbound.New(outbound.Options{AllowLoopback: true, Timeout: 50 * time.Millisecond})
		require.NoError(t, err)
		_, err = s.signIn(t, s.connector(t, func(o *oauth.Options) { o.HTTP, o.UserinfoURL = calls.HTTP(), slow.URL }))
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err))
	})
}

// TestDex4928NoSecretInRedirects: our secret and our tokens are in no URL that a browser
// or a proxy sees (Dex #4928).
func TestDex4928NoSecretInRedirects(t *testing.T) {
	s := newHub(t)
	c := s.connector(t)
	to, err := c.AuthCodeURL(t.Context(), &s.attempt)
	require.NoError(t, err)
	require.NotContains(t, to, url.QueryEscape("p/w:1"))
	require.NotContains(t, to, s.attempt.Verifier)
	_, err = s.signIn(t, c)
	require.NoError(t, err)
	require.Empty(t, s.Asked["/api/v3/user"], "the access token travels in the header")
}

func TestWhatIsRequired(t *testing.T) {
	s := newHub(t)
	for name, change := range map[string]func(*oauth.Options){
		"no issuer": func(o *oauth.Options) { o.Issuer = "" }, "no subject": func(o *oauth.Options) { o.Subject = "" },
		"a relative URL": func(o *oauth.Options) { o.TokenURL = "/token" }, "a URL with a password": func(o *oauth.Options) { o.UserinfoURL = "https://a:b@c.example/" },
		"groups without a name": func(o *oauth.Options) { o.Groups.Name = "" }, "no client": func(o *oauth.Options) { o.ClientID = "" },
	} {
		o := s.options(t)
		change(&o)
		_, err := oauth.New(o)
		require.Error(t, err, name)
	}
}
