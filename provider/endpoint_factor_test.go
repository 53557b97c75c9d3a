package provider_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

func TestWhoHasASecondFactorIsAskedForIt(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		p, codes := w.enrolled(t)
		require.Len(t, codes, 10)
		b := w.newBrowser()
		page := b.begin(t, ask("web"))
		require.True(t, isFactor(page), page.raw)
		require.Equal(t, "no-store", page.header.Get("Cache-Control"))

		before := b.cookies["__Host-keyway_session-tenant"]
		wrong := b.submit(t, page, "code", "000000")
		require.Equal(t, http.StatusBadRequest, wrong.status)
		require.Contains(t, wrong.raw, `role="alert"`)
		shown := p.code(t)
		a := b.submit(t, wrong, "code", shown[:3]+" "+shown[3:])
		require.True(t, isConsent(a), a.raw)
		require.NotEqual(t, before, b.cookies["__Host-keyway_session-tenant"], "what may do more has a new id")

		granted, claims := w.redeemed(t, "web", b.finish(t, a))
		require.Equal(t, factor.ACR, claims["acr"])
		require.Equal(t, []any{"pwd", "otp", "mfa"}, claims["amr"])
		require.Equal(t, true, w.introspect(granted.str("access_token")).body["active"])
		require.NotContains(t, b.get(issuer+"/account").raw, asksFactor, "once in a session")
		kinds := w.counted(t)
		require.Equal(t, 1, kinds["totp_added"])
		require.Equal(t, 1, kinds["totp_used"])
		require.Equal(t, 1, kinds["second_factor second_factor"])
		for _, secret := range append(codes, p.key, shown) {
			require.NotContains(t, w.log.text(), secret)
		}
	}, withFactors(t))
}

func TestWhoNeedsASecondFactorSetsItUp(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		b := w.newBrowser()
		page := b.begin(t, ask("web"))
		require.Contains(t, page.raw, asksEnrol)
		require.Contains(t, page.raw, "data:image/png;base64,")
		require.NotContains(t, page.raw, `id="back"`, "there is no going on without")
		refused := b.submit(t, page, "name", "phone", "code", "12345")
		require.Equal(t, http.StatusBadRequest, refused.status)
		require.Equal(t, shownKey.FindString(page.raw), shownKey.FindString(refused.raw), "the app has scanned it already")
		gone := b.submit(t, page, "name", "phone", "code", "123456")
		require.Contains(t, gone.raw, "took too long", "a challenge is answered once")

		_, done := b.enrolAt(t, gone)
		require.Len(t, shownCode.FindAllString(done.raw, -1), 10)
		next := issuer + "/oauth2/authorize?" + strings.Split(strings.Split(done.raw, `/oauth2/authorize?`)[1], `"`)[0]
		_, claims := w.redeemed(t, "web", b.finish(t, b.get(next)))
		require.Equal(t, factor.ACR, claims["acr"])
	}, withFactors(t, required))
}

// What somebody has not enrolled yet must not be enrolled by whoever finds the
// browser open.
func TestSettingUpNeedsASignInOfJustNow(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.signIn(t, ask("web"))
	w.clock.add(6 * time.Minute)
	page := b.get(issuer + "/account")
	require.Contains(t, page.raw, `id="factors-again"`)
	require.NotContains(t, page.raw, `id="factor-add"`)
	for _, action := range []string{"add", "enrol", "remove", "codes"} {
		a := b.accountForm(t, "/factors/"+action)
		require.Equal(t, http.StatusBadRequest, a.status, action)
		require.Contains(t, a.raw, `id="factors-error"`)
	}
	require.True(t, isLogin(b.get(ask("web", "acr_values", factor.ACR))), "first sign in anew")

	again := b.submit(t, b.accountForm(t, "/factors/again"), "username", "alice", "password", password)
	require.Contains(t, again.raw, `id="factor-add"`)
	b.enrol(t)
	require.Contains(t, b.get(issuer+"/account").raw, "My &lt;phone&gt;")
}

func TestRecoveryCodesWorkOnce(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	_, codes := w.enrolled(t)
	typed := strings.ToUpper(strings.ReplaceAll(codes[0], "-", " "))
	b := w.newBrowser()
	_, claims := w.redeemed(t, "web", b.finish(t, b.submit(t, b.begin(t, ask("web")), "code", typed)))
	require.Equal(t, []any{"pwd", "otp", "mfa"}, claims["amr"])
	require.Contains(t, b.get(issuer+"/account").raw, "Recovery codes left: 9")
	other := w.newBrowser()
	a := other.submit(t, other.begin(t, ask("web")), "code", codes[0])
	require.Equal(t, http.StatusBadRequest, a.status)

	fresh := b.accountForm(t, "/factors/codes")
	require.Len(t, shownCode.FindAllString(fresh.raw, -1), 10)
	a = other.submit(t, a, "code", codes[1])
	require.Equal(t, http.StatusBadRequest, a.status, "the old ones went")
	a = other.submit(t, a, "code", shownCode.FindStringSubmatch(fresh.raw)[1])
	require.True(t, isConsent(a) || a.status == http.StatusSeeOther, a.raw)
	require.Equal(t, 2, w.counted(t)["recovery_code_used"])
}

