package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/outbound"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream/mapping"
	"keyway/provider/upstream/oidc"
	"keyway/provider/upstream/upstreamtest"
)

// upstreamOnEach runs f in a world with the connectors corp and other, both of one
// identity provider.
func upstreamOnEach(t *testing.T, f func(t *testing.T, w *world, idp *upstreamtest.IDP)) {
	t.Helper()
	idp := upstreamtest.New(t)
	onEach(t, func(t *testing.T, w *world) {
		idp.Lie, idp.Now = nil, w.clock.Now
		w.seedApps(t)
		f(t, w, idp)
	}, withUpstream(t, idp))
}

// withUpstream gives a provider the connectors corp and other.
func withUpstream(t *testing.T, idp *upstreamtest.IDP, change ...func(*federation.Connector)) func(*provider.Options) {
	return func(o *provider.Options) {
		calls, err := outbound.New(outbound.Options{AllowLoopback: true})
		require.NoError(t, err)
		db, ok := o.Storage.(*store.Store)
		require.True(t, ok)
		var all []federation.Connector
		for _, id := range []string{"corp", "other"} {
			up, err := oidc.New(oidc.Options{
				Issuer: idp.URL, ClientID: upstreamtest.ClientID, ClientSecret: "s", RedirectURL: issuer + "/login/callback/" + id, HTTP: calls.HTTP(), Now: o.Now,
			})
			require.NoError(t, err)
			m, err := mapping.New(mapping.Options{Connector: id, Allow: `claims.email != "blocked@corp.example"`})
			require.NoError(t, err)
			one := federation.Connector{ID: id, Name: strings.ToUpper(id), Upstream: up, Mapper: m, Create: true}
			for _, f := range change {
				f(&one)
			}
			all = append(all, one)
		}
		all[0].Domains = []string{"corp.example"}
		o.Federation, err = federation.New(federation.Options{Connectors: all, Storage: db, Links: db, Key: make([]byte, 32), Now: o.Now})
		require.NoError(t, err)
	}
}

// isAway requires that the browser was sent to the upstream, and returns with what.
func isAway(t *testing.T, idp *upstreamtest.IDP, a answer) url.Values {
	t.Helper()
	require.Equal(t, http.StatusSeeOther, a.status, a.raw)
	require.True(t, strings.HasPrefix(a.header.Get("Location"), idp.URL+"/authorize?"), a.header.Get("Location"))
	u, err := url.Parse(a.header.Get("Location"))
	require.NoError(t, err)
	idp.Nonce = u.Query().Get("nonce")
	return u.Query()
}

// back is what the browser brings back.
func back(connector string, sent url.Values) string {
	return issuer + "/login/callback/" + connector + "?" + url.Values{"code": {"c"}, "state": {sent.Get("state")}}.Encode()
}

// arrives goes to the upstream and comes back, from the answer that leads there.
func (b *browser) arrives(t *testing.T, idp *upstreamtest.IDP, a answer) answer {
	t.Helper()
	a = b.get(back("corp", isAway(t, idp, a)))
	if isConsent(a) {
		a = b.submit(t, a, "decision", "allow")
	}
	return a
}

// restrict makes a client one for the people of some connectors.
func (w *world) restrict(t *testing.T, id string, connectors ...string) {
	t.Helper()
	c, err := w.store.FindClient(t.Context(), id)
	require.NoError(t, err)
	c.Connectors = connectors
	require.NoError(t, w.SaveClient(t.Context(), c))
}

func (w *world) kinds(t *testing.T) []string {
	t.Helper()
	all, err := w.store.ListEvents(t.Context(), store.EventQuery{})
	require.NoError(t, err)
	var kinds []string
	for _, e := range all {
		if e.Connector != "" {
			kinds = append(kinds, e.Kind)
		}
	}
	return kinds
}

