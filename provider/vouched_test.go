package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/upstream"
	"keyway/provider/upstream/upstreamtest"
)

// followedOnEach runs f in a world whose connectors ask their upstream again, keep
// its tokens and sign people out there.
func followedOnEach(t *testing.T, f func(t *testing.T, w *world, idp *upstreamtest.IDP)) {
	t.Helper()
	idp := upstreamtest.New(t)
	onEach(t, func(t *testing.T, w *world) {
		idp.Change(func() { idp.Lie, idp.Now = nil, w.clock.Now })
		returnsTo(idp)
		w.seedApps(t)
		f(t, w, idp)
	}, withUpstream(t, idp, func(c *federation.Connector) {
		c.Follower, _ = c.Upstream.(upstream.Follower)
		c.ByToken, c.Issuer, c.Life = true, idp.URL, federation.Life{KeepTokens: true, SignOut: true}
	}), withAppPasswords(t))
}

// withAppPasswords lets people in by app passwords alone.
func withAppPasswords(t *testing.T) func(*provider.Options) {
	return func(o *provider.Options) {
		db, ok := o.Storage.(*store.Store)
		require.True(t, ok)
		gate, ok := o.Gate.(*identity.Gate)
		require.True(t, ok)
		apps, err := identity.NewAppPasswords(db, o.Users, o.Now)
		require.NoError(t, err)
		o.SignIn, err = identity.NewSignIn(identity.SignInOptions{Users: o.Users, Gate: gate, Authenticator: apps, Now: o.Now})
		require.NoError(t, err)
	}
}

func offline() []string {
	return []string{"connector", "corp", "scope", "openid email read offline_access"}
}

// comes signs somebody in at corp, and returns their tokens at web.
func (b *browser) comes(t *testing.T, idp *upstreamtest.IDP) answer {
	t.Helper()
	a := b.w.redeem("web", returned(t, b.arrives(t, idp, b.get(ask("web", offline()...)))).Get("code"))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return a
}

func (w *world) upstreamSubject(t *testing.T, idp *upstreamtest.IDP) string {
	t.Helper()
	link, err := w.store.FindLink(t.Context(), idp.URL, "u1")
	require.NoError(t, err)
	return link.Subject
}

func leaves(idp *upstreamtest.IDP) {
	idp.Change(func() {
		idp.Status["/token"], idp.Body["/token"] = http.StatusBadRequest, `{"error":"invalid_grant"}`
	})
}

// returnsTo makes the upstream answer as it did at first.
func returnsTo(idp *upstreamtest.IDP) {
	idp.Change(func() {
		clear(idp.Status)
		clear(idp.Body)
	})
}

// CVE-2022-31677 (Pinniped): sessions lived on after the upstream had ended its own.
func TestCVE202231677WhoLeavesTheUpstreamLosesEverythingAtTheNextRefresh(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b, elsewhere := w.newBrowser(), w.newBrowser()
		first, second := b.comes(t, idp), elsewhere.comes(t, idp)
		subject := w.upstreamSubject(t, idp)
		password, hash := identity.NewAppPassword()
		require.NoError(t, w.store.AddAppPassword(t.Context(), &identity.AppPassword{ID: "a1", Subject: subject, System: "faveo", Name: "n", Hash: hash, CreatedAt: w.clock.Now()}))
		legacy := login()
		legacy.Credentials.Username, legacy.Credentials.Password = "alice@corp.example", password
		_, err := w.GrantPassword(t.Context(), legacy)
		require.NoError(t, err)

		w.clock.add(5 * time.Minute)
		a := w.refresh("web", first.str("refresh_token"))
		require.Equal(t, http.StatusOK, a.status, a.raw)
		leaves(idp)
		w.clock.add(4 * time.Minute)
		a = w.refresh("web", a.str("refresh_token"))
		require.Equal(t, http.StatusOK, a.status, "the upstream vouched for them a moment ago")
		granted, err := w.GrantPassword(t.Context(), legacy)
		require.NoError(t, err)
		w.clock.add(time.Minute)
		access := a.str("access_token")
		require.Equal(t, true, w.introspect(access).body["active"])
		wantError(t, w.refresh("web", a.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		require.Equal(t, false, w.introspect(access).body["active"], "at once")
		require.Equal(t, false, w.introspect(granted.AccessToken).body["active"])
		wantError(t, w.refresh("web", second.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		require.True(t, isLogin(b.get(issuer+"/account")))
		require.True(t, isLogin(elsewhere.get(ask("web"))))
		_, err = w.GrantPassword(t.Context(), legacy)
		require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err), "nor by an app password")
		require.Contains(t, w.kinds(t), "upstream_ended")
		require.NotContains(t, w.log.text(), "access-", "no token is logged")

		returnsTo(idp)
		w.newBrowser().comes(t, idp)
		_, err = w.GrantPassword(t.Context(), legacy)
		require.NoError(t, err, "who comes back gets in again")
	})
}

