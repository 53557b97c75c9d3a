package provider_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/ory/fosite"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
	"keyway/provider/wire"
)

func TestErrors(t *testing.T) {
	secret := errors.New(`dial tcp 10.0.0.7:5432: "quoted" \ and more`)
	for _, c := range []struct {
		name   string
		err    error
		status int
		code   string
	}{
		{"an outage inside invalid_client", fosite.ErrInvalidClient.WithWrap(identity.Fail(identity.ReasonUnavailable, secret)), 503, "temporarily_unavailable"},
		{"an outage inside server_error", fosite.ErrServerError.WithWrap(identity.Fail(identity.ReasonUnavailable, secret)), 503, "temporarily_unavailable"},
		{"a deadline", fmt.Errorf("read: %w", context.DeadlineExceeded), 503, "temporarily_unavailable"},
		{"overload", identity.Fail(identity.ReasonRateLimited, nil), 503, "temporarily_unavailable"},
		{"fosite's invalid_state", fosite.ErrInvalidState, 400, "invalid_request"},
		{"fosite's insufficient_entropy", fosite.ErrInsufficientEntropy, 400, "invalid_request"},
		{"fosite's request_unauthorized", fosite.ErrRequestUnauthorized, 401, "invalid_client"},
		{"fosite's token_inactive", fosite.ErrInactiveToken, 400, "invalid_grant"},
		{"fosite's jti_known", fosite.ErrJTIKnown, 401, "invalid_client"},
		{"fosite's misconfiguration", fosite.ErrMisconfiguration, 500, "server_error"},
		{"fosite's not_found", fosite.ErrNotFound, 400, "invalid_request"},
		{"fosite's scope_not_granted", fosite.ErrScopeNotGranted, 400, "invalid_scope"},
		{"fosite's token_signature_mismatch", fosite.ErrTokenSignatureMismatch, 400, "invalid_grant"},
		{"an unknown error", secret, 500, "server_error"},
		{"a hint that tells too much", fosite.ErrInvalidRequest.WithHint("see http://internal.host/").WithDebug("stack"), 400, "invalid_request"},
		{"a locked user", identity.Fail(identity.ReasonLocked, secret), 400, "invalid_grant"},
		{"a disabled user", identity.Fail(identity.ReasonDisabled, secret), 400, "invalid_grant"},
	} {
		t.Run(c.name+" leaves as "+c.code, func(t *testing.T) {
			status, code, description := provider.Wire(c.err)
			require.Equal(t, c.status, status)
			require.Equal(t, c.code, code)
			require.NotEmpty(t, description)
			require.Equal(t, provider.Plain(description), description)
			for _, leak := range []string{"10.0.0.7", "internal", "stack", "lock", "disab"} {
				if code != "server_error" { // whose text says "internal"
					require.NotContains(t, description, leak)
				}
			}
		})
	}
	t.Run("every reason has an answer", func(t *testing.T) {
		for _, r := range identity.Reasons() {
			status, code, _ := provider.Wire(identity.Fail(r, secret))
			require.GreaterOrEqual(t, status, 400, r)
			require.NotEmpty(t, code, r)
		}
	})
	t.Run("a description loses what RFC 6749 forbids", func(t *testing.T) {
		require.Equal(t, "abc'sd", provider.Plain("a\r\nb\"c's\\\td\x00é"))
	})
	t.Run("the log has the cause, the wire has not", func(t *testing.T) {
		require.Contains(t, provider.CauseText(fosite.ErrInvalidGrant.WithWrap(secret)), "10.0.0.7")
		require.Equal(t, "not one of its URIs", provider.CauseText(fmt.Errorf("%w", &wire.Error{Code: "invalid_redirect_uri", Cause: errors.New("not one of its URIs")})))
		require.Equal(t, "unknown_client", provider.CauseText(&wire.Error{Code: "unknown_client"}))
	})
}

// errGate fails as no gate may.
type errGate struct{ err error }

func (g errGate) Ask(context.Context, identity.Question) error {
	if g.err == nil {
		panic("a secret in a panic")
	}
	return g.err
}

func TestGateIsAsked(t *testing.T) {
	for _, c := range []struct {
		name   string
		gate   errGate
		status int
	}{
		{"a gate that is away is an outage", errGate{identity.Fail(identity.ReasonUnavailable, nil)}, 503},
		{"a gate that panics is an error without its text", errGate{}, 500},
	} {
		t.Run(c.name+" on every path", func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t), func(o *provider.Options) { o.Gate = c.gate })
			refresh, _ := w.session(t, "app")
			require.Equal(t, c.status, w.refresh("app", refresh).status)
			require.Equal(t, c.status, w.introspect(refresh).status)
			g, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			require.Equal(t, c.status, w.userinfo(g.AccessToken).status)
			require.NotContains(t, w.log.text(), "secret in a panic")
		})
	}
}

func TestOneLogLine(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.log.Reset()
	a := w.post("/oauth2/token", "app", url.Values{"grant_type": {"client_credentials"}})
	require.Contains(t, w.log.text(), `"client_id":"app"`)
	require.Contains(t, w.log.text(), `"grant_type":"client_credentials"`)
	require.Contains(t, w.log.text(), a.header.Get("X-Request-Id"))
	r := httptest.NewRequest(http.MethodGet, "/tenant/oauth2/userinfo", nil)
	r.Header.Set("Authorization", "Bearer bad\r\ntoken")
	w.do(r)
	require.Len(t, splitLines(w.log.text()), 2)
}

func TestOptions(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for name, change := range map[string]func(*provider.Options){
		"an issuer with a query":      func(o *provider.Options) { o.Issuer = "https://a/?b" },
		"an issuer with a user":       func(o *provider.Options) { o.Issuer = "https://u@a" },
		"an issuer that ends in /":    func(o *provider.Options) { o.Issuer = "https://a/" },
		"an issuer of another scheme": func(o *provider.Options) { o.Issuer = "ftp://a" },
		"no issuer":                   func(o *provider.Options) { o.Issuer = "" },
		"a short secret":              func(o *provider.Options) { o.Secret = []byte("short") },
		"no gate":                     func(o *provider.Options) { o.Gate = nil },
		"no clock":                    func(o *provider.Options) { o.Now = nil },
		"keys published too late":     func(o *provider.Options) { o.Keys.PublishAhead = 1 },
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			o := w.options
			change(&o)
			_, err := provider.New(t.Context(), o)
			require.Error(t, err)
		})
	}
	t.Run("a closed provider ends its loop", func(t *testing.T) {
		done := make(chan struct{})
		go func() { w.Run(t.Context()); close(done) }()
		require.NoError(t, w.Close())
		require.NoError(t, w.Close())
		<-done
	})
}