func TestWhatLeadsToAnUpstream(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		page := b.get(ask("web"))
		require.Contains(t, page.raw, `value="other"`)
		require.Contains(t, page.header.Get("Content-Security-Policy"), "form-action 'self' https:")
		sent := isAway(t, idp, b.submit(t, page, "username", "Zoe@Corp.Example", "password", "never looked at"))
		require.Equal(t, "Zoe@Corp.Example", sent.Get("login_hint"))
		require.Equal(t, issuer+"/login/callback/corp", sent.Get("redirect_uri"))
		require.NotContains(t, w.log.text(), "never looked at")

		sent = isAway(t, idp, b.get(ask("web", "login_hint", "alice@corp.example", "ui_locales", "de", "acr_values", "gold urn:keyway:password")))
		require.Equal(t, []string{"alice@corp.example", "de", "gold"}, []string{sent.Get("login_hint"), sent.Get("ui_locales"), sent.Get("acr_values")})
		require.False(t, sent.Has("prompt") || sent.Has("max_age"))
		sent = isAway(t, idp, b.get(ask("web", "connector", "corp", "prompt", "login")))
		require.Equal(t, []string{"login", "0"}, []string{sent.Get("prompt"), sent.Get("max_age")})
		require.True(t, isLogin(b.get(ask("web", "connector", "unheard-of"))))
		wantReply(t, b.get(ask("web", "connector", "corp", "prompt", "none")), "login_required")

		w.restrict(t, "web", "corp")
		isAway(t, idp, b.get(ask("web")))
		w.restrict(t, "web", "corp", "other")
		page = b.get(ask("web"))
		require.NotContains(t, page.raw, `name="password"`)
		w.restrict(t, "web", "local")
		page = b.get(ask("web", "connector", "corp"))
		require.NotContains(t, page.raw, "upstream-form")
		refused := b.submit(t, page, "username", "a@corp.example", "password", "x")
		require.Equal(t, http.StatusBadRequest, refused.status)
		require.Contains(t, refused.raw, "login-error")
	})
}

func TestWhoComesBackIsSignedIn(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		got := returned(t, b.arrives(t, idp, b.get(ask("web", "connector", "corp", "scope", "openid email offline_access"))))
		a := w.redeem("web", got.Get("code"))
		require.Equal(t, http.StatusOK, a.status, a.raw)
		id := w.idToken(t, a)
		require.Equal(t, []any{"pwd", "otp"}, id["amr"])
		require.Equal(t, "gold", id["acr"])
		require.Equal(t, "alice@corp.example", w.userinfo(a.str("access_token")).str("email"))
		require.Contains(t, b.get(issuer+"/account").raw, "alice@corp.example")
		got = returned(t, b.get(ask("web"))) // the session goes on without the upstream
		require.NotEmpty(t, got.Get("code"))
		require.Equal(t, []string{"user_provisioned", "login"}, w.kinds(t))

		idp.Lie = func(c map[string]any) { c["acr"], c["amr"] = "urn:keyway:password", []string{strings.Repeat("a", 100)} }
		b = w.newBrowser()
		got = returned(t, b.arrives(t, idp, b.get(ask("web", "connector", "corp"))))
		id = w.idToken(t, w.redeem("web", got.Get("code")))
		require.NotContains(t, id, "acr", "what is ours to say is not the upstream's")
		require.NotContains(t, id, "amr")
	})
}

// GHSA-7qjx-gp9h-65qj (Dex): the connectors of a client hold on every grant.
func TestGHSA7qjxAClientsConnectorsHoldOnEveryGrant(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		offline := []string{"connector", "corp", "scope", "openid read offline_access"}
		code := returned(t, b.arrives(t, idp, b.get(ask("web", offline...)))).Get("code")
		tokens := w.redeem("web", returned(t, b.get(ask("web", offline...))).Get("code"))
		secret, hash := client.NewSecret()
		w.secrets["swap"] = secret
		swap := provider.Client{ID: "swap", AuthMethod: provider.AuthSecretBasic, SecretHashes: []string{hash}, MayExchange: true, GrantTypes: []string{exchangeGrant}, Scopes: []string{"read"}, Audience: []string{"https://api.example.com"}}
		require.NoError(t, w.SaveClient(t.Context(), &swap))
		good := w.exchangeToken("swap", tokens.str("access_token"))
		require.Equal(t, http.StatusOK, good.status, good.raw)

		for _, id := range []string{"web", "swap"} {
			w.restrict(t, id, "local", "other")
		}
		wantError(t, w.redeem("web", code), http.StatusBadRequest, "invalid_grant")
		wantError(t, w.refresh("web", tokens.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		wantError(t, w.exchangeToken("swap", tokens.str("access_token")), http.StatusBadRequest, "invalid_grant")
		require.True(t, isLogin(b.get(ask("web"))), "and the session is none for it")

		w.restrict(t, "web", "corp")
		local := w.newBrowser()
		local.signIn(t, ask("native"))
		isAway(t, idp, local.get(ask("web")))
		w.restrict(t, "web", "local")
		got := w.newBrowser()
		a := got.get(ask("web"))
		w.restrict(t, "web", "corp")
		a = got.submit(t, a, "username", "alice", "password", password)
		require.Equal(t, http.StatusBadRequest, a.status, "no password is looked at for such a client")
		require.Contains(t, a.raw, "login-error")
	})
}

