package main

import (
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
)

// beginsDevice asks for codes, as a device does.
func (v *visitor) beginsDevice() seen {
	v.Helper()
	a := v.send(http.MethodPost, "/oauth2/device", url.Values{"client_id": {"tv"}, "scope": {"openid email offline_access"}})
	require.Equal(v, http.StatusOK, a.status, a.body)
	require.Equal(v, "no-store", a.header.Get("Cache-Control"))
	return a
}

// polls asks for the tokens.
func (v *visitor) polls(client string, begun seen) seen {
	v.Helper()
	return v.send(http.MethodPost, "/oauth2/token", url.Values{
		"client_id": {client}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.text("device_code")},
	})
}

// opensDevice goes to the page for codes, and signs in if need be.
func (v *visitor) opensDevice(target string) seen {
	v.Helper()
	page := v.get(target)
	if page.has("login-form") {
		page = v.enters(page, "alice")
	}
	require.True(v, page.has("device-form"), page.body)
	return page
}

// typesCode goes as far as the question whether the device may come in.
func (v *visitor) typesCode(begun seen) seen {
	v.Helper()
	page := v.submit(v.opensDevice("/device"), "user_code", begun.text("user_code"))
	require.True(v, page.has("device-confirm-form"), page.body)
	return page
}

func deviceAttacks(t *testing.T, s *site) {
	s.row(t, "attack 9: a device code of another client: refused", func(v *visitor) {
		begun := v.beginsDevice()
		require.True(v, v.submit(v.typesCode(begun), "decision", "allow").has("device-allowed"))
		v.polls("native", begun).fails(v.T, http.StatusBadRequest, "unauthorized_client")
		a := v.as("machine", "/oauth2/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.text("device_code")}})
		a.fails(v.T, http.StatusBadRequest, "unauthorized_client")
		s.alter(v.T, "second", func(c *provider.Client) {
			c.GrantTypes = append(slices.Clone(c.GrantTypes), "urn:ietf:params:oauth:grant-type:device_code")
		})
		v.as("second", "/oauth2/token", url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "device_code": {begun.text("device_code")}}).
			fails(v.T, http.StatusBadRequest, "invalid_grant")
		require.Equal(v, http.StatusOK, v.polls("tv", begun).status)
		v.polls("tv", begun).fails(v.T, http.StatusBadRequest, "invalid_grant")
	})
	s.row(t, "attack 9: guess user codes fast: limited", func(v *visitor) {
		begun, page := v.beginsDevice(), v.opensDevice("/device")
		for range 10 {
			require.Contains(v, v.submit(page, "user_code", "BBBB-BBBB").body, "No device is waiting")
		}
		require.Contains(v, v.submit(page, "user_code", "BBBB-BBBB").body, "too many wrong codes")
		require.Contains(v, v.submit(page, "user_code", begun.text("user_code")).body, "too many wrong codes")
		v.polls("tv", begun).fails(v.T, http.StatusBadRequest, "authorization_pending")
	})
	s.row(t, "attack 15: device flow: mail someone the complete link: the page names the client and asks", func(v *visitor) {
		begun := v.beginsDevice()
		page := v.opensDevice(begun.text("verification_uri_complete"))
		require.Contains(v, page.body, begun.text("user_code"))
		v.polls("tv", begun).fails(v.T, http.StatusBadRequest, "authorization_pending")
		page = v.submit(page, "user_code", begun.text("user_code"))
		for _, want := range []string{"TV app", begun.text("user_code"), "only if you started it yourself", "127.0.0.1"} {
			require.Contains(v, page.body, want)
		}
		s.clock.advance(5 * time.Second)
		v.polls("tv", begun).fails(v.T, http.StatusBadRequest, "authorization_pending")
		require.True(v, v.submit(page, "decision", "deny").has("device-denied"))
		v.polls("tv", begun).fails(v.T, http.StatusBadRequest, "access_denied")
	})
	s.row(t, "attack 15: another site's form, or another browser's, lets no device in", func(v *visitor) {
		begun := v.beginsDevice()
		page := v.typesCode(begun)
		v.told(v.submit(page, "csrf", "x", "decision", "allow"))
		v.told(v.submit(page, "csrf", "", "decision", "allow"))
		thief := s.visitor(v.T)
		action, values := page.form(v.T)
		values.Set("decision", "allow")
		thief.told(thief.send(http.MethodPost, action, values))
		v.polls("tv", begun).fails(v.T, http.StatusBadRequest, "authorization_pending")
	})
}
