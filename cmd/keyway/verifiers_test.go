package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/upstream/upstreamtest"
)

// elsewhere is a program whose people at corp.example have their passwords at an
// upstream.
type elsewhere struct {
	*testing.T
	*program
	idp *upstreamtest.IDP
	URL string
}

const carol, carolsPassword = "carol@corp.example", "carols-own-password"

func newElsewhere(t *testing.T, change ...func(*config.Config)) *elsewhere {
	t.Helper()
	e := &elsewhere{T: t, idp: upstreamtest.New(t)}
	e.idp.Now, e.idp.Passwords = time.Now, map[string]string{carol: carolsPassword, "eve@corp.example": "eves-own-password"}
	e.idp.Lie = func(claims map[string]any) { delete(claims, "auth_time") }
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	cfg, err := demoConfig(l.Addr().String(), t.TempDir())
	require.NoError(t, err)
	cfg.Passwords.Argon2.MemoryKiB, cfg.Log.Level = 8, "error"
	cfg.Connectors = []config.Connector{{
		ID: "corp", Type: "oidc", Issuer: e.idp.URL, ClientID: upstreamtest.ClientID, ClientSecret: config.NewSecret("s"),
		AuthMethod: "client_secret_basic", Directory: "default", Create: true, Hidden: true, PasswordGrant: true,
		Guard: config.Guard{Timeout: 5 * time.Second, Parallel: 16, Failures: 3, Rest: 300 * time.Millisecond},
		Mapping: config.Mapping{Accounts: []config.MappingAccount{{
			System: "faveo", When: fmt.Sprintf("subject == %q", carol), ID: `"77"`, Attributes: map[string]any{"user_name": `"carol"`, "role": `"user"`},
		}}},
	}}
	cfg.Verifiers = []config.VerifierRule{{Domains: []string{"corp.example"}, Steps: []config.VerifierStep{{Verifier: "corp"}}}}
	for id, connectors := range map[string][]string{"corp-only": {"corp"}, "local-only": {"local"}, "either": {"corp", "local"}} {
		cfg.Clients = append(cfg.Clients, config.Client{
			ClientID: id, AuthMethod: "client_secret_post", Secret: config.NewSecret("secret-of-" + id), GrantTypes: []string{exchangeGrant, "authorization_code"},
			MayExchange: true, Scopes: []string{"openid"}, Connectors: connectors,
			RedirectURIs: []string{"http://127.0.0.1/callback"}, AccessTokenFormat: "opaque", AccessTokenAlg: "ES256", IDTokenAlg: "RS256", PKCEOptional: true,
		})
	}
	cfg.Systems[0].Settings["rate_limit"] = 0
	for _, f := range change {
		f(cfg)
	}
	e.program, err = open(t.Context(), cfg, t.Output())
	require.NoError(t, err)
	t.Cleanup(e.close)
	server := &httptest.Server{Listener: l, Config: &http.Server{Handler: e.handler, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	e.URL = cfg.Issuer
	return e
}

const exchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange"

// logsIn logs in to Faveo, and returns its answer and the token in it.
func (e *elsewhere) logsIn(username, password string) (*httptest.ResponseRecorder, string) {
	w := ask(e.program, http.MethodPost, "/api/v1/authenticate", "application/x-www-form-urlencoded",
		url.Values{"username": {username}, "password": {password}}.Encode())
	return w, tokenInBody(w.Header(), w.Body.Bytes())
}

func (e *elsewhere) logins() []identity.Event {
	e.Helper()
	events, err := e.store.ListEvents(e.Context(), store.EventQuery{Kind: "login", Limit: 1000})
	require.NoError(e, err)
	return events
}

// asked says how often the upstream was asked about a password by f.
func (e *elsewhere) asked(f func()) (n int) {
	e.idp.Change(func() { e.idp.Counted = map[string]int{} })
	f()
	e.idp.Change(func() { n = e.idp.Counted["/token"] })
	return n
}

func TestAnOldCallOfSomebodyWhosePasswordIsElsewhere(t *testing.T) {
	e := newElsewhere(t)
	w, token := e.logsIn(carol, carolsPassword)
	require.NotEmpty(t, token, w.Body.String())
	who := ask(e.program, http.MethodGet, "/api/v1/authenticate/user?token="+token, "", "")
	require.Contains(t, who.Body.String(), `"user_name":"carol"`, "the account that the mapping gave her")

	exchanged := func(client, token string) int {
		return ask(e.program, http.MethodPost, "/oauth2/token", "application/x-www-form-urlencoded", url.Values{
			"grant_type": {exchangeGrant}, "subject_token": {token}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
			"client_id": {client}, "client_secret": {"secret-of-" + client}, "scope": {"openid"},
		}.Encode()).Code
	}
	require.Equal(t, []int{200, 400}, []int{exchanged("corp-only", token), exchanged("local-only", token)}, "the grant remembers the connector")
	_, alice := e.logsIn("alice", "correct-horse")
	require.Equal(t, []int{400, 200}, []int{exchanged("corp-only", alice), exchanged("local-only", alice)})

	wrong, none := e.logsIn(carol, "wrong")
	require.Empty(t, none)
	nobody, _ := e.logsIn("alice", "wrong")
	require.Equal(t, nobody.Body.String(), wrong.Body.String(), "the legacy system's own refusal")
	_, none = e.logsIn("eve@corp.example", "eves-own-password")
	require.Empty(t, none, "she has no account in this system")

	var got []string
	for _, event := range e.logins() {
		require.Equal(t, "faveo", event.System)
		got = append(got, fmt.Sprint(event.Reason, " by ", event.Verifier, " of ", event.Connector))
	}
	require.Equal(t, []string{" by corp of corp", " by local of ", "wrong_password by corp of ", "wrong_password by local of ", "unknown_user by corp of "}, got)
}

func TestAWrongPasswordElsewhereCountsOnceAndLocksHere(t *testing.T) {
	e := newElsewhere(t, func(c *config.Config) { c.Lockout.Failures = 3 })
	_, token := e.logsIn(carol, carolsPassword)
	require.NotEmpty(t, token)
	require.Equal(t, 3, e.asked(func() {
		for range 5 {
			_, _ = e.logsIn(carol, "wrong")
		}
		_, token = e.logsIn(carol, carolsPassword)
		require.Empty(t, token)
	}), "a locked name is not sent to anybody")
}

func TestADeadUpstreamCostsItsOwnPeopleAloneAndThemNothing(t *testing.T) {
	e := newElsewhere(t)
	_, token := e.logsIn(carol, carolsPassword)
	require.NotEmpty(t, token)
	e.idp.Change(func() { e.idp.Status["/token"] = http.StatusServiceUnavailable })
	require.Equal(t, 3, e.asked(func() {
		for range 20 {
			w, _ := e.logsIn(carol, carolsPassword)
			require.Equal(t, unavailable["faveo"], w.Code, "its answer to an outage: %s", w.Body)
			_, token := e.logsIn("alice", "correct-horse")
			require.NotEmpty(t, token)
		}
	}), "the breaker is open after the third")
	e.idp.Change(func() { delete(e.idp.Status, "/token") })
	require.Eventually(t, func() bool {
		_, token := e.logsIn(carol, carolsPassword)
		return token != ""
	}, 10*time.Second, 50*time.Millisecond, "and nothing of it counted against her")
}

func TestThePasswordPageAsksElsewhere(t *testing.T) {
	e := newElsewhere(t)
	authorize := func(client string) string {
		return e.URL + "/oauth2/authorize?" + url.Values{
			"client_id": {client}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {"http://127.0.0.1/callback"}, "state": {"s"}, "prompt": {"consent"},
		}.Encode()
	}
	s := newSurfer(t)
	s.open(authorize("either"))
	s.isAt(e.URL+"/login", `name="password"`)
	s.submit("login-form", "username", carol, "password", "wrong")
	require.Contains(t, s.page, `id="login-error"`)
	s.submit("login-form", "username", carol, "password", carolsPassword)
	s.isAt(e.URL + "/consent")
	events := e.logins()
	require.Equal(t, []string{"corp", "corp"}, []string{events[len(events)-1].Connector, events[len(events)-1].Verifier})
	s.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	s.open(authorize("local-only"))
	require.Equal(t, http.StatusSeeOther, s.status, "who came by a connector is not for this client")
}

func TestTwoHundredSlowLoginsStarveNobody(t *testing.T) {
	release := make(chan struct{})
	end := sync.OnceFunc(func() { close(release) })
	slow := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		w.WriteHeader(http.StatusBadRequest)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": "invalid_grant"})
	}))
	t.Cleanup(slow.Close)
	t.Cleanup(end)
	e := newElsewhere(t, func(c *config.Config) { c.Connectors[0].Guard.Timeout = 30 * time.Second })
	e.idp.Metadata = map[string]any{"token_endpoint": slow.URL}
	var all sync.WaitGroup
	for i := range 200 {
		all.Go(func() { _, _ = e.logsIn(fmt.Sprintf("p%d@corp.example", i), "x") })
	}
	for range 20 {
		_, token := e.logsIn("alice", "correct-horse")
		require.NotEmpty(t, token, "others come in")
		_, service := serviceAuth(t)
		require.Contains(t, askAs(e.program, service, "/oauth2/introspect", "token="+token).Body.String(), `"active":true`)
	}
	end()
	all.Wait()
}

