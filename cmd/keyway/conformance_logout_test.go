package main

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// unsignedToken is the token with an algorithm that signs nothing.
func unsignedToken(token, alg string) string {
	parts := strings.Split(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`","typ":"JWT"}`)) + "." + parts[1] + "."
}

// strangers is the token's claims, signed by somebody else.
func (s *site) strangers(t *testing.T, claims map[string]any) string {
	t.Helper()
	return s.sign(t, "JWT", claims)
}

// logoutRow is one case of RP-initiated logout.
type logoutRow struct {
	name string
	hint func(v *visitor, a seen) string // nil: none
	uri  string
	more []string
	want string // "left": the session ends at once; "asked": after a question; "refused": an error page, and the session goes on
	to   string // where the browser ends; "" for a page of ours
}

func logoutRows(t *testing.T, s *site) {
	good := func(_ *visitor, a seen) string { return a.text("id_token") }
	for _, r := range []logoutRow{
		{"hint + uri + state", good, webBye, []string{"state", "s &"}, "left", webBye + "?state=s+%26"},
		{"no state", good, webBye, nil, "left", webBye},
		{"foreign uri", good, "https://evil.example/", nil, "refused", ""},
		{"query added", good, webBye + "?foo=bar", nil, "refused", ""},
		{"a query that is registered", good, webBye + "?x=1", []string{"state", "s"}, "left", webBye + "?x=1&state=s"},
		{"alg none", func(_ *visitor, a seen) string { return unsignedToken(a.text("id_token"), "none") }, webBye, nil, "refused", ""},
		{"stranger's signature", func(v *visitor, a seen) string { return s.strangers(v.T, v.idToken("web", a)) }, webBye, nil, "refused", ""},
		{"no hint", nil, webBye, []string{"state", "s"}, "asked", ""},
		{"no hint but client_id", nil, webBye, []string{"client_id", "web", "state", "s"}, "asked", webBye + "?state=s"},
		{"no parameters", nil, "", nil, "asked", ""},
		{"only state", nil, "", []string{"state", "s"}, "asked", ""},
		{"no uri", good, "", nil, "left", ""},
	} {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			s.row(t, "RP-initiated: "+method+": "+r.name, func(v *visitor) { r.run(v, method) })
		}
	}
	s.row(t, "RP-initiated: who says no stays signed in", func(v *visitor) {
		v.tokens("web")
		v.submit(v.get("/oauth2/logout"), "decision", "stay")
		require.NotEmpty(v, v.returned(v.get(s.ask("web", "prompt", "none"))).Get("code"))
	})
}

func (r logoutRow) run(v *visitor, method string) {
	v.Helper()
	a := v.tokens("web")
	values := changed(url.Values{}, r.more)
	if r.uri != "" {
		values.Set("post_logout_redirect_uri", r.uri)
	}
	if r.hint != nil {
		values.Set("id_token_hint", r.hint(v, a))
	}
	target, form := "/oauth2/logout", values
	if method == http.MethodGet {
		target, form = target+"?"+values.Encode(), nil
	}
	got := v.follow(v.send(method, target, form))
	if r.want == "refused" {
		v.told(got)
		require.NotEmpty(v, v.returned(v.get(v.site.ask("web", "prompt", "none"))).Get("code"), "the session goes on")
		return
	}
	if r.want == "asked" {
		require.True(v, got.has("logout-form"), got.body)
		require.NotEmpty(v, v.returned(v.get(v.site.ask("web", "prompt", "none"))).Get("code"), "nothing ends without a yes")
		got = v.submit(got, "decision", "logout")
	}
	require.Equal(v, r.to, got.location())
	if r.to == "" {
		require.Equal(v, http.StatusOK, got.status)
		require.False(v, got.has("logout-form"))
	}
	v.refused(v.get(v.site.ask("web", "prompt", "none")), "login_required")
}