func TestEverySignInThatFailsEndsOnAPage(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		stranded := func(t *testing.T, a answer, status int, code string) {
			t.Helper()
			wantPage(t, a, status)
			require.Contains(t, w.log.text(), "login_upstream_"+code)
			if code != "untrusted" {
				require.Contains(t, a.raw, `id="retry"`)
			}
		}
		begin := func(t *testing.T) (*browser, url.Values) {
			t.Helper()
			b := w.newBrowser()
			return b, isAway(t, idp, b.get(ask("web", "connector", "corp")))
		}
		b, sent := begin(t)
		stranded(t, w.newBrowser().get(back("corp", sent)), http.StatusBadRequest, "untrusted")
		stranded(t, b.get(back("corp", sent)), http.StatusBadRequest, "untrusted") // the trip is over
		b, sent = begin(t)
		stranded(t, b.get(back("other", sent)), http.StatusBadRequest, "untrusted")
		wantPage(t, b.get(back("nowhere", sent)), http.StatusNotFound)
		b, sent = begin(t)
		idp.Lie = func(c map[string]any) { c["nonce"] = "x" }
		stranded(t, b.get(back("corp", sent)), http.StatusBadRequest, "untrusted")
		b, sent = begin(t)
		retry := b.get(issuer + "/login/callback/corp?error=access_denied&state=" + sent.Get("state"))
		stranded(t, retry, http.StatusForbidden, "refused")
		_, href, _ := strings.Cut(retry.raw, `id="retry" href="`)
		href, _, _ = strings.Cut(href, `"`)
		require.True(t, isLogin(b.get("https://id.example.com"+strings.ReplaceAll(href, "&amp;", "&"))), "there is another way")
		b, sent = begin(t)
		idp.Lie = func(c map[string]any) { c["email"] = "blocked@corp.example" }
		stranded(t, b.get(back("corp", sent)), http.StatusForbidden, "refused")
		b, sent = begin(t)
		idp.Lie = func(c map[string]any) { c["email"] = "alice" } // a local user's name
		stranded(t, b.get(back("corp", sent)), http.StatusForbidden, "collision")
		users, err := w.store.ListUsers(t.Context(), "", "", 10)
		require.NoError(t, err)
		require.Len(t, users, 1, "nobody was made")
		require.Equal(t, []string{"upstream_untrusted", "upstream_untrusted", "upstream_untrusted", "upstream_refused", "upstream_refused", "upstream_collision"}, w.kinds(t))

		idp.Lie = nil
		b, _ = begin(t)
		returned(t, b.arrives(t, idp, b.get(ask("web", "connector", "corp"))))
		link, err := w.store.FindLink(t.Context(), idp.URL, "u1")
		require.NoError(t, err)
		require.NoError(t, w.store.SetStatus(t.Context(), link.Subject, identity.StatusDisabled))
		b, sent = begin(t)
		stranded(t, b.get(back("corp", sent)), http.StatusForbidden, "disabled")
		require.True(t, isLogin(b.get(ask("web"))), "nobody is signed in")
	})
}

func TestAnAnswerByPostIsTakenAsItIs(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		sent := isAway(t, idp, b.get(ask("native", "connector", "corp")))
		a := b.post(issuer+"/login/callback/corp", url.Values{"code": {"c"}, "state": {sent.Get("state")}})
		require.True(t, isConsent(a) || a.status == http.StatusSeeOther, a.raw)
		wantPage(t, b.get(issuer+"/login/upstream"), http.StatusMethodNotAllowed)
		id := b.get(ask("web", "prompt", "login"))
		action, values := fields(t, id)
		require.Equal(t, "/tenant/login", action)
		values.Set("connector", "corp")
		values.Set("csrf", "x")
		require.Equal(t, http.StatusForbidden, b.post(issuer+"/login/upstream", values).status)
	})
}

