package provider_test

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/outbound"
	"keyway/provider/registration"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

const registerPath = "/oauth2/register"

// registering lets clients register themselves.
func registering(change func(*registration.Options)) func(*provider.Options) {
	return func(o *provider.Options) {
		storage, _ := o.Storage.(*store.Store)
		o.Registration = registration.Options{Storage: storage}
		if change != nil {
			change(&o.Registration)
		}
	}
}

// json sends a JSON body below the issuer, with a bearer token unless that is
// empty.
func (w *world) json(method, path, token, body string) answer {
	r := httptest.NewRequest(method, "/tenant"+path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return w.do(r)
}

func (w *world) invite(t *testing.T, uses int, scopes ...string) (token string) {
	t.Helper()
	i := &registration.Invitation{MaxUses: uses, Scopes: scopes, ExpiresAt: w.clock.Now().Add(time.Hour)}
	token = registration.NewInvitation(i)
	require.NoError(t, w.store.AddInvitation(t.Context(), i))
	return token
}

// registered is a client that has just registered itself.
func (w *world) registered(t *testing.T, body string) answer {
	t.Helper()
	a := w.json(http.MethodPost, registerPath, w.invite(t, 1), body)
	require.Equal(t, http.StatusCreated, a.status, a.raw)
	return a
}

// own sends a request to the configuration endpoint of a registered client.
func (w *world) own(method string, client answer, body string) answer {
	u, _ := url.Parse(client.str("registration_client_uri"))
	return w.json(method, strings.TrimPrefix(u.Path, "/tenant"), client.str("registration_access_token"), body)
}

// without is an object of a changed copy of members, those that are nil left out.
func without(members map[string]any, change ...any) string {
	m := maps.Clone(members)
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		delete(m, name)
	}
	for i := 0; i+1 < len(change); i += 2 {
		name, _ := change[i].(string)
		if m[name] = change[i+1]; change[i+1] == nil {
			delete(m, name)
		}
	}
	b, _ := json.Marshal(m)
	return string(b)
}

const preview = `{"redirect_uris": ["` + callback + `"], "client_name": "Preview", "grant_types": ["authorization_code", "refresh_token"],
	"client_uri": "https://app.example.com/", "policy_uri": "https://app.example.com/policy?a=1&b=2", "tos_uri": "https://app.example.com/terms",
	"logo_uri": "https://app.example.com/logo.png", "contacts": ["ops@app.example.com"], "software_id": "shop", "default_max_age": 3600,
	"may_introspect": true, "skip_consent": true}`

