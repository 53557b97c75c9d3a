package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/factor"
	"keyway/provider/store/storetest"
)

// Dex issue 4884: a code was good for as long as its time step, however often it
// was presented.
func TestDex4884ACodeWorksOnce(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		p, _ := w.enrolled(t)
		b, thief := w.newBrowser(), w.newBrowser()
		page, stolen := b.begin(t, ask("web")), thief.begin(t, ask("web"))
		code := p.code(t)
		require.True(t, isConsent(b.submit(t, page, "code", code)))
		require.True(t, isFactor(thief.submit(t, stolen, "code", code)), "somebody looked over her shoulder")
		w.clock.add(29 * time.Second)
		require.True(t, isFactor(thief.submit(t, stolen, "code", code)), "nor while its step is near")
		require.True(t, isConsent(thief.submit(t, stolen, "code", p.code(t))), "the next one is another")
	}, withFactors(t))
}

func TestOfManyWithOneCodeOneComesIn(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	p, _ := w.enrolled(t)
	const many = 4 // fewer than lock the person out
	var browsers [many]*browser
	var begun [many]answer
	for i := range browsers {
		browsers[i] = w.newBrowser()
		begun[i] = browsers[i].begin(t, ask("web"))
	}
	code, in := p.code(t), [many]bool{}
	var all sync.WaitGroup
	for i, b := range browsers {
		all.Go(func() { in[i] = isConsent(b.submit(t, begun[i], "code", code)) })
	}
	all.Wait()
	n := 0
	for _, ok := range in {
		if ok {
			n++
		}
	}
	require.Equal(t, 1, n)
}

// CVE-2024-32868 and CVE-2025-64102 (Zitadel): nobody counted wrong codes, so that who
// had the password could try them all.
func TestCVE202432868AndCVE202564102WrongCodesLock(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		p, codes := w.enrolled(t)
		b := w.newBrowser()
		page := b.begin(t, ask("web"))
		for range 5 {
			page = b.submit(t, page, "code", "000000")
			require.True(t, isFactor(page))
		}
		for name, right := range map[string]string{"a right code": p.code(t), "a recovery code": codes[0], "a wrong one": "000000"} {
			page = b.submit(t, page, "code", right)
			require.True(t, isFactor(page), name)
			require.Contains(t, page.raw, "too many attempts", name)
		}
		other := w.newBrowser()
		page = other.submit(t, other.begin(t, ask("web")), "code", p.code(t))
		require.Contains(t, page.raw, "too many attempts", "a right password takes back no guesses at codes")
		left, err := w.store.CountRecoveryCodes(t.Context(), w.alice)
		require.NoError(t, err)
		require.Equal(t, 10, left, "nothing was looked at")

		w.clock.add(16 * time.Minute)
		require.True(t, isConsent(other.submit(t, page, "code", p.code(t))))
	}, withFactors(t))
}

// CVE-2025-64103 (Zitadel): who had set up a second factor was asked for it only where the
// operator required one.
func TestCVE202564103WhatSomebodySetUpIsAskedForWithoutAPolicy(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	w.enrolled(t)
	for _, client := range []string{"web", "narrow"} {
		b := w.newBrowser()
		require.True(t, isFactor(b.begin(t, ask(client))), client)
		wantReply(t, b.get(ask(client, "prompt", "none")), "interaction_required")
	}
}

// CVE-2026-9091 (Casdoor): with the password done, other ways led on past the second
// factor.
func TestCVE20269091NothingLeadsPastTheSecondFactor(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	w.enrolled(t)
	b := w.newBrowser()
	page := b.begin(t, ask("web"))
	_, form := fields(t, page)
	id := form.Get("interaction")
	for _, path := range []string{
		"/oauth2/authorize?interaction=" + id, "/account", "/device", "/login/factor?interaction=" + id,
		strings.TrimPrefix(ask("web"), issuer), strings.TrimPrefix(ask("narrow"), issuer), "/account?notice=password_changed",
	} {
		require.True(t, isFactor(b.get(issuer+path)), path)
	}
	allowed := b.get(issuer + "/consent?interaction=" + id)
	require.True(t, isConsent(allowed), "looking at it gives nothing away")
	require.True(t, isFactor(b.submit(t, allowed, "decision", "allow")))
	for _, action := range []string{"password", "factors/add", "factors/remove", "factors/codes", "factors/enrol", "signout-everywhere"} {
		a := b.post(issuer+"/account/"+action, url.Values{"csrf": {form.Get("csrf")}})
		require.True(t, isFactor(a), action)
	}
	for name, values := range map[string]url.Values{
		"no code": {}, "an empty code": {"code": {""}}, "another's interaction": {"interaction": {"x"}}, "no form token": {"csrf": {""}},
		"a set-up in place of it": {"name": {"x"}, "code": {"000000"}, "challenge": {"x"}},
	} {
		sent := url.Values{"interaction": {id}, "csrf": {form.Get("csrf")}}
		for k, v := range values {
			sent[k] = v
		}
		a := b.post(issuer+"/login/factor", sent)
		require.NotEqual(t, http.StatusSeeOther, a.status, name)
		require.False(t, isConsent(a), name)
	}
	refused := b.send(http.MethodPut, issuer+"/login/factor?interaction="+id, nil)
	require.Equal(t, http.StatusMethodNotAllowed, refused.status)
	other := w.newBrowser().get(issuer + "/login/factor?interaction=" + id)
	require.Equal(t, http.StatusForbidden, other.status, "another browser")
}

// CVE-2023-6787 (Keycloak): who broke off a new sign-in kept what the old one had
// proved, for whoever signed in next.
func TestCVE20236787BrokenOffReauthenticationKeepsNothing(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	w.seedBob(t)
	p, _ := w.enrolled(t)
	b := w.newBrowser()
	first := w.redeemedID(t, b.finish(t, b.submit(t, b.begin(t, ask("web")), "code", p.code(t))))
	require.Equal(t, factor.ACR, first["acr"])

	again := b.get(ask("web", "prompt", "login"))
	require.True(t, isLogin(again))
	half := b.submit(t, again, "username", "alice", "password", password)
	require.True(t, isFactor(half), "both proofs are asked for anew")
	require.True(t, isFactor(b.get(issuer+"/account")), "what was broken off is worth its password alone")

	bob := b.submit(t, b.get(ask("web", "prompt", "login")), "username", "bob", "password", password)
	said := w.redeemedID(t, b.finish(t, bob))
	require.Equal(t, "urn:keyway:password", said["acr"])
	require.Equal(t, []any{"pwd"}, said["amr"])
	require.NotEqual(t, first["sid"], said["sid"])
	require.NotEqual(t, first["sub"], said["sub"])
}

// prompt=login and max_age want a password anew, whatever second factor comes by
// itself.
func TestASecondFactorIsNoSignIn(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	p, _ := w.enrolled(t)
	b := w.newBrowser()
	b.begin(t, ask("web"))
	w.clock.add(10 * time.Minute)
	for _, more := range [][]string{{"prompt", "login"}, {"max_age", "60"}} {
		asked := b.get(ask("web", more...))
		require.True(t, isLogin(asked), more)
		_, form := fields(t, asked)
		step := b.get(issuer + "/login/factor?interaction=" + form.Get("interaction"))
		if isFactor(step) {
			step = b.submit(t, step, "code", p.code(t))
			p.wait()
		}
		require.True(t, isLogin(step), more)
	}
}

func (w *world) redeemedID(t *testing.T, back url.Values) map[string]any {
	t.Helper()
	a, claims := w.redeemed(t, "web", back)
	require.Equal(t, http.StatusOK, a.status, a.raw)
	return claims
}
