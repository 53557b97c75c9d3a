package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/provider/store/storetest"
)

func TestADatabaseThatGoesAwayIsAnsweredAsUnavailableAndComesBack(t *testing.T) {
	server := storetest.StartServer(t)
	cfg, err := demoConfig("127.0.0.1:1", t.TempDir())
	require.NoError(t, err)
	cfg.Database = config.NewDSN(server.DSN("postgres"))
	cfg.Passwords.Argon2.MemoryKiB = 8
	p, err := open(t.Context(), cfg, t.Output())
	require.NoError(t, err)
	t.Cleanup(p.close)

	logins := legacyLogins()
	login := func(l legacyLogin) *httptest.ResponseRecorder {
		contentType := "application/x-www-form-urlencoded"
		if strings.HasPrefix(l.body, "{") {
			contentType = "application/json"
		}
		return ask(p, http.MethodPost, l.path, contentType, l.body)
	}
	tokens := map[string]string{}
	for _, l := range logins {
		w := login(l)
		tokens[l.system] = l.token(w.Header(), w.Body.Bytes())
		require.NotEmpty(t, tokens[l.system], "%s: %s", l.system, w.Body)
	}

	server.Stop()
	for _, l := range logins {
		w := login(l)
		require.Empty(t, tokenInBody(nil, w.Body.Bytes()), l.system)
		require.Equal(t, unavailable[strings.SplitN(l.system, "-", 2)[0]], w.Code, "%s: %s", l.system, w.Body)
		require.NotContains(t, w.Body.String(), "invalid_credentials")
	}
	_, service := serviceAuth(t)
	for path, form := range map[string]string{
		"/oauth2/introspect": "token=" + tokens["faveo"], "/oauth2/revoke": "token=" + tokens["faveo"],
		"/oauth2/token": "grant_type=client_credentials",
	} {
		w := askAs(p, service, path, form)
		require.Equal(t, http.StatusServiceUnavailable, w.Code, "%s: %s", path, w.Body)
	}
	require.Equal(t, http.StatusServiceUnavailable, ask(p, http.MethodGet, "/readyz", "", "").Code)

	require.NoError(t, server.Start())
	recovered := func() bool { return ask(p, http.MethodGet, "/readyz", "", "").Code == http.StatusOK }
	require.Eventually(t, recovered, 30*time.Second, 100*time.Millisecond)
	for _, l := range logins {
		w := login(l)
		require.NotEmpty(t, l.token(w.Header(), w.Body.Bytes()), "%s: %s", l.system, w.Body)
	}
	require.Contains(t, askAs(p, service, "/oauth2/introspect", "token="+tokens["crmcom"]).Body.String(), `"active":true`, "and nothing is lost")
}

// unavailable is the status of each system's own answer.
var unavailable = map[string]int{"faveo": 500, "ossn": 500, "crmcom": 200, "payhub": 200}

func askAs(p *program, authorization, path, form string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(form))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Authorization", authorization)
	w := httptest.NewRecorder()
	p.handler.ServeHTTP(w, r)
	return w
}