func TestDynamicOPRegistration(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.registered(t, preview)
		id := a.str("client_id")
		t.Run("answers with the stored metadata and a management URI", func(t *testing.T) {
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
			require.Equal(t, issuer+registerPath+"/"+id, a.str("registration_client_uri"))
			require.InDelta(t, w.clock.Now().Unix(), a.body["client_id_issued_at"], 0)
			require.InDelta(t, 0, a.body["client_secret_expires_at"], 0)
			require.Equal(t, "client_secret_basic", a.str("token_endpoint_auth_method"))
			require.Equal(t, "openid profile email offline_access", a.str("scope"))
			require.Equal(t, []any{"code"}, a.body["response_types"])
			require.Equal(t, "web", a.str("application_type"))
			require.Equal(t, "https://app.example.com/logo.png", a.str("logo_uri"))
			require.InDelta(t, 3600, a.body["default_max_age"], 0)
			require.NotContains(t, a.body, "may_introspect")
			require.NotContains(t, a.body, "skip_consent")
			b := w.own(http.MethodGet, a, "")
			require.Equal(t, http.StatusOK, b.status, b.raw)
			want := maps.Clone(a.body)
			delete(want, "client_secret") // only a hash of it is kept
			delete(want, "client_secret_expires_at")
			require.Equal(t, want, b.body)
		})
		t.Run("the client signs people in, who are asked and told who it says it is", func(t *testing.T) {
			w.secrets[id] = a.str("client_secret")
			b := w.newBrowser()
			page := b.get(ask(id, "redirect_uri", callback))
			require.True(t, isLogin(page), page.raw)
			for _, link := range []string{"https://app.example.com/policy?a=1&amp;b=2", "https://app.example.com/terms", "https://app.example.com/"} {
				require.Contains(t, page.raw, `href="`+link+`"`)
			}
			page = b.submit(t, page, "username", "alice", "password", password)
			require.True(t, isConsent(page), page.raw)
			require.Contains(t, page.raw, `id="unvouched"`)
			require.Contains(t, page.raw, `href="https://app.example.com/policy?a=1&amp;b=2"`)
			require.NotContains(t, page.raw, "logo.png", "a foreign picture would tell who signs in")
			code := returned(t, b.submit(t, page, "decision", "allow")).Get("code")
			got := w.redeem(id, code, "redirect_uri", callback)
			require.Equal(t, http.StatusOK, got.status, got.raw)
			require.NotContains(t, w.introspectAs(id, got.str("access_token")).raw, `"active":false`)
			require.Contains(t, w.introspectAs(id, w.legacyToken(t)).raw, `"active":false`, "it may introspect its own tokens alone")
			t.Run("default_max_age counts where a request has no max_age", func(t *testing.T) {
				w.clock.add(time.Hour + time.Second)
				require.True(t, isLogin(b.get(ask(id, "redirect_uri", callback))))
				returned(t, b.get(ask(id, "redirect_uri", callback, "max_age", "7200")))
			})
			t.Run("and what it got ends when it is deleted", func(t *testing.T) {
				gone := w.own(http.MethodDelete, a, "")
				require.Equal(t, http.StatusNoContent, gone.status, gone.raw)
				require.Empty(t, gone.raw)
				wantError(t, w.userinfo(got.str("access_token")), 401, "invalid_token")
				wantError(t, w.refresh(id, got.str("refresh_token")), 401, "invalid_client")
				wantError(t, w.own(http.MethodGet, a, ""), 401, "invalid_token")
				wantPage(t, b.get(ask(id, "redirect_uri", callback)), 400)
			})
		})
		t.Run("what only the operator gives is not the client's", func(t *testing.T) {
			b := w.registered(t, preview)
			stored, err := w.store.FindClient(t.Context(), b.str("client_id"))
			require.NoError(t, err)
			require.True(t, stored.Dynamic())
			require.False(t, stored.MayIntrospect || stored.SkipConsent || stored.MayRevokeLegacy)
			require.NotContains(t, fmt.Sprintf("%+v", stored), b.str("client_secret"))
			require.NotContains(t, fmt.Sprintf("%+v", stored), b.str("registration_access_token"))
			stored.MayIntrospect = true
			require.Error(t, stored.Check())
		})
	}, registering(nil))
}

// legacyToken is an access token of somebody else.
func (w *world) legacyToken(t *testing.T) string {
	t.Helper()
	g, err := w.GrantPassword(t.Context(), login())
	require.NoError(t, err)
	return g.AccessToken
}

func (w *world) introspectAs(client, token string) answer {
	return w.post("/oauth2/introspect", client, url.Values{"token": {token}})
}

func TestDynamicOPRedirectURIs(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		refused := func(body string) {
			t.Helper()
			wantError(t, w.json(http.MethodPost, registerPath, w.invite(t, 1), body), 400, "invalid_redirect_uri")
		}
		refused(`{"redirect_uris": ["https://app.example.com/cb#fragment"]}`)
		refused(`{"redirect_uris": ["http://app.example.com/cb"]}`)
		refused(`{}`)
		a := w.registered(t, `{"redirect_uris": ["https://a.example.com/cb", "https://a.example.com/cb?x=1"]}`)
		id, b := a.str("client_id"), w.newBrowser()
		for _, uri := range []string{"-", "https://a.example.com/cb?x=2", "https://a.example.com/cb?x=1&y=2", "https://a.example.com/cb?y=2"} {
			wantPage(t, b.get(ask(id, "redirect_uri", uri)), 400)
		}
		require.True(t, isLogin(b.get(ask(id, "redirect_uri", "https://a.example.com/cb?x=1"))))
	}, registering(nil))
}