func TestRemovingTheLastOneTurnsItOff(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.signIn(t, ask("web"))
	b.enrol(t)
	held, err := w.store.ListEnrolments(t.Context(), w.alice)
	require.NoError(t, err)
	require.Contains(t, b.accountForm(t, "/factors/remove", "id", "nobody's").raw, "My &lt;phone&gt;")
	require.NotContains(t, b.accountForm(t, "/factors/remove", "id", held[0].ID).raw, "My &lt;phone&gt;")
	left, err := w.store.CountRecoveryCodes(t.Context(), w.alice)
	require.NoError(t, err)
	require.Zero(t, left)
	require.False(t, isFactor(w.newBrowser().begin(t, ask("web"))))
}

func TestStepUp(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	b := w.newBrowser()
	_, claims := w.redeemed(t, "web", b.signIn(t, ask("web")))
	require.Equal(t, "urn:keyway:password", claims["acr"])
	essential := `{"id_token":{"acr":{"essential":true,"value":"` + factor.ACR + `"}}}`

	for name, more := range map[string][]string{
		"acr_values": {"acr_values", "gold " + factor.ACR + " urn:keyway:password"}, "an essential acr": {"claims", essential},
		"an acr that is asked for": {"claims", `{"id_token":{"acr":{"values":["` + factor.ACR + `"]}}}`},
	} {
		require.Contains(t, b.get(ask("web", more...)).raw, asksEnrol, name)
		wantReply(t, b.get(ask("web", append(more, "prompt", "none")...)), "interaction_required")
	}
	require.NotContains(t, b.get(ask("web", "acr_values", "urn:keyway:password "+factor.ACR)).raw, asksEnrol, "what it wants most is there")

	_, done := b.enrolAt(t, b.get(ask("web", "acr_values", factor.ACR)))
	require.Len(t, shownCode.FindAllString(done.raw, -1), 10)
	_, claims = w.redeemed(t, "web", b.signIn(t, ask("web", "claims", essential, "prompt", "none")))
	require.Equal(t, factor.ACR, claims["acr"])
	_, claims = w.redeemed(t, "web", b.signIn(t, ask("web", "claims", `{"id_token":{"acr":{"essential":true,"value":"urn:keyway:password"}}}`)))
	require.Equal(t, "urn:keyway:password", claims["acr"], "no other will do")
	require.Contains(t, b.get(issuer+"/.well-known/openid-configuration").raw, `"acr_values_supported":["urn:keyway:password","urn:keyway:mfa"]`)
}

func TestWithoutSecondFactorsNoneIsPromised(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.seedApps(t)
	b := w.newBrowser()
	b.signIn(t, ask("web"))
	require.NotContains(t, b.get(issuer+"/.well-known/openid-configuration").raw, factor.ACR)
	wantReply(t, b.get(ask("web", "claims", `{"id_token":{"acr":{"essential":true,"value":"`+factor.ACR+`"}}}`)), "unmet_authentication_requirements")
	require.NotContains(t, b.get(issuer+"/account").raw, `id="factors-title"`)
	require.Equal(t, http.StatusNotFound, b.get(issuer+"/login/factor?interaction=x").status)
}

// needing makes a client need a second factor.
func (w *world) needing(t *testing.T, id string) {
	t.Helper()
	c, err := w.store.FindClient(t.Context(), id)
	require.NoError(t, err)
	c.RequireSecondFactor = true
	require.NoError(t, w.SaveClient(t.Context(), c))
}

func TestAClientThatNeedsASecondFactorGetsNothingWithout(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		w.seedApps(t)
		b := w.newBrowser()
		granted, _ := w.redeemed(t, "web", b.signIn(t, ask("web", "scope", "openid offline_access")))
		late := b.signIn(t, ask("web"))
		w.needing(t, "web")
		a, _ := w.redeemed(t, "web", late)
		wantError(t, a, http.StatusBadRequest, "invalid_grant")
		wantError(t, w.refresh("web", granted.str("refresh_token")), http.StatusBadRequest, "invalid_grant")
		require.Equal(t, false, w.introspect(granted.str("access_token")).body["active"])
		require.Equal(t, http.StatusUnauthorized, w.userinfo(granted.str("access_token")).status)
		require.Contains(t, b.get(ask("web")).raw, asksEnrol)

		p, _ := b.enrolAt(t, b.get(ask("web")))
		p.wait()
		granted, _ = w.redeemed(t, "web", b.signIn(t, ask("web", "scope", "openid offline_access")))
		require.Equal(t, http.StatusOK, w.userinfo(granted.str("access_token")).status)
		require.Equal(t, http.StatusOK, w.refresh("web", granted.str("refresh_token")).status)
	}, withFactors(t))
}