func TestRulesOfTheConfigurationAreThoseOfTheChain(t *testing.T) {
	dir := t.TempDir()
	e := newElsewhere(t, func(c *config.Config) {
		c.Database = config.NewDSN(filepath.Join(dir, "keyway.db"))
		off := c.Connectors[0]
		off.ID, off.Disabled = "off", true
		c.Connectors = append(c.Connectors, off)
		c.Verifiers = []config.VerifierRule{
			{Systems: []string{"browser"}, Steps: []config.VerifierStep{{Verifier: "off"}, {Verifier: "corp", Next: []string{"unavailable"}}, {Verifier: "local"}}},
			{Systems: []string{"faveo"}, Steps: []config.VerifierStep{{Verifier: "local"}, {Verifier: "app_password", Next: []string{}}}},
		}
	})
	local, err := identity.NewLocal(identity.LocalOptions{Users: e.store, Hasher: e.hasher, Logger: e.log, Now: e.now})
	require.NoError(t, err)
	upstreams, err := e.newFederation(nil)
	require.NoError(t, err)
	chain, err := e.verifiers(local, upstreams)
	require.NoError(t, err)
	for system, want := range map[string]struct {
		rule  int
		steps string
	}{
		"": {1, "[app_password[] off[] corp[unavailable] local[]]"}, "faveo": {2, "[local[] app_password[]]"}, "ossn": {3, "[app_password[] local[]]"},
	} {
		rule, steps := chain.Rule(identity.Credentials{System: system})
		var got []string
		for _, s := range steps {
			got = append(got, fmt.Sprint(s.Name, s.Next))
		}
		require.Equal(t, want.rule, rule)
		require.Equal(t, want.steps, fmt.Sprint(got))
	}
	_, steps := chain.Rule(identity.Credentials{System: "faveo"})
	require.NotNil(t, steps[1].Next, "an empty list is for no reason, and none for unknown names")
	require.Nil(t, steps[0].Next)
	_, err = closed{}.Authenticate(t.Context(), identity.Credentials{})
	require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
}