func TestRegistrationNeedsAnInvitation(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.json(http.MethodPost, registerPath, "", preview)
		require.Equal(t, http.StatusUnauthorized, a.status)
		require.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		for _, token := range []string{"x", w.registered(t, preview).str("registration_access_token"), strings.Repeat("x", 600), w.legacyToken(t)} {
			wantError(t, w.json(http.MethodPost, registerPath, token, preview), 401, "invalid_token")
		}
		once := w.invite(t, 1, "openid")
		wantError(t, w.json(http.MethodPost, registerPath, once, `{"redirect_uris": 7}`), 400, "invalid_client_metadata")
		wantError(t, w.json(http.MethodPost, registerPath, once, without(map[string]any{"redirect_uris": []string{callback}, "scope": "openid email"})), 400, "invalid_client_metadata")
		narrow := w.json(http.MethodPost, registerPath, once, preview)
		require.Equal(t, http.StatusCreated, narrow.status, "a refusal uses nothing up: "+narrow.raw)
		require.Equal(t, "openid", narrow.str("scope"))
		wantError(t, w.json(http.MethodPost, registerPath, once, preview), 401, "invalid_token")
		t.Run("an update cannot widen what the invitation allowed", func(t *testing.T) {
			wantError(t, w.own(http.MethodPut, narrow, without(narrow.body, "scope", "openid email")), 400, "invalid_client_metadata")
		})
		late := w.invite(t, 1)
		w.clock.add(time.Hour)
		wantError(t, w.json(http.MethodPost, registerPath, late, preview), 401, "invalid_token")
		t.Run("of 50 at once by an invitation for one, one is registered", func(t *testing.T) {
			token, won := w.invite(t, 1), 0
			for _, a := range parallel(50, func() answer { return w.json(http.MethodPost, registerPath, token, preview) }) {
				if a.status == http.StatusCreated {
					won++
				} else {
					wantError(t, a, 401, "invalid_token")
				}
			}
			require.Equal(t, 1, won)
		})
	}, registering(nil))
}

func TestBadRegistrations(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), registering(func(o *registration.Options) { o.Policy.MaxClients = 2 }))
	token := w.invite(t, 9)
	for name, body := range map[string]string{
		"no JSON": "redirect_uris=x", "a list": "[]", "the implicit grant": `{"redirect_uris": ["` + callback + `"], "grant_types": ["implicit"]}`,
		"unsigned ID tokens": `{"redirect_uris": ["` + callback + `"], "id_token_signed_response_alg": "none"}`,
		"keys inwards":       `{"redirect_uris": ["` + callback + `"], "jwks_uri": "http://169.254.169.254/"}`,
		"TLS without a name": `{"redirect_uris": ["` + callback + `"], "token_endpoint_auth_method": "tls_client_auth"}`,
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			a := w.json(http.MethodPost, registerPath, token, body)
			wantError(t, a, 400, "invalid_client_metadata")
			require.NotContains(t, a.str("error_description"), `"`)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		})
	}
	wantError(t, w.json(http.MethodPost, registerPath, token, `{"software_statement": "e30.e30."}`), 400, "unapproved_software_statement")
	require.Equal(t, http.StatusRequestEntityTooLarge, w.json(http.MethodPost, registerPath, token, `{"x": "`+strings.Repeat("x", 70_000)+`"}`).status)
	require.Equal(t, http.StatusMethodNotAllowed, w.json(http.MethodGet, registerPath, token, "").status)
	form := w.post(registerPath, "", url.Values{})
	require.Equal(t, http.StatusUnauthorized, form.status)
	for range 2 {
		require.Equal(t, http.StatusCreated, w.json(http.MethodPost, registerPath, token, preview).status)
	}
	wantError(t, w.json(http.MethodPost, registerPath, token, preview), 403, "access_denied")
}

func TestOpenRegistration(t *testing.T) {
	from := netip.MustParseAddr("192.0.2.1")
	w := newWorld(t, storetest.SQLite(t), registering(func(o *registration.Options) { o.Open, o.PerSource = true, 3 }), func(o *provider.Options) {
		o.PeerAddr = func(*http.Request) netip.Addr { return from }
	})
	for range 3 {
		require.Equal(t, http.StatusCreated, w.json(http.MethodPost, registerPath, "", preview).status)
	}
	a := w.json(http.MethodPost, registerPath, "", preview)
	wantError(t, a, 429, "temporarily_unavailable")
	require.NotEmpty(t, a.header.Get("Retry-After"))
	require.Equal(t, http.StatusCreated, w.json(http.MethodPost, registerPath, w.invite(t, 1), preview).status, "who is invited is not counted")
	wantError(t, w.json(http.MethodPost, registerPath, "wrong", preview), 401, "invalid_token")
	from = netip.MustParseAddr("192.0.2.2")
	require.Equal(t, http.StatusCreated, w.json(http.MethodPost, registerPath, "", preview).status)
	events, err := w.store.ListEvents(t.Context(), store.EventQuery{Kind: "client_registered"})
	require.NoError(t, err)
	require.Len(t, events, 5)
	require.Equal(t, "192.0.2.1", events[0].RemoteAddr)
	require.NotEmpty(t, events[0].ClientID)
	require.NotEmpty(t, events[0].RequestID)
}