func TestAnAppPasswordAsksTheUpstreamThatMadeTheUser(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		tokens := b.comes(t, idp)
		password, hash := identity.NewAppPassword()
		require.NoError(t, w.store.AddAppPassword(t.Context(), &identity.AppPassword{
			ID: "a1", Subject: w.upstreamSubject(t, idp), System: "faveo", Name: "n", Hash: hash, CreatedAt: w.clock.Now(),
		}))
		legacy := login()
		legacy.Credentials.Username, legacy.Credentials.Password = "alice@corp.example", password
		leaves(idp)
		w.clock.add(5 * time.Minute)
		_, err := w.GrantPassword(t.Context(), legacy)
		require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
		wantError(t, w.refresh("web", tokens.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		require.True(t, isLogin(b.get(issuer+"/account")), "a browser that comes back is not signed in")
	})
}

func TestACallOfALegacySystemAsksTheUpstreamThatVouched(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		w.newBrowser().comes(t, idp)
		now := w.clock.Now()
		s := &provider.Session{ClientID: legacyID, Connector: "corp"}
		s.SetSubject(w.upstreamSubject(t, idp))
		stored, err := s.Encode()
		require.NoError(t, err)
		require.NoError(t, w.store.Issue(t.Context(), &provider.Issue{
			GrantID: "legacy", NewGrant: &provider.GrantRecord{
				ID: "legacy", ClientID: legacyID, Subject: s.Subject, System: "faveo", Connector: "corp", Session: stored, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
			},
			Tokens: []provider.TokenRecord{{Hash: provider.HashToken("legacy"), GrantID: "legacy", Kind: provider.KindAccess, IssuedAt: now, ExpiresAt: now.Add(time.Hour)}},
		}))
		q := provider.TokenQuery{Client: legacyID, Token: "legacy"}
		leaves(idp)
		w.clock.add(4 * time.Minute)
		_, err = w.InspectGrant(t.Context(), q)
		require.NoError(t, err)
		w.clock.add(time.Minute)
		_, err = w.InspectGrant(t.Context(), q)
		require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
		_, err = w.InspectGrant(t.Context(), q)
		require.ErrorIs(t, err, provider.ErrRevoked)
	})
}

func TestWhileTheUpstreamIsAwayNobodyLosesAnything(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		tokens := b.comes(t, idp)
		idp.Change(func() { idp.Status["/token"] = http.StatusBadGateway })
		w.clock.add(30 * time.Minute)
		tokens = w.refresh("web", tokens.str("refresh_token"))
		require.Equal(t, http.StatusOK, tokens.status, tokens.raw)
		require.False(t, isLogin(b.get(issuer+"/account")))
		w.clock.add(30 * time.Minute)
		a := w.refresh("web", tokens.str("refresh_token"))
		wantError(t, a, http.StatusServiceUnavailable, "temporarily_unavailable")
		require.NotEmpty(t, a.header.Get("Retry-After"))
		require.True(t, isLogin(b.get(issuer+"/account")), "there may be another way in")
		returnsTo(idp)
		w.clock.add(time.Minute)
		require.False(t, isLogin(b.get(issuer+"/account")), "the session was not ended")
		require.Equal(t, http.StatusOK, w.refresh("web", tokens.str("refresh_token")).status)
	})
}

