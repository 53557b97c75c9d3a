package main

import (
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/provider"
)

// callLoopback lets the site call the apps of the tests.
func callLoopback(c *config.Config) { c.Outbound.AllowLoopback = true }

// toldApp is an app that is told of sign-outs: its URI, and what it is posted.
func toldApp(t *testing.T) (uri string, posted chan url.Values) {
	t.Helper()
	posted = make(chan url.Values, 8)
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.Header.Get("Content-Type") == "application/x-www-form-urlencoded" && r.ParseForm() == nil {
			posted <- r.PostForm
		}
	}))
	t.Cleanup(app.Close)
	return app.URL + "/backchannel", posted
}

// requireBackchannel signs out and wants the client to be told.
func requireBackchannel(v *visitor) {
	uri, posted := toldApp(v.T)
	v.site.alter(v.T, "web", func(c *provider.Client) { c.BackchannelLogoutURI, c.BackchannelLogoutSession = uri, true })
	a := v.tokens("web")
	claims := v.idToken("web", a)
	v.get("/oauth2/logout?id_token_hint=" + url.QueryEscape(a.text("id_token")))
	var form url.Values
	select {
	case form = <-posted:
	case <-time.After(time.Minute):
		v.Fatal("nobody was told")
	}
	require.Len(v, form, 1)
	token := form.Get("logout_token")
	require.Equal(v, "logout+jwt", joseHeader(v.T, token)["typ"])

	ctx := coreosoidc.ClientContext(v.Context(), v.http)
	op, err := coreosoidc.NewProvider(ctx, v.site.URL)
	require.NoError(v, err)
	verified, err := op.VerifierContext(ctx, &coreosoidc.Config{ClientID: "web", Now: v.site.clock.Now}).Verify(ctx, token)
	require.NoError(v, err)
	said := map[string]any{}
	require.NoError(v, verified.Claims(&said))
	require.Equal(v, map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}}, said["events"])
	require.Equal(v, claims["sub"], said["sub"])
	require.Equal(v, claims["sid"], said["sid"])
	require.NotEmpty(v, said["jti"])
	require.NotContains(v, said, "nonce")
	require.EqualValues(v, v.site.clock.Now().Unix(), said["iat"])
	require.LessOrEqual(v, said["exp"].(float64)-said["iat"].(float64), 120.0)
}

// requireFrontchannel signs out and wants the page to load the client's URI.
func requireFrontchannel(v *visitor) {
	const uri = "https://app.example.com/frontchannel?x=1"
	v.site.alter(v.T, "web", func(c *provider.Client) { c.FrontchannelLogoutURI, c.FrontchannelLogoutSession = uri, true })
	a := v.tokens("web")
	sid := v.idToken("web", a)["sid"].(string)
	page := v.get("/oauth2/logout?" + url.Values{"id_token_hint": {a.text("id_token")}, "post_logout_redirect_uri": {webBye}, "state": {"s"}}.Encode())
	require.Equal(v, http.StatusOK, page.status, page.location())
	require.Contains(v, page.body, `<iframe src="`+strings.ReplaceAll(uri+"&"+url.Values{"iss": {v.site.URL}, "sid": {sid}}.Encode(), "&", "&amp;")+`"`)
	require.Contains(v, page.header.Get("Content-Security-Policy"), "frame-src https://app.example.com")
	require.Contains(v, page.body, webBye+"?state=s", "and then it goes on")
	v.refused(v.get(v.site.ask("web", "prompt", "none")), "login_required")
}

// channelTruths ask for what discovery says of sign-outs.
func channelTruths() map[string]truth {
	when := func(does func(v *visitor)) truth {
		return truth{does: func(v *visitor, is string) {
			require.Equal(v, "true", is)
			does(v)
		}}
	}
	return map[string]truth{
		"backchannel_logout_supported": when(requireBackchannel), "backchannel_logout_session_supported": when(requireBackchannel),
		"frontchannel_logout_supported": when(requireFrontchannel), "frontchannel_logout_session_supported": when(requireFrontchannel),
	}
}

func channelRows(t *testing.T, s *site) {
	s.row(t, "Back-channel: metadata says supported and with sid", func(v *visitor) {
		require.Equal(v, true, v.metadata()["backchannel_logout_supported"])
		require.Equal(v, true, v.metadata()["backchannel_logout_session_supported"])
	})
	s.row(t, "Back-channel: token POSTed as form, signed by our key, events right, sub or sid, sid equal to the ID token's, no nonce, jti and iat (exp too), typ logout+jwt", requireBackchannel)
	s.row(t, "Front-channel: iframe loads the registered URI with iss and sid", requireFrontchannel)
}

// TestAttack14 is row 14, on a site that may not call this machine: what a
// client names is refused before any connection.
func TestAttack14NothingIsCalledThatIsNotPublic(t *testing.T) {
	s := startSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	called := make(chan string, 100)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			called <- conn.RemoteAddr().String()
			_ = conn.Close()
		}
	}()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]", "[64:ff9b::7f00:1]"} {
		at := "https://" + host + ":" + port + "/x"
		s.row(t, "attack 14: backchannel_logout_uri at "+host, func(v *visitor) {
			s.alter(v.T, "second", func(c *provider.Client) { c.BackchannelLogoutURI = at })
			a, tried := v.tokens("second"), strings.Count(s.log.String(), "could not be told of a sign-out")
			v.get("/oauth2/logout?id_token_hint=" + url.QueryEscape(a.text("id_token")))
			require.Eventually(v, func() bool { return strings.Count(s.log.String(), "could not be told of a sign-out") > tried }, time.Minute, 10*time.Millisecond)
		})
		s.row(t, "attack 14: jwks_uri at "+host, func(v *visitor) {
			s.alter(v.T, "signer", func(c *provider.Client) { c.JWKS, c.JWKSURI = "", at })
			v.asserted(s.sign(v.T, "", s.assertion())).fails(v.T, http.StatusServiceUnavailable, "temporarily_unavailable")
		})
		s.row(t, "attack 14: request_uri at "+host, func(v *visitor) {
			v.refused(v.get(s.ask("second", "request_uri", at)), "request_uri_not_supported")
		})
	}
	require.Empty(t, called, "somebody was called")
}