func TestNoExchangeIntoAClientThatNeedsASecondFactor(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t))
	w.seedApps(t)
	require.NoError(t, w.SaveClient(t.Context(), &provider.Client{
		ID: "swap", AuthMethod: provider.AuthSecretBasic, SecretHashes: w.secretOf(t, "swap"), MayExchange: true, RequireSecondFactor: true,
		GrantTypes: []string{"urn:ietf:params:oauth:grant-type:token-exchange"}, Scopes: []string{"openid", "read"}, Audience: []string{"https://api.example.com"},
	}))
	swap := func(token string) answer {
		return w.post("/oauth2/token", "swap", url.Values{
			"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {token},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"},
		})
	}
	b := w.newBrowser()
	granted, _ := w.redeemed(t, "web", b.signIn(t, ask("web", "scope", "openid read", "resource", "https://api.example.com")))
	wantError(t, swap(granted.str("access_token")), http.StatusBadRequest, "invalid_grant")
	b.enrol(t)
	granted, _ = w.redeemed(t, "web", b.signIn(t, ask("web", "scope", "openid read", "resource", "https://api.example.com")))
	a := swap(granted.str("access_token"))
	require.Equal(t, http.StatusOK, a.status, a.raw)
	require.Equal(t, factor.ACR, w.introspect(a.str("access_token")).body["acr"])
	legacy, err := w.GrantPassword(t.Context(), login())
	require.NoError(t, err)
	wantError(t, swap(legacy.AccessToken), http.StatusBadRequest, "invalid_grant")
}

func TestAnOldCallOfSomebodyWithASecondFactor(t *testing.T) {
	as := func(l factor.Legacy) func(*factor.PolicyOptions) {
		return func(p *factor.PolicyOptions) { p.Systems = map[string]factor.Legacy{"faveo": l} }
	}
	for _, tt := range []struct {
		name     string
		mode     func(*factor.PolicyOptions)
		required bool
		enrolled bool
		code     func(p *phone) string
		want     identity.Reason
	}{
		{"goes on where they enrolled it of their own will", as(factor.LegacyAppPassword), false, true, nil, ""},
		{"is refused where everybody needs one", as(factor.LegacyAppPassword), true, true, nil, identity.ReasonSecondFactor},
		{"is refused where everybody needs one, and they have none", as(factor.LegacyAppPassword), true, false, nil, identity.ReasonSecondFactor},
		{"is refused where the system says so", as(factor.LegacyRefuse), false, true, nil, identity.ReasonSecondFactor},
		{"goes on there for who has none", as(factor.LegacyRefuse), false, false, nil, ""},
		{"goes on for who has none where codes are appended", as(factor.LegacyAppended), false, false, nil, ""},
		{"is a wrong password without the code behind it", as(factor.LegacyAppended), false, true, nil, identity.ReasonWrongPassword},
		{"is a wrong password with a wrong code", as(factor.LegacyAppended), false, true, func(*phone) string { return "000000" }, identity.ReasonWrongPassword},
		{"goes on with the code behind the password", as(factor.LegacyAppended), true, true, func(p *phone) string { return p.code(t) }, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t), withFactors(t, tt.mode, func(p *factor.PolicyOptions) {
				if tt.required {
					p.Mode = factor.ModeRequired
				}
			}))
			g := login()
			if tt.enrolled {
				b := w.newBrowser()
				a := b.begin(t, issuer+"/account")
				var p *phone
				if tt.required {
					p, _ = b.enrolAt(t, a)
					p.wait()
				} else {
					p, _ = b.enrol(t)
				}
				if tt.code != nil {
					g.Credentials.Password += tt.code(p)
				}
			}
			for range 2 * 5 { // refusals of a right password lock nobody out
				_, err := w.GrantPassword(t.Context(), g)
				if tt.want == identity.ReasonSecondFactor || tt.code == nil && tt.want == "" {
					require.Equal(t, tt.want, identity.ReasonOf(err), "%v", err)
					continue
				}
				require.Equal(t, tt.want, identity.ReasonOf(err), "%v", err)
				break
			}
		})
	}
}