// seedTaker is a service that may exchange tokens, and take those of some upstreams.
func (w *world) seedTaker(t *testing.T, take ...string) {
	t.Helper()
	secret, hash := client.NewSecret()
	w.secrets["taker"] = secret
	require.NoError(t, w.SaveClient(t.Context(), &provider.Client{
		ID: "taker", AuthMethod: provider.AuthSecretBasic, SecretHashes: []string{hash}, GrantTypes: []string{exchangeGrant}, MayExchange: true,
		MayTakeUpstream: take, Scopes: []string{"read"}, Audience: []string{"https://api.example.com"},
	}))
}

// CVE-2024-39315 (Pomerium): a page for people showed the upstream's tokens.
func TestCVE202439315UpstreamTokensAreHandedToWhoMayTakeThemAndShownNowhere(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		w.seedTaker(t, "corp")
		b := w.newBrowser()
		tokens := b.comes(t, idp)
		subject := tokens.str("access_token")
		a := w.exchangeToken("taker", subject, "audience", "urn:keyway:upstream:corp")
		require.Equal(t, http.StatusOK, a.status, a.raw)
		taken := a.str("access_token")
		require.True(t, strings.HasPrefix(taken, "access-"), a.raw)
		require.Equal(t, []any{"Bearer", "urn:ietf:params:oauth:token-type:access_token", float64(60)}, []any{a.body["token_type"], a.body["issued_token_type"], a.body["expires_in"]})
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		require.Contains(t, w.kinds(t), "upstream_token_taken")
		w.clock.add(30 * time.Second)
		again := w.exchangeToken("taker", subject, "resource", "urn:keyway:upstream:corp")
		require.Equal(t, http.StatusOK, again.status, again.raw)
		require.NotEqual(t, taken, again.str("access_token"), "one that ends in a moment is renewed")

		for name, a := range map[string]answer{
			"another connector's":                w.exchangeToken("taker", subject, "audience", "urn:keyway:upstream:other"),
			"beside another target":              w.exchangeToken("taker", subject, "audience", "urn:keyway:upstream:corp", "resource", "https://api.example.com"),
			"with scopes":                        w.exchangeToken("taker", subject, "audience", "urn:keyway:upstream:corp", "scope", "read"),
			"as another type":                    w.exchangeToken("taker", subject, "audience", "urn:keyway:upstream:corp", "requested_token_type", "urn:ietf:params:oauth:token-type:jwt"),
			"for a token that is none":           w.exchangeToken("taker", "kw_at_nothing", "audience", "urn:keyway:upstream:corp"),
			"for the upstream's own in exchange": w.exchangeToken("taker", taken, "audience", "urn:keyway:upstream:corp"),
		} {
			require.Equal(t, http.StatusBadRequest, a.status, name)
			require.NotContains(t, a.raw, "access-", name)
		}
		w.seedTaker(t)
		wantError(t, w.exchangeToken("taker", subject, "audience", "urn:keyway:upstream:corp"), http.StatusBadRequest, "invalid_target")

		link, err := w.store.FindLink(t.Context(), idp.URL, "u1")
		require.NoError(t, err)
		for _, shown := range []string{
			b.get(issuer + "/account").raw, w.userinfo(subject).raw, w.introspect(subject).raw, w.log.text(),
			w.refresh("web", tokens.str("refresh_token")).raw, b.get(issuer + "/oauth2/logout").raw,
		} {
			for _, secret := range []string{string(link.AccessToken), string(link.RefreshToken), taken} {
				require.NotContains(t, shown, secret)
			}
		}

		subject = w.newBrowser().comes(t, idp).str("access_token")
		_, err = w.store.SaveFederated(t.Context(), &identity.Federated{
			Connector: "other", Issuer: idp.URL, Subject: "u1", LoginName: identity.LoginName{Directory: "default", Name: "alice@corp.example"},
			AccessToken: []byte("access-of-another-client"),
		}, false)
		require.NoError(t, err)
		w.seedTaker(t, "corp")
		a = w.exchangeToken("taker", subject, "audience", "urn:keyway:upstream:corp")
		wantError(t, a, http.StatusBadRequest, "invalid_target")
		require.NotContains(t, a.raw, "access-", "what the person's next sign-in brought by another connector to the same upstream")
	})
}

