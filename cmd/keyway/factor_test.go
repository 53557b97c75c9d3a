package main

import (
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/provider/factor"
)

var siteKey = regexp.MustCompile(`id="key">((?:[A-Z2-7]{4} ?){8})<`)

// setsUp enters what an authenticator app shows that has the key of the page, and
// returns the key.
func (v *visitor) setsUp(page seen) string {
	v.Helper()
	key := siteKey.FindStringSubmatch(page.body)
	require.NotNil(v, key, page.body)
	secret := strings.ReplaceAll(key[1], " ", "")
	code, err := totp.GenerateCode(secret, v.site.clock.Now())
	require.NoError(v, err)
	require.True(v, v.submit(page, "name", "Phone", "code", code).has("codes"))
	return secret
}

// TestResetFactor takes away what somebody has lost.
func TestResetFactor(t *testing.T) {
	s := startSite(t)
	v := s.visitor(t)
	page := v.enters(v.get(s.ask("second", "acr_values", "urn:keyway:mfa")), "careful")
	v.setsUp(page)
	other := s.visitor(t)
	require.True(t, other.enters(other.get(s.ask("second")), "careful").has("factor-form"))
	u, err := s.program.findUser(t.Context(), "default", "careful")
	require.NoError(t, err)
	n, err := s.program.store.ResetFactors(t.Context(), u.Subject)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.True(t, v.get(s.ask("second")).has("login-form"), "signed out")
	again := s.visitor(t)
	require.NotEmpty(t, again.passes(again.get(s.ask("second")), "careful").Get("code"))
}

// enrolFor gives a user of a configuration an authenticator app.
func enrolFor(t *testing.T, file, name string) {
	t.Helper()
	cfg, _, err := config.Load(file)
	require.NoError(t, err)
	p := &program{cfg: cfg, log: slog.New(slog.DiscardHandler), now: time.Now}
	defer p.close()
	require.NoError(t, p.openStore(t.Context()))
	u, err := p.findUser(t.Context(), "default", name)
	require.NoError(t, err)
	_, err = p.store.AddEnrolment(t.Context(), &factor.Enrolment{
		ID: "f1", Subject: u.Subject, Kind: factor.KindTOTP, Name: "Phone", Secret: []byte("canary"), CreatedAt: p.now(), UsedAt: p.now(),
	}, nil)
	require.NoError(t, err)
}
