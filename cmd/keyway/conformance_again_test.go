package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// againRows are the rows about when people are asked anew.
func againRows(t *testing.T, s *site) {
	again := func(v *visitor, more ...string) map[string]any {
		v.Helper()
		s.clock.advance(10 * time.Second)
		a := v.get(s.ask("second", more...))
		require.True(v, a.has("login-form") || a.has("account-form"), "asked again: %s", a.location())
		return v.idToken("second", v.redeem("second", v.passes(a, "alice").Get("code")))
	}
	silent := func(v *visitor, more ...string) map[string]any {
		v.Helper()
		s.clock.advance(10 * time.Second)
		return v.idToken("second", v.redeem("second", v.returned(v.get(s.ask("second", more...))).Get("code")))
	}
	begin := func(v *visitor) (seen, map[string]any) {
		v.Helper()
		a := v.tokens("second")
		return a, v.idToken("second", a)
	}
	s.row(t, "prompt=login: asks again, auth_time moves, same sub", func(v *visitor) {
		_, first := begin(v)
		second := again(v, "prompt", "login")
		require.Greater(v, second["auth_time"], first["auth_time"])
		require.Equal(v, first["sub"], second["sub"])
	})
	s.row(t, "prompt=none: without a session login_required", func(v *visitor) {
		v.refused(v.get(s.ask("second", "prompt", "none")), "login_required")
	})
	s.row(t, "prompt=none: with a session silent, same sub and auth_time", func(v *visitor) {
		_, first := begin(v)
		second := silent(v, "prompt", "none")
		require.Equal(v, first["sub"], second["sub"])
		require.Equal(v, first["auth_time"], second["auth_time"])
	})
	s.row(t, "max_age=1: asks again and auth_time is there", func(v *visitor) {
		_, first := begin(v)
		require.Greater(v, again(v, "max_age", "1")["auth_time"], first["auth_time"])
	})
	s.row(t, "max_age=10000: silent, auth_time unchanged", func(v *visitor) {
		_, first := begin(v)
		require.Equal(v, first["auth_time"], silent(v, "max_age", "10000")["auth_time"])
	})
	s.row(t, "id_token_hint + prompt=none: silent for the same person", func(v *visitor) {
		a, first := begin(v)
		require.Equal(v, first["sub"], silent(v, "prompt", "none", "id_token_hint", a.text("id_token"))["sub"])
		other := s.visitor(v.T)
		other.passes(other.get(s.ask("second")), "bob")
		other.refused(other.get(s.ask("second", "prompt", "none", "id_token_hint", a.text("id_token"))), "login_required")
	})
}
