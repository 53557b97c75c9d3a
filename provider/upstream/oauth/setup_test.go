package oauth_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/oauth"
	"keyway/provider/upstream/upstreamtest"
)

const redirectURL = "https://keyway.example/login/callback/github"

// hub is an upstream, and a trip to it.
type hub struct {
	*upstreamtest.API
	attempt upstream.Attempt
}

func newHub(t *testing.T) *hub {
	t.Helper()
	return &hub{API: upstreamtest.NewAPI(t), attempt: upstream.NewAttempt()}
}

func (s *hub) options(t *testing.T) oauth.Options {
	t.Helper()
	calls, err := outbound.New(outbound.Options{AllowLoopback: true, Timeout: time.Second, MaxBytes: 128 << 10})
	require.NoError(t, err)
	o, err := oauth.Preset(oauth.GitHub, s.URL, true)
	require.NoError(t, err)
	o.ClientID, o.ClientSecret, o.RedirectURL, o.HTTP, o.Now = upstreamtest.ClientID, upstreamtest.Secret, redirectURL, calls.HTTP(), time.Now
	return o
}

func (s *hub) connector(t *testing.T, change ...func(*oauth.Options)) *oauth.Connector {
	t.Helper()
	o := s.options(t)
	for _, f := range change {
		f(&o)
	}
	c, err := oauth.New(o)
	require.NoError(t, err)
	return c
}

// back is what the browser brings of a trip that went well.
func (s *hub) back(t *testing.T, c *oauth.Connector) url.Values {
	t.Helper()
	to, err := c.AuthCodeURL(t.Context(), &s.attempt)
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	return url.Values{"code": {s.Code(u.Query().Get("code_challenge"))}, "state": {u.Query().Get("state")}}
}

func (s *hub) signIn(t *testing.T, c *oauth.Connector) (*upstream.Person, error) {
	t.Helper()
	return c.Exchange(t.Context(), &s.attempt, s.back(t, c))
}
