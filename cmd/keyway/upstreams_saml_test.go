//go:build upstreams

package main

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"
)

var anyForm = regexp.MustCompile(`(?s)<form[^>]* action="([^"]*)".*?</form>`)

// submits fills in the one form of a page of SimpleSAMLphp's, or of ours.
func (s *surfer) submits(fields ...string) {
	s.Helper()
	f := anyForm.FindStringSubmatch(s.page)
	require.NotNil(s, f, "no form at %s (%d):\n%s", s.at, s.status, s.page)
	values := url.Values{}
	for _, h := range hiddenField.FindAllStringSubmatch(f[0], -1) {
		values.Set(html.UnescapeString(h[1]), html.UnescapeString(h[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	base, err := url.Parse(s.at)
	require.NoError(s, err)
	to, err := base.Parse(html.UnescapeString(f[1]))
	require.NoError(s, err)
	r, err := http.NewRequestWithContext(s.Context(), http.MethodPost, to.String(), strings.NewReader(values.Encode()))
	require.NoError(s, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	s.send(r)
}

// startBehindSimpleSAML starts a Keyway whose people are in SimpleSAMLphp. more is what it
// is told of us beside our metadata, as JSON.
func startBehindSimpleSAML(t *testing.T, g *appGuest, saml, more string) (*demo, *simpleSAML) {
	t.Helper()
	idp, keys := startSimpleSAML(t), t.TempDir()
	writeSAMLKey(t, keys, "sp")
	d := startFederated(t, g, `- {id: corp, name: Example Corp, type: saml, issuer: "urn:corp:idp", saml: {metadata_url: "`+idp.metadataURL()+`", key: "file:`+keys+`/sp.key", certificate: "`+keys+`/sp.crt", lists: [groups]`+saml+`},
   mapping: {allow: '"staff" in claims.groups', email: claims.mail, email_verified: "true", login_name: claims.uid, roles: claims.groups, claims: {given_name: claims.givenName}}}
`, `- {client_id: app, GUEST, grant_types: [authorization_code], scopes: [openid, profile, email, roles]}
`)
	status, head, metadata := d.do(t, http.MethodGet, "/login/saml/corp/metadata", "")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "application/samlmetadata+xml", head.Get("Content-Type"))
	idp.learn(t, metadata, more)
	g.at(t, d, "app", "openid", "profile", "email", "roles")
	return d, idp
}

func TestWithSimpleSAMLphp(t *testing.T) {
	g := newAppGuest(t)
	d, idp := startBehindSimpleSAML(t, g, "", `{}`)
	s := newSurfer(t)
	signIn := func(username string, params ...oauth2.AuthCodeOption) {
		s.open(g.config.AuthCodeURL("state", append(params, oauth2.S256ChallengeOption("v-of-the-test-0123456789-0123456789-0123456"), oauth2.SetAuthURLParam("connector", "corp"))...))
		if username != "" {
			s.isAt(idp.URL + "/module.php/core/loginuserpass.php")
			s.submits("username", username, "password", "correct-horse")
		}
		s.isAt(idp.URL)
		s.submits()
	}
	tokens := func() *oauth2.Token {
		require.NotEmpty(t, g.answer.Get("code"), "%s\n%s", s.at, s.page)
		tokens, err := g.config.Exchange(t.Context(), g.answer.Get("code"), oauth2.VerifierOption("v-of-the-test-0123456789-0123456789-0123456"))
		require.NoError(t, err)
		return tokens
	}
	signIn("alice")
	first := tokens()
	claims, about := g.claims(t, first), g.userinfo(t, first)
	require.ElementsMatch(t, []any{"staff", "admins"}, claims["roles"])
	require.Equal(t, []any{"u-17", "alice@corp.example", true, "Alice"}, []any{about["preferred_username"], about["email"], about["email_verified"], about["given_name"]})
	require.Contains(t, claims, "auth_time")
	require.Equal(t, "urn:oasis:names:tc:SAML:2.0:ac:classes:Password", claims["acr"])
	require.Equal(t, []string{"user_provisioned", "login"}, d.upstreamEvents(t))

	t.Run("who is signed in there is not asked again, but where the app wants it", func(t *testing.T) {
		s.client.Jar.SetCookies(mustParse(t, d.URL), []*http.Cookie{{Name: "keyway_session", Path: "/", MaxAge: -1}})
		signIn("")
		require.Equal(t, claims["sub"], g.claims(t, tokens())["sub"])
		signIn("alice", oauth2.SetAuthURLParam("prompt", "login"))
		require.Equal(t, claims["sub"], g.claims(t, tokens())["sub"])
	})
	t.Run("whom the mapping refuses is not made", func(t *testing.T) {
		s = newSurfer(t)
		g.answer = nil
		signIn("bob")
		require.Empty(t, g.answer.Get("code"))
		require.Equal(t, http.StatusForbidden, s.status)
		require.Contains(t, d.upstreamEvents(t), "upstream_refused")
	})
}

func mustParse(t *testing.T, to string) *url.URL {
	t.Helper()
	u, err := url.Parse(to)
	require.NoError(t, err)
	return u
}

func TestWithSimpleSAMLphpOfOtherHabits(t *testing.T) {
	for name, c := range map[string]struct {
		saml, more string
		refused    bool
	}{
		"it signs the assertion alone":             {", signed: assertion", `{"saml20.sign.response": false, "saml20.sign.assertion": true}`, false},
		"it signs the response alone":              {", signed: response", `{"saml20.sign.response": true, "saml20.sign.assertion": false}`, false},
		"it signs nothing":                         {"", `{"saml20.sign.response": false, "saml20.sign.assertion": false}`, true},
		"it signs too little":                      {", signed: both", `{"saml20.sign.response": true, "saml20.sign.assertion": false}`, true},
		"it signs with SHA-1":                      {"", `{"signature.algorithm": "http://www.w3.org/2000/09/xmldsig#rsa-sha1"}`, true},
		"it signs with SHA-512":                    {"", `{"signature.algorithm": "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512"}`, false},
		"it has transient names only":              {", name_format: unspecified", `{"NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}`, true},
		"it has transient names, and an attribute": {", subject_attribute: uid", `{"NameIDFormat": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"}`, false},
		"it speaks to another audience, too":       {"", `{"audience": ["urn:other"]}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := newAppGuest(t)
			d, _ := startBehindSimpleSAML(t, g, c.saml, c.more)
			s := newSurfer(t)
			s.open(g.config.AuthCodeURL("state", oauth2.S256ChallengeOption("v"), oauth2.SetAuthURLParam("connector", "corp")))
			s.submits("username", "alice", "password", "correct-horse")
			s.submits()
			if c.refused {
				require.Empty(t, g.answer.Get("code"))
				require.Equal(t, []string{"upstream_untrusted"}, d.upstreamEvents(t))
				return
			}
			require.NotEmpty(t, g.answer.Get("code"), "%s\n%s", s.at, s.page)
		})
	}
}

// Only a browser judges which cookies come along when another site posts, and what the
// page's policy lets a form lead to.
func TestWithSimpleSAMLphpInABrowser(t *testing.T) {
	g := newAppGuest(t)
	d, _ := startBehindSimpleSAML(t, g, "", `{}`)
	p := newPerson(startBrowser(t), t, "")
	p.open(g.config.AuthCodeURL("state", oauth2.S256ChallengeOption("v"), oauth2.SetAuthURLParam("connector", "corp")))
	p.enters("username", "alice")
	p.enters("password", "correct-horse")
	p.do(chromedp.Submit(chromedp.ID("password")))
	require.Eventually(t, func() bool { return strings.HasPrefix(p.at(), g.URL) }, patience, patience/100)
	require.NotEmpty(t, mustParse(t, p.at()).Query().Get("code"))
	require.Equal(t, []string{"user_provisioned", "login"}, d.upstreamEvents(t))
	require.Equal(t, 2, strings.Count(d.Stderr.String(), "upstream_callback"), "posted by the other site without cookies, and once more by a page of ours")
}
