package provider_test

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/federation"
	"keyway/provider/outbound"
	"keyway/provider/store"
	"keyway/provider/upstream/mapping"
	"keyway/provider/upstream/oidc"
	"keyway/provider/upstream/upstreamtest"
)

// postedOnEach runs f in a world whose connector corp has its answers posted.
func postedOnEach(t *testing.T, f func(t *testing.T, w *world, idp *upstreamtest.IDP)) {
	t.Helper()
	idp := upstreamtest.New(t)
	onEach(t, func(t *testing.T, w *world) {
		idp.Now = w.clock.Now
		w.seedApps(t)
		f(t, w, idp)
	}, func(o *provider.Options) {
		calls, err := outbound.New(outbound.Options{AllowLoopback: true})
		require.NoError(t, err)
		db, ok := o.Storage.(*store.Store)
		require.True(t, ok)
		up, err := oidc.New(oidc.Options{
			Issuer: idp.URL, ClientID: upstreamtest.ClientID, ClientSecret: "s", RedirectURL: issuer + "/login/callback/corp", HTTP: calls.HTTP(), Now: o.Now,
		})
		require.NoError(t, err)
		m, err := mapping.New(mapping.Options{Connector: "corp"})
		require.NoError(t, err)
		o.Federation, err = federation.New(federation.Options{
			Connectors: []federation.Connector{{ID: "corp", Upstream: up, Mapper: m, Create: true, Posted: true}},
			Storage:    db, Links: db, Key: make([]byte, 32), Now: o.Now,
		})
		require.NoError(t, err)
	})
}

// crossSite posts as another site's form does: without the cookies (SameSite=Lax).
func (b *browser) crossSite(target string, form url.Values) answer {
	mine := maps.Clone(b.cookies)
	clear(b.cookies)
	a := b.send(http.MethodPost, target, form)
	b.cookies = mine
	return a
}

func TestAnAnswerThatAnotherSitePostsComesOnceMoreWithTheCookies(t *testing.T) {
	postedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		callbackPath := issuer + "/login/callback/corp"
		posted := func(sent url.Values) url.Values {
			return url.Values{"code": {"c"}, "state": {sent.Get("state")}, "SAMLResponse": {strings.Repeat("A<\"&'", 1<<10)}}
		}
		b := w.newBrowser()
		form := posted(isAway(t, idp, b.get(ask("web", "connector", "corp"))))
		page := b.crossSite(callbackPath, form)
		require.Equal(t, http.StatusOK, page.status, page.raw)
		require.NotContains(t, page.raw, "A<", "what others post is text")
		policy := page.header.Get("Content-Security-Policy")
		require.Contains(t, policy, "script-src 'self'")
		require.Contains(t, policy, "default-src 'none'")
		require.NotContains(t, policy, "form-action", "it would hold for the app's redirect URI too, which nobody knows yet")
		action, fields := fields(t, page)
		require.Equal(t, "/login/callback/corp", strings.TrimPrefix(action, strings.TrimPrefix(issuer, "https://id.example.com")))
		require.Equal(t, form.Get("SAMLResponse"), fields.Get("SAMLResponse"))
		large := url.Values{"SAMLResponse": {strings.Repeat("A", 200<<10)}, "RelayState": {"x"}}
		require.Equal(t, http.StatusOK, b.crossSite(callbackPath, large).status, "longer than any URL may be")
		require.Empty(t, w.kinds(t), "nothing has happened yet")

		a := b.submit(t, page)
		if isConsent(a) {
			a = b.submit(t, a, "decision", "allow")
		}
		require.NotEmpty(t, returned(t, a).Get("code"))
		require.Equal(t, []string{"user_provisioned", "login"}, w.kinds(t))

		b = w.newBrowser() // an identity provider on the same site: the cookies come at once
		a = b.post(callbackPath, posted(isAway(t, idp, b.get(ask("web", "connector", "corp")))))
		require.NotEmpty(t, returned(t, a).Get("code"))
	})
}

func TestPostedAnswersOfOthers(t *testing.T) {
	postedOnEach(t, func(t *testing.T, w *world, idp *upstreamtest.IDP) {
		callbackPath := issuer + "/login/callback/corp"
		victim, attacker := w.newBrowser(), w.newBrowser()
		victim.get(ask("web", "connector", "corp"))
		sent := isAway(t, idp, attacker.get(ask("web", "connector", "corp")))
		page := victim.crossSite(callbackPath, url.Values{"code": {"c"}, "state": {sent.Get("state")}})
		a := victim.submit(t, page)
		require.Equal(t, http.StatusBadRequest, a.status, "login CSRF: the page goes on by itself, and comes to nothing")
		require.Contains(t, w.kinds(t), "upstream_untrusted")

		page = w.newBrowser().crossSite(callbackPath, url.Values{"state": {"x"}})
		a = w.newBrowser().submit(t, page)
		require.Equal(t, http.StatusBadRequest, a.status, "a browser without cookies does not go round in circles")

		require.Equal(t, http.StatusMethodNotAllowed, victim.get(callbackPath+"?code=c&state=x").status)
		a = victim.send(http.MethodPost, callbackPath, url.Values{"SAMLResponse": {strings.Repeat("A", 300<<10)}})
		require.Equal(t, http.StatusRequestEntityTooLarge, a.status)
		a = victim.send(http.MethodPost, callbackPath, url.Values{"SAMLResponse": {"a", "b"}})
		require.Equal(t, http.StatusBadRequest, a.status)
		require.Equal(t, http.StatusNotFound, victim.get(issuer+"/login/saml/corp/metadata").status, "it has nothing to say of us")
		require.Equal(t, http.StatusNotFound, victim.get(issuer+"/login/saml/nobody/metadata").status)
	})
}