func TestASignOutGoesUpAndComesBackToTheClient(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		tokens := b.comes(t, idp)
		out := func(b *browser, tokens answer) url.Values {
			a := b.send(http.MethodGet, issuer+"/oauth2/logout?"+url.Values{
				"id_token_hint": {tokens.str("id_token")}, "post_logout_redirect_uri": {"https://app.example.com/bye"}, "state": {"the client's"},
			}.Encode(), nil)
			require.Equal(t, http.StatusSeeOther, a.status, a.raw)
			to, err := url.Parse(a.header.Get("Location"))
			require.NoError(t, err)
			require.Equal(t, idp.URL+"/logout", to.Scheme+"://"+to.Host+to.Path)
			return to.Query()
		}
		sent := out(b, tokens)
		require.Equal(t, issuer+"/login/signed-out/corp", sent.Get("post_logout_redirect_uri"))
		require.NotContains(t, sent.Get("state"), "client")
		require.Equal(t, 3, len(strings.Split(sent.Get("id_token_hint"), ".")))
		require.True(t, isLogin(b.get(issuer+"/account")), "signed out here, whatever becomes of the trip")
		returns := func(b *browser, connector, state string) answer {
			return b.send(http.MethodGet, issuer+"/login/signed-out/"+connector+"?"+url.Values{"state": {state}, "post_logout_redirect_uri": {"https://evil.example"}}.Encode(), nil)
		}
		stays := func(a answer) {
			require.Equal(t, http.StatusOK, a.status, a.raw)
			require.Empty(t, a.header.Get("Location"))
		}
		a := returns(b, "corp", sent.Get("state"))
		require.Equal(t, "https://app.example.com/bye?state=the+client%27s", a.header.Get("Location"))
		stays(returns(b, "corp", sent.Get("state"))) // once
		stays(returns(b, "corp", ""))
		stays(returns(b, "corp", strings.Repeat("x", 5000)))
		sent = out(b, b.comes(t, idp))
		stays(returns(w.newBrowser(), "corp", sent.Get("state")))
		sent = out(b, b.comes(t, idp))
		stays(returns(b, "other", sent.Get("state")))
		sent = out(b, b.comes(t, idp))
		wantPage(t, b.get(back("corp", sent)), http.StatusBadRequest) // it ends no sign-in
		wantPage(t, b.send(http.MethodPost, issuer+"/login/signed-out/corp", url.Values{}), http.StatusMethodNotAllowed)

		away := func(a answer) {
			require.True(t, strings.HasPrefix(a.header.Get("Location"), idp.URL+"/logout?"), a.header.Get("Location"))
		}
		b.comes(t, idp)
		away(b.accountForm(t, "/signout"))
		b.comes(t, idp)
		page := b.get(issuer + "/oauth2/logout")
		require.Contains(t, page.header.Get("Content-Security-Policy"), "form-action 'self' https:", "or the browser would stay")
		away(b.submit(t, page, "decision", "logout"))

		b = w.newBrowser()
		b.comes(t, idp)
		idp.Change(func() { idp.Status["/token"] = http.StatusBadGateway })
		w.clock.add(2 * time.Hour)
		away(b.submit(t, b.get(issuer+"/oauth2/logout"), "decision", "logout")) // who leaves may, whether the upstream answers or not
	})
}

