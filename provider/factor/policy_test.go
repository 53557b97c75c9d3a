package factor_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

// seedPeople adds root, who is an admin at an upstream, and careful, who has an app; it
// returns the subjects by name.
func (h *house) seedPeople(t *testing.T) map[string]string {
	t.Helper()
	subjects := map[string]string{"alice": h.alice.Subject}
	for _, name := range []string{"root", "careful"} {
		saved, err := h.store.SaveRecords(t.Context(), []identity.Record{
			{User: identity.User{Status: identity.StatusActive, LoginNames: []identity.LoginName{{Directory: "default", Name: name}}}},
		})
		require.NoError(t, err)
		subjects[name] = saved[0].Subject
	}
	require.NoError(t, h.store.AddLink(t.Context(), &identity.Link{
		Connector: "corp", Issuer: "https://corp.example", UpstreamSubject: "u1", Subject: subjects["root"], Origin: identity.LinkByAdmin, Roles: []string{"x", "admin"},
	}))
	_, err := h.store.AddEnrolment(t.Context(), &factor.Enrolment{ID: "f1", Subject: subjects["careful"], Kind: factor.KindTOTP, Secret: []byte("key")}, nil)
	require.NoError(t, err)
	return subjects
}

func TestWhoNeedsASecondFactor(t *testing.T) {
	h := newHouse(t, storetest.SQLite(t))
	who := h.seedPeople(t)
	o := factor.PolicyOptions{
		Roles: []string{"admin"}, Links: h.store, Holders: h.store, Connectors: map[string]factor.Upstream{"strict": {Require: true}},
		Systems: map[string]factor.Legacy{"refuse": factor.LegacyRefuse, "appended": factor.LegacyAppended},
	}
	for _, tt := range []struct {
		name  string
		mode  factor.Mode
		asked factor.Asked
		want  factor.Verdict
	}{
		{"nobody where there are none", factor.ModeOff, factor.Asked{Subject: "careful", Wanted: true}, factor.Enough},
		{"nobody who is not asked to", factor.ModeOptional, factor.Asked{Subject: "alice"}, factor.Enough},
		{"whoever has one shows it", factor.ModeOptional, factor.Asked{Subject: "careful"}, factor.MustShow},
		{"whoever proved it is done", factor.ModeRequired, factor.Asked{Subject: "careful", Proved: true, Wanted: true}, factor.Enough},
		{"whom a client wants it of", factor.ModeOptional, factor.Asked{Subject: "alice", Wanted: true}, factor.MustHave},
		{"whoever has the role", factor.ModeOptional, factor.Asked{Subject: "root"}, factor.MustHave},
		{"whoever comes by the connector", factor.ModeOptional, factor.Asked{Subject: "alice", Connector: "strict"}, factor.MustHave},
		{"everybody where it is required", factor.ModeRequired, factor.Asked{Subject: "alice"}, factor.MustHave},
		{"who has one there, too, shows it", factor.ModeRequired, factor.Asked{Subject: "careful"}, factor.MustShow},
	} {
		t.Run(tt.name, func(t *testing.T) {
			o.Mode = tt.mode
			p, err := factor.NewPolicy(o)
			require.NoError(t, err)
			tt.asked.Subject = who[tt.asked.Subject]
			got, err := p.Judge(t.Context(), tt.asked)
			require.NoError(t, err)
			require.Equal(t, tt.want, got)
		})
	}
	for _, tt := range []struct {
		subject, system string
		mode            factor.Mode
		want            bool
	}{
		{"alice", "", factor.ModeOptional, false},
		{"careful", "", factor.ModeOptional, true},
		{"careful", "unset", factor.ModeOptional, false},
		{"careful", "appended", factor.ModeOptional, true},
		{"alice", "appended", factor.ModeOptional, false},
		{"careful", "refuse", factor.ModeOptional, true},
		{"alice", "refuse", factor.ModeOptional, false},
		{"root", "unset", factor.ModeOptional, true},
		{"alice", "unset", factor.ModeRequired, true},
		{"root", "refuse", factor.ModeOff, false},
	} {
		o.Mode = tt.mode
		p, err := factor.NewPolicy(o)
		require.NoError(t, err)
		got, err := p.NeedsFactor(t.Context(), identity.Question{Subject: who[tt.subject], System: tt.system})
		require.NoError(t, err)
		require.Equal(t, tt.want, got, tt)
	}
}

func TestAnOutageIsNoVerdict(t *testing.T) {
	away, err := store.Open(t.Context(), store.Options{DSN: storetest.SQLite(t), Now: time.Now})
	require.NoError(t, err)
	require.NoError(t, away.Close())
	p, err := factor.NewPolicy(factor.PolicyOptions{Mode: factor.ModeOptional, Roles: []string{"admin"}, Links: away, Holders: away})
	require.NoError(t, err)
	_, err = p.Judge(t.Context(), factor.Asked{Subject: "alice"})
	require.Error(t, err)
	_, err = p.NeedsFactor(t.Context(), identity.Question{Subject: "alice"})
	require.Error(t, err)
	_, err = factor.NewPolicy(factor.PolicyOptions{Mode: "sometimes", Links: away, Holders: away})
	require.Error(t, err)
	var none *factor.Policy
	require.False(t, none.Offered() || none.Vouches("corp", []string{"mfa"}, ""))
}