func TestManagingARegistration(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		a := w.registered(t, preview)
		id, secret := a.str("client_id"), a.str("client_secret")
		t.Run("an update replaces everything, and keeps the secret and the tokens", func(t *testing.T) {
			b := w.own(http.MethodPut, a, `{"client_id": "`+id+`", "redirect_uris": ["https://new.example.com/cb"], "client_name": "New"}`)
			require.Equal(t, http.StatusOK, b.status, b.raw)
			require.Equal(t, "New", b.str("client_name"))
			require.NotContains(t, b.body, "policy_uri")
			require.NotContains(t, b.body, "client_secret")
			require.Equal(t, a.str("registration_access_token"), b.str("registration_access_token"))
			require.Equal(t, a.body["client_id_issued_at"], b.body["client_id_issued_at"])
			stored, err := w.store.FindClient(t.Context(), id)
			require.NoError(t, err)
			require.Equal(t, []string{client.HashSecret(secret)}, stored.SecretHashes)
			require.True(t, isLogin(w.newBrowser().get(ask(id, "redirect_uri", "https://new.example.com/cb"))), "at once")
		})
		t.Run("a secret that is repeated must be the right one", func(t *testing.T) {
			b := w.own(http.MethodPut, a, without(a.body))
			require.Equal(t, http.StatusOK, b.status, b.raw)
			require.Equal(t, secret, b.str("client_secret"))
			wantError(t, w.own(http.MethodPut, a, without(a.body, "client_secret", "chosen by the client")), 400, "invalid_client_metadata")
		})
		t.Run("another method of authentication needs another secret, or none", func(t *testing.T) {
			b := w.own(http.MethodPut, a, without(a.body, "client_secret", nil, "token_endpoint_auth_method", "client_secret_post"))
			require.Equal(t, http.StatusOK, b.status, b.raw)
			require.NotEmpty(t, b.str("client_secret"))
			require.NotEqual(t, secret, b.str("client_secret"))
			wantError(t, w.own(http.MethodPut, a, without(a.body, "token_endpoint_auth_method", "client_secret_post")), 400, "invalid_client_metadata")
			b = w.own(http.MethodPut, a, without(a.body, "client_secret", nil, "token_endpoint_auth_method", "none"))
			require.Equal(t, http.StatusOK, b.status, b.raw)
			require.NotContains(t, b.body, "client_secret")
			stored, err := w.store.FindClient(t.Context(), id)
			require.NoError(t, err)
			require.Empty(t, stored.SecretHashes)
		})
		t.Run("what is not the client's to set is refused", func(t *testing.T) {
			for _, body := range []string{
				without(a.body, "client_id", "app"), without(a.body, "client_id", nil), without(a.body, "client_secret", nil, "registration_access_token", "x"),
				without(a.body, "client_secret", nil, "grant_types", []string{"client_credentials"}), "{", without(a.body, "client_secret", nil, "jwks", "x"),
			} {
				wantError(t, w.own(http.MethodPut, a, body), 400, "invalid_client_metadata")
			}
			wantError(t, w.own(http.MethodPut, a, without(a.body, "client_secret", nil, "redirect_uris", []string{"https://x.example/#f"})), 400, "invalid_redirect_uri")
			require.Equal(t, http.StatusMethodNotAllowed, w.own(http.MethodPost, a, "{}").status)
		})
		t.Run("it cannot come to know people by another subject", func(t *testing.T) {
			b := w.registered(t, `{"redirect_uris": ["https://a.example.com/cb"], "subject_type": "pairwise"}`)
			for _, kind := range []any{"public", nil} {
				wantError(t, w.own(http.MethodPut, b, without(b.body, "subject_type", kind)), 400, "invalid_client_metadata")
			}
			require.Equal(t, "pairwise", w.own(http.MethodPut, b, without(b.body)).str("subject_type"))
		})
		t.Run("who has not its token learns nothing", func(t *testing.T) {
			other := w.registered(t, preview)
			var told []string
			for _, target := range []string{id, "dyn_00000000000000000000000000000000", "app", legacyID, "%00", strings.Repeat("x", 300)} {
				for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodPatch} {
					b := w.json(method, registerPath+"/"+target, other.str("registration_access_token"), "{}")
					wantError(t, b, 401, "invalid_token")
					told = append(told, b.raw)
				}
				require.Equal(t, http.StatusUnauthorized, w.json(http.MethodGet, registerPath+"/"+target, "", "").status)
			}
			for _, s := range told {
				require.Equal(t, told[0], s)
			}
		})
		t.Run("a disabled client cannot manage itself", func(t *testing.T) {
			b := w.registered(t, preview)
			stored, err := w.store.FindClient(t.Context(), b.str("client_id"))
			require.NoError(t, err)
			stored.Disabled = true
			require.NoError(t, w.SaveClient(t.Context(), stored))
			for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
				wantError(t, w.own(method, b, without(b.body)), 401, "invalid_token")
			}
		})
		require.NotContains(t, w.log.text(), a.str("registration_access_token"))
		require.NotContains(t, w.log.text(), secret)
	}, registering(nil))
}