// logoutOf is a logout token of the upstream.
func logoutOf(idp *upstreamtest.IDP, id string, more map[string]any) string {
	claims := map[string]any{
		"iss": idp.URL, "aud": upstreamtest.ClientID, "iat": idp.Now().Unix(), "exp": idp.Now().Add(time.Minute).Unix(), "jti": id,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	for name, v := range more {
		claims[name] = v
	}
	return idp.Sign(claims, "logout+jwt")
}

func (w *world) tells(connector, token string) answer {
	return w.post("/login/backchannel/"+connector, "", url.Values{"logout_token": {token}})
}

func TestALogoutComesDown(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		w.change(t, "web", func(c *provider.Client) { c.BackchannelLogoutURI = "https://app.example.com/out" })
		b := w.newBrowser()
		b.comes(t, idp)
		short := w.redeem("web", returned(t, b.get(ask("web", "scope", "openid read"))).Get("code"))
		token := logoutOf(idp, "j1", map[string]any{"sid": "s1"})
		for name, a := range map[string]answer{
			"nothing":                 w.tells("corp", ""),
			"no token":                w.tells("corp", "a.b.c"),
			"an ID token":             w.tells("corp", idp.Sign(map[string]any{"iss": idp.URL, "aud": upstreamtest.ClientID, "sub": "u1", "exp": idp.Now().Add(time.Minute).Unix()}, "JWT")),
			"for another client":      w.tells("corp", logoutOf(idp, "j0", map[string]any{"sid": "s1", "aud": "x"})),
			"at no connector":         w.tells("nowhere", token),
			"by a key that is not it": w.tells("corp", token[:len(token)-8]+"AAAAAAAA"),
		} {
			require.Equal(t, http.StatusBadRequest, a.status, name)
			require.Equal(t, "no-store", a.header.Get("Cache-Control"), name)
		}
		require.Equal(t, http.StatusMethodNotAllowed, w.do(b.request(http.MethodGet, issuer+"/login/backchannel/corp")).status)
		require.False(t, isLogin(b.get(issuer+"/account")))
		other, err := provider.New(t.Context(), w.options) // another replica
		require.NoError(t, err)
		known := w.redeem("web", returned(t, b.get(ask("web", "scope", "openid read"))).Get("code")).str("access_token")
		require.Equal(t, true, w.introspect(known).body["active"])
		require.NoError(t, other.RevokeGrant(t.Context(), provider.TokenQuery{Client: "web", Token: known}))
		require.Equal(t, http.StatusBadRequest, w.tells("corp", "a.b.c").status)
		require.Equal(t, true, w.introspect(known).body["active"], "whoever posts nonsense makes nobody read everything anew")

		a := w.tells("corp", token)
		require.Equal(t, http.StatusOK, a.status, a.raw)
		require.Equal(t, "no-store", a.header.Get("Cache-Control"))
		require.True(t, isLogin(b.get(issuer+"/account")))
		require.Equal(t, false, w.introspect(short.str("access_token")).body["active"])
		notices, err := w.store.ClaimNotices(t.Context(), 10, w.clock.Now().Add(time.Minute))
		require.NoError(t, err)
		require.Len(t, notices, 1)
		require.Equal(t, "web", notices[0].ClientID)
		require.Contains(t, w.kinds(t), "upstream_logout")

		b.comes(t, idp)
		require.Equal(t, http.StatusBadRequest, w.tells("corp", token).status, "a logout token is good for once")
		require.False(t, isLogin(b.get(issuer+"/account")))
		require.Equal(t, http.StatusOK, w.tells("corp", logoutOf(idp, "j2", map[string]any{"sub": "u1"})).status)
		require.True(t, isLogin(b.get(issuer+"/account")))
	})
}

func TestALogoutOfTheUpstreamIsObeyedOnceOfFifty(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		w.newBrowser().comes(t, idp)
		token := logoutOf(idp, "j1", map[string]any{"sid": "s1"})
		var all sync.WaitGroup
		status := make([]int, 50)
		for i := range status {
			all.Go(func() { status[i] = w.tells("corp", token).status })
		}
		all.Wait()
		good := 0
		for _, s := range status {
			if s == http.StatusOK {
				good++
			}
		}
		require.Equal(t, 1, good)
	})
}

// CVE-2025-46815 (ZITADEL): what came of a sign-in at an upstream could be used again
// and again.
func TestCVE202546815WhatCameOfASignInAtAnUpstreamIsUsedOnce(t *testing.T) {
	followedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		sent := isAway(t, idp, b.get(ask("web", offline()...)))
		var all sync.WaitGroup
		got := make([]answer, 20)
		for i := range got {
			other := w.newBrowser()
			for name, c := range b.cookies {
				other.cookies[name] = c
			}
			all.Go(func() { got[i] = other.send(http.MethodGet, back("corp", sent), nil) })
		}
		all.Wait()
		in := 0
		for _, a := range got {
			if a.status == http.StatusSeeOther {
				in++
			}
		}
		require.Equal(t, 1, in)
		require.Equal(t, http.StatusBadRequest, b.get(back("corp", sent)).status)
		subject := w.upstreamSubject(t, idp)
		sessions, err := w.store.ListSessions(t.Context(), subject)
		require.NoError(t, err)
		require.Len(t, sessions, 1)
	})
}
