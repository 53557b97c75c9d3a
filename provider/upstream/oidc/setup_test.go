package oidc_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/outbound"
	"keyway/provider/upstream"
	"keyway/provider/upstream/oidc"
	"keyway/provider/upstream/upstreamtest"
)

const (
	clientID    = upstreamtest.ClientID
	redirectURL = "https://keyway.example/login/callback/corp"
)

// idp is an upstream, and a trip to it.
type idp struct {
	*upstreamtest.IDP
	attempt upstream.Attempt
}

func newIDP(t testing.TB) *idp {
	t.Helper()
	s := &idp{IDP: upstreamtest.New(t), attempt: upstream.NewAttempt()}
	s.Nonce = s.attempt.Nonce
	return s
}

func (s *idp) connector(t testing.TB, change ...func(*oidc.Options)) *oidc.Connector {
	t.Helper()
	calls, err := outbound.New(outbound.Options{AllowLoopback: true, Timeout: time.Second, MaxBytes: 128 << 10})
	require.NoError(t, err)
	o := oidc.Options{
		Issuer: s.URL, ClientID: clientID, ClientSecret: "p/w:1", RedirectURL: redirectURL, HTTP: calls.HTTP(),
		Now: func() time.Time { return s.Now() },
	}
	for _, f := range change {
		f(&o)
	}
	c, err := oidc.New(o)
	require.NoError(t, err)
	return c
}

func (s *idp) back(values ...string) url.Values {
	q := url.Values{"code": {"c1"}, "state": {s.attempt.State}}
	for i := 0; i+1 < len(values); i += 2 {
		q.Set(values[i], values[i+1])
		if values[i+1] == "" {
			q.Del(values[i])
		}
	}
	return q
}
