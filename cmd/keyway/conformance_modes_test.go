package main

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// formPostRows are the rows of response_mode=form_post beside those that it has
// in common with every other one.
func formPostRows(t *testing.T, s *site) {
	s.row(t, "HTML form posted to the redirect URI", func(v *visitor) {
		v.tokens("web")
		a := v.get(s.ask("web", "redirect_uri", webReturn+"?registered=1"))
		require.Equal(v, http.StatusOK, a.status)
		require.Contains(v, a.header.Get("Content-Type"), "text/html")
		action, values := a.form(v.T)
		require.Equal(v, webReturn+"?registered=1", action)
		require.NotEmpty(v, values.Get("code"))
		require.Empty(v, a.location())
		policy := a.header.Get("Content-Security-Policy")
		require.NotContains(v, policy, "unsafe-inline")
		require.NotRegexp(v, `<script>|<script [^>]*>[^<]|\son\w+=`, a.body, "no script in the page itself")
		require.Regexp(v, `<button[^>]*type="submit"`, a.body, "works without scripts")
	})
	s.row(t, "values escaped", func(v *visitor) {
		v.tokens("web")
		const hostile = `"><script>alert(1)</script>&amp;'`
		a := v.get(s.ask("web", "state", hostile))
		require.NotContains(v, a.body, "<script>alert")
		require.Equal(v, hostile, v.returned(a).Get("state"))
	})
	s.row(t, "errors posted as well", func(v *visitor) {
		a := v.get(s.ask("web", "prompt", "none"))
		require.True(v, a.has("form-post"), a.body)
		action, _ := a.form(v.T)
		require.Equal(v, webReturn, action)
		require.Equal(v, "a state", v.refused(a, "login_required").Get("state"))
		v.refused(v.get(s.ask("web", "response_type", "token")), "unsupported_response_type")
	})
	s.row(t, "not to an app's own scheme, which cannot be posted to", func(v *visitor) {
		a := v.get(s.ask("native", "redirect_uri", "com.example.app:/callback"))
		require.Equal(v, http.StatusSeeOther, a.status)
		v.refused(a, "invalid_request")
	})
}