func TestAClientsConnectorsHoldForDevices(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, _ *upstreamtest.IDP) {
		w.seedDevices(t)
		begun := w.begin(t, "tv")
		require.True(t, isDone(w.newBrowser().decides(t, begun, "allow")))
		w.restrict(t, "tv", "corp")
		wantError(t, w.pollLater(begun), http.StatusBadRequest, "invalid_grant")
		b := w.newBrowser()
		a := b.submit(t, b.toCode(t, issuer+"/device"), "user_code", w.begin(t, "tv").str("user_code"))
		wantPage(t, a, http.StatusForbidden)
	})
}

func TestAnUpstreamIsAskedAnewForAnAppPassword(t *testing.T) {
	idp := upstreamtest.New(t)
	w := newWorld(t, storetest.SQLite(t), withUpstream(t, idp), withDesk(t))
	idp.Now = w.clock.Now
	w.seedApps(t)
	b := w.newBrowser()
	b.arrives(t, idp, b.get(ask("web", "connector", "corp")))
	w.clock.add(20 * time.Minute)
	page := b.accountForm(t, "/apps/again")
	require.True(t, isLogin(page), page.raw)
	again := func() url.Values {
		return isAway(t, idp, b.submit(t, page, "username", "zoe@corp.example"))
	}
	sent := again()
	require.Equal(t, []string{"login", "0"}, []string{sent.Get("prompt"), sent.Get("max_age")})
	idp.Lie = func(c map[string]any) { c["auth_time"] = w.clock.Now().Add(-time.Hour).Unix() }
	wantPage(t, b.get(back("corp", sent)), http.StatusBadRequest)
	idp.Lie = func(c map[string]any) { delete(c, "auth_time") }
	wantPage(t, b.get(back("corp", again())), http.StatusBadRequest)
	link, err := w.store.FindLink(t.Context(), idp.URL, "u1")
	require.NoError(t, err)
	signedIn := func() time.Duration {
		sessions, err := w.store.ListSessions(t.Context(), link.Subject)
		require.NoError(t, err)
		require.Len(t, sessions, 1)
		return w.clock.Now().Sub(sessions[0].AuthTime)
	}
	require.Equal(t, 20*time.Minute, signedIn(), "neither was a sign-in of now")
	idp.Lie = nil
	b.get(back("corp", again()))
	require.Zero(t, signedIn())
}

func TestWhatCameOfAConnectorThatIsGoneEnds(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		b.arrives(t, idp, b.get(ask("web", "connector", "corp")))
		require.False(t, isLogin(b.get(issuer+"/account")))
		for _, connector := range []string{"corp", "gone"} {
			require.NoError(t, w.store.AddLink(t.Context(), &identity.Link{
				Connector: connector, Issuer: "https://" + connector, UpstreamSubject: "alice", Subject: w.alice, Origin: identity.LinkByAdmin, SeenAt: w.clock.Now(),
			}))
		}
		for connector, status := range map[string]int{"corp": http.StatusOK, "gone": http.StatusBadRequest} {
			s := &provider.Session{ClientID: "app", AuthTime: w.clock.Now().Unix(), Connector: connector}
			s.SetSubject(w.alice)
			refresh, _ := w.sessionOf(t, "app", s)
			require.Equal(t, status, w.refresh("app", refresh).status, connector)

			visitor, value := w.newBrowser(), "session at "+connector
			require.NoError(t, w.store.StartSession(t.Context(), &provider.SessionStart{Session: provider.BrowserSession{
				Hash: provider.HashToken(value), ID: connector, Subject: w.alice, Connector: connector,
				CreatedAt: w.clock.Now(), SeenAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(time.Hour),
			}}))
			for name, c := range b.cookies {
				if strings.Contains(name, "keyway_session") {
					visitor.cookies[name] = &http.Cookie{Name: c.Name, Value: value}
				}
			}
			require.Equal(t, connector == "gone", isLogin(visitor.get(issuer+"/account")), connector)
		}
	})
}
