package provider_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream/upstreamtest"
)

func TestWhatAnUpstreamSaysOfASecondFactor(t *testing.T) {
	for _, tt := range []struct {
		name string
		rule factor.Upstream
		says map[string]any
		acr  string // "" where they have to set one up here
	}{
		{"counts where it is believed", factor.Upstream{Trust: true, Require: true}, map[string]any{"amr": []string{"pwd", "mfa"}}, factor.ACR},
		{"counts by its own context", factor.Upstream{Trust: true, ACRs: []string{"gold"}, Require: true}, map[string]any{"acr": "gold"}, factor.ACR},
		{"counts for nothing where it is not believed", factor.Upstream{Require: true}, map[string]any{"amr": []string{"mfa"}}, ""},
		{"is not there", factor.Upstream{Trust: true, Require: true}, map[string]any{"amr": []string{"pwd"}}, ""},
		{"is another context", factor.Upstream{Trust: true, ACRs: []string{"gold"}, Require: true}, map[string]any{"acr": "silver"}, ""},
		{"cannot be our own context", factor.Upstream{Trust: true, ACRs: []string{factor.ACR}, Require: true}, map[string]any{"acr": factor.ACR}, ""},
		{"is not asked for where nobody needs it", factor.Upstream{}, map[string]any{"acr": "silver"}, "silver"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			idp := upstreamtest.New(t)
			w := newWorld(t, storetest.SQLite(t), withUpstream(t, idp), withFactors(t, func(p *factor.PolicyOptions) {
				p.Connectors = map[string]factor.Upstream{"corp": tt.rule}
			}))
			idp.Now = w.clock.Now
			idp.Lie = func(c map[string]any) {
				for k, v := range tt.says {
					c[k] = v
				}
			}
			w.seedApps(t)
			b := w.newBrowser()
			a := b.arrives(t, idp, b.get(ask("web", "connector", "corp")))
			if tt.acr == "" {
				require.Contains(t, a.raw, asksEnrol)
				return
			}
			require.Equal(t, tt.acr, w.redeemedID(t, returned(t, a))["acr"])
		})
	}
}

func TestAnUpstreamIsAskedForASecondFactor(t *testing.T) {
	idp := upstreamtest.New(t)
	w := newWorld(t, storetest.SQLite(t), withUpstream(t, idp), withFactors(t, func(p *factor.PolicyOptions) {
		p.Connectors = map[string]factor.Upstream{"corp": {Trust: true, ACRs: []string{"gold"}}}
	}))
	idp.Now = w.clock.Now
	w.seedApps(t)
	b := w.newBrowser()
	require.Empty(t, isAway(t, idp, b.get(ask("web", "connector", "corp"))).Get("acr_values"))
	require.Equal(t, "gold", isAway(t, idp, b.get(ask("web", "connector", "corp", "acr_values", factor.ACR))).Get("acr_values"))
	require.Empty(t, isAway(t, idp, b.get(ask("web", "connector", "other", "acr_values", factor.ACR))).Get("acr_values"))
	w.needing(t, "web")
	require.Equal(t, "gold", isAway(t, idp, b.get(ask("web", "connector", "corp"))).Get("acr_values"))
}

func TestARoleNeedsASecondFactor(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), withFactors(t, func(p *factor.PolicyOptions) { p.Roles = []string{"admin"} }))
	w.seedApps(t)
	late := w.newBrowser().signIn(t, ask("web"))
	require.NoError(t, w.store.AddLink(t.Context(), &identity.Link{
		Connector: "corp", Issuer: "https://corp.example", UpstreamSubject: "u1", Subject: w.alice, Origin: identity.LinkByAdmin, Roles: []string{"staff", "admin"},
	}))
	a, _ := w.redeemed(t, "web", late)
	wantError(t, a, http.StatusBadRequest, "invalid_grant")
	require.Contains(t, w.newBrowser().begin(t, ask("web")).raw, asksEnrol)
	_, err := w.GrantPassword(t.Context(), login())
	require.Equal(t, identity.ReasonSecondFactor, identity.ReasonOf(err))
}
