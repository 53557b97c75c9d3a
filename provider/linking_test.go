package provider_test

import (
	"net/http"
	"net/url"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream/upstreamtest"
)

var firstLink = regexp.MustCompile(`name="id" value="([0-9a-f]{32})">\s*<button id="unlink-0"`)

// isLinked goes to the upstream of a connector from the account page, and comes back.
func (b *browser) isLinked(t *testing.T, idp *upstreamtest.IDP, connector string) answer {
	t.Helper()
	return b.get(back(connector, isAway(t, idp, b.accountForm(t, "/links/add", "connector", connector))))
}

// unlinks posts the first link's form.
func (b *browser) unlinks(t *testing.T) answer {
	t.Helper()
	id := firstLink.FindStringSubmatch(b.get(issuer + "/account").raw)
	require.NotNil(t, id)
	return b.accountForm(t, "/links/remove", "id", id[1])
}

func (w *world) linkedTo(t *testing.T, idp *upstreamtest.IDP, upstreamSubject string) string {
	t.Helper()
	l, err := w.store.FindLink(t.Context(), idp.URL, upstreamSubject)
	if err != nil {
		require.ErrorIs(t, err, identity.ErrNotFound)
		return ""
	}
	require.Equal(t, identity.LinkProved, l.Origin)
	return l.Subject
}

func TestPeopleLinkTheirAccountAndUnlinkIt(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		own := w.newBrowser()
		before := own.tokens(t, "web", "scope", "openid email offline_access")
		page := own.get(issuer + "/account")
		require.Contains(t, page.raw, `id="link-to-corp"`)
		require.Contains(t, page.header.Get("Content-Security-Policy"), "form-action 'self' https:")
		away := own.accountForm(t, "/links/add", "connector", "corp")
		sent := isAway(t, idp, away)
		require.Equal(t, "login", sent.Get("prompt"), "whoever is signed in there may be somebody else")
		require.Equal(t, "no-referrer", away.header.Get("Referrer-Policy"))
		page = own.get(back("corp", sent))
		require.Contains(t, page.raw, "Your account is linked")
		require.Contains(t, page.raw, "<strong>CORP</strong>")
		require.NotContains(t, page.raw, `id="link-to-corp"`)
		require.Contains(t, page.raw, `id="link-to-other"`)
		require.Equal(t, w.alice, w.linkedTo(t, idp, "u1"))

		linked := w.newBrowser()
		got := returned(t, linked.arrives(t, idp, linked.get(ask("web", "connector", "corp", "scope", "openid email offline_access"))))
		tokens := w.redeem("web", got.Get("code"))
		require.Equal(t, w.alice, w.idToken(t, tokens)["sub"])
		require.Equal(t, "alice@example.com", w.userinfo(tokens.str("access_token")).str("email"), "her claims stay her own")

		require.Contains(t, own.unlinks(t).raw, "The link is gone")
		require.Empty(t, w.linkedTo(t, idp, "u1"))
		require.True(t, isLogin(linked.get(issuer+"/account")), "who came by it is signed out")
		wantError(t, w.refresh("web", tokens.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		require.Equal(t, http.StatusUnauthorized, w.userinfo(tokens.str("access_token")).status, "at once")
		require.False(t, isLogin(own.get(issuer+"/account")))
		require.Equal(t, http.StatusOK, w.refresh("web", before.str("refresh_token")).status)
		require.Equal(t, []string{"user_linked", "login", "user_unlinked"}, w.kinds(t))
		events, err := w.store.ListEvents(t.Context(), store.EventQuery{Subject: w.alice, Kind: "user_unlinked"})
		require.NoError(t, err)
		require.NotEmpty(t, events[0].RequestID)
	})
}

func TestALinkNeedsASignInOfJustNow(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		b.tokens(t, "web")
		w.clock.add(5 * time.Minute)
		require.Contains(t, b.get(issuer+"/account").raw, `id="links-stale"`)
		a := b.accountForm(t, "/links/add", "connector", "corp")
		require.Equal(t, http.StatusBadRequest, a.status)
		require.Contains(t, a.raw, "sign in again first")
		page := b.accountForm(t, "/links/again")
		require.True(t, isLogin(page))
		b.submit(t, page, "username", "alice", "password", password)
		b.isLinked(t, idp, "corp")
		require.Equal(t, w.alice, w.linkedTo(t, idp, "u1"))
	})
}