func TestDynamicOPSectorIdentifierURIIsChecked(t *testing.T) {
	list := `["https://a.example.com/cb", "https://b.example.com/cb"]`
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(list)) }))
	t.Cleanup(site.Close)
	trusted := x509.NewCertPool()
	trusted.AddCert(site.Certificate())
	body := func(uris ...string) string {
		return without(map[string]any{"redirect_uris": uris, "subject_type": "pairwise", "sector_identifier_uri": site.URL + "/sector"})
	}
	t.Run("a sector that points inwards is never called (attack 14)", func(t *testing.T) {
		w := newWorld(t, storetest.SQLite(t), registering(nil), calling(t, outbound.Options{}))
		a := w.json(http.MethodPost, registerPath, w.invite(t, 1), body("https://a.example.com/cb"))
		wantError(t, a, 400, "invalid_client_metadata")
	})
	w := newWorld(t, storetest.SQLite(t), registering(nil), calling(t, outbound.Options{AllowLoopback: true, RootCAs: trusted}))
	token := w.invite(t, 9)
	a := w.json(http.MethodPost, registerPath, token, body("https://a.example.com/cb", "https://b.example.com/cb"))
	require.Equal(t, http.StatusCreated, a.status, a.raw)
	require.Equal(t, "pairwise", a.str("subject_type"))
	wantError(t, w.json(http.MethodPost, registerPath, token, body("https://a.example.com/cb", "https://c.example.com/cb")), 400, "invalid_client_metadata")
	list = "{}"
	wantError(t, w.json(http.MethodPost, registerPath, token, body("https://a.example.com/cb")), 400, "invalid_client_metadata")
	wantError(t, w.own(http.MethodPut, a, without(a.body)), 400, "invalid_client_metadata")
	site.Close()
	wantError(t, w.json(http.MethodPost, registerPath, token, body("https://a.example.com/cb")), 400, "invalid_client_metadata")
}

func TestAClientMayChangeItselfOnlySoOften(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), registering(func(o *registration.Options) { o.PerSource = 1 }))
	a := w.registered(t, preview)
	for range 10 {
		require.Equal(t, http.StatusOK, w.own(http.MethodPut, a, without(a.body)).status)
	}
	wantError(t, w.own(http.MethodPut, a, without(a.body)), 429, "temporarily_unavailable")
	require.Equal(t, http.StatusOK, w.own(http.MethodGet, a, "").status)
	w.clock.add(time.Hour)
	require.Equal(t, http.StatusOK, w.own(http.MethodPut, a, without(a.body)).status)
}

func TestRegistrationIsOffByDefault(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	require.Equal(t, http.StatusNotFound, w.json(http.MethodPost, registerPath, "", preview).status)
	require.Equal(t, http.StatusNotFound, w.json(http.MethodGet, registerPath+"/app", "x", "").status)
	well := func() answer { return w.json(http.MethodGet, "/.well-known/openid-configuration", "", "") }
	require.NotContains(t, well().body, "registration_endpoint")
	registering(nil)(&w.options)
	w.start(t)
	require.Equal(t, issuer+registerPath, well().str("registration_endpoint"))
	w.options.Registration.Storage = nil
	_, err := registration.New(w.options.Registration)
	require.Error(t, err)
}