// CVE-2026-9087: who proves the other side must be who proved this one.
func TestALinkIsOfTheSessionThatBeganIt(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		w.seedBob(t)
		b := w.newBrowser()
		b.tokens(t, "web")
		begin := func() url.Values { return isAway(t, idp, b.accountForm(t, "/links/add", "connector", "corp")) }
		wantPage(t, w.newBrowser().get(back("corp", begin())), http.StatusBadRequest)
		wantPage(t, b.get(back("other", begin())), http.StatusBadRequest)
		sent := begin()
		wantPage(t, b.post(issuer+"/account/links/add", url.Values{"connector": {"corp"}}), http.StatusForbidden)
		b.accountForm(t, "/signout")
		b.submit(t, b.get(issuer+"/account"), "username", "bob", "password", password)
		a := b.get(back("corp", sent))
		wantPage(t, a, http.StatusBadRequest)
		require.Contains(t, a.raw, `id="back" href="/tenant/account"`)
		require.Empty(t, w.linkedTo(t, idp, "u1"))
		require.NotContains(t, w.kinds(t), "user_linked")
		require.True(t, isLogin(w.newBrowser().post(issuer+"/account/links/add", url.Values{"csrf": {"x"}, "connector": {"corp"}})))
	})
}

func TestWhoIsLinkedToSomebodyElseIsNotTaken(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		bob := w.seedBob(t)
		require.NoError(t, w.store.AddLink(t.Context(), &identity.Link{
			Connector: "corp", Issuer: idp.URL, UpstreamSubject: "u1", Subject: bob, Origin: identity.LinkProved,
		}))
		b := w.newBrowser()
		b.tokens(t, "web")
		a := b.isLinked(t, idp, "corp")
		wantPage(t, a, http.StatusForbidden)
		require.Contains(t, a.raw, "belongs to another account")
		require.Equal(t, bob, w.linkedTo(t, idp, "u1"))
		events, err := w.store.ListEvents(t.Context(), store.EventQuery{Subject: w.alice, Kind: "upstream_collision"})
		require.NoError(t, err)
		require.Len(t, events, 1)
		require.Equal(t, "corp", events[0].Connector)

		idp.Lie = func(c map[string]any) { c["sub"] = "u2" }
		require.Contains(t, b.isLinked(t, idp, "corp").raw, "Your account is linked")
		require.Contains(t, b.isLinked(t, idp, "other").raw, "Your account is linked", "who is linked already is so")
		require.Equal(t, w.alice, w.linkedTo(t, idp, "u2"))
		idp.Lie = func(c map[string]any) { c["sub"], c["email"] = "u3", "blocked@corp.example" }
		wantPage(t, b.isLinked(t, idp, "other"), http.StatusForbidden)
		require.Empty(t, w.linkedTo(t, idp, "u3"), "the mapping lets them in nowhere")
	})
}

func TestTheOnlyWayInIsNotUnlinked(t *testing.T) {
	upstreamOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		b := w.newBrowser()
		b.arrives(t, idp, b.get(ask("web", "connector", "corp")))
		a := b.unlinks(t)
		require.Equal(t, http.StatusBadRequest, a.status)
		require.Contains(t, a.raw, "the only way in")
		idp.Lie = func(c map[string]any) { c["sub"] = "u2" }
		require.Contains(t, b.isLinked(t, idp, "other").raw, "Your account is linked")
		a = b.unlinks(t)
		require.Contains(t, a.raw, "You are signed out", "this browser came by what is gone")
		require.True(t, isLogin(b.get(issuer+"/account")))
	})
}

func TestWhatCannotBeLinkedIsSaidOnThePage(t *testing.T) {
	idp := upstreamtest.New(t)
	w := newWorld(t, storetest.SQLite(t), withUpstream(t, idp))
	w.seedApps(t)
	b := w.newBrowser()
	b.tokens(t, "web")
	wantPage(t, b.accountForm(t, "/links/add", "connector", "nowhere"), http.StatusBadRequest)
	require.Contains(t, b.accountForm(t, "/links/remove", "id", "nothing").raw, "The link is gone")
	idp.Close()
	a := b.accountForm(t, "/links/add", "connector", "corp")
	require.Equal(t, http.StatusBadRequest, a.status)
	require.Contains(t, a.raw, "does not answer")

	none := newWorld(t, storetest.SQLite(t))
	none.seedApps(t)
	b = none.newBrowser()
	b.tokens(t, "web")
	require.NotContains(t, b.get(issuer+"/account").raw, "links-title")
	require.Equal(t, http.StatusNotFound, b.accountForm(t, "/links/add", "connector", "corp").status)
}
