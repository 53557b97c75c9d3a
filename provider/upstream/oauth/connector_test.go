package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/upstream"
	"keyway/provider/upstream/oauth"
)

func TestThePersonIsWhoTheAPISays(t *testing.T) {
	s := newHub(t)
	c := s.connector(t, func(o *oauth.Options) { o.Params = map[string]string{"allow_signup": "false"} })
	to, err := c.AuthCodeURL(t.Context(), &s.attempt)
	require.NoError(t, err)
	u, err := url.Parse(to)
	require.NoError(t, err)
	q := u.Query()
	require.Equal(t, s.URL+"/login/oauth/authorize", strings.Split(to, "?")[0])
	require.Equal(t, []string{"code", "S256", redirectURL, s.attempt.State, "read:user user:email read:org", "false"},
		[]string{q.Get("response_type"), q.Get("code_challenge_method"), q.Get("redirect_uri"), q.Get("state"), q.Get("scope"), q.Get("allow_signup")})

	p, err := s.signIn(t, c)
	require.NoError(t, err)
	require.Equal(t, "p/w:1", s.Asked["/login/oauth/access_token"].Get("client_secret"), "where GitHub's documentation has it")
	require.Equal(t, s.URL, p.Issuer)
	require.Equal(t, "9007199254740993", p.Subject, "an id keeps its digits")
	require.Equal(t, "octo@corp.example", p.Claims["email"], "not the one that people put on their page")
	require.Equal(t, true, p.Claims["email_verified"])
	require.Equal(t, "octo", p.Claims["preferred_username"])
	require.Equal(t, "https://img.example/1", p.Claims["picture"])
	require.Equal(t, []any{"corp", "hobby"}, p.Claims["groups"])
	require.Equal(t, []any{"42", "43"}, p.Claims["group_ids"])
	require.Equal(t, json.Number("9007199254740993"), p.Claims["id"])
	require.True(t, p.AuthTime.IsZero(), "nobody knows when they proved themselves")
	require.Empty(t, p.AMR)
	require.True(t, s.Tokens[p.AccessToken])
	require.True(t, p.AccessExpires.IsZero(), "it lasts until it is taken back")
}

func TestAnAddressCountsOnlyWhereItIsPrimaryAndVerified(t *testing.T) {
	for name, list := range map[string]string{
		"no address": `[]`, "a primary one that is not verified": `[{"email":"octo@corp.example","primary":true,"verified":false}]`,
		"a verified one that is not primary": `[{"email":"octo@corp.example","primary":false,"verified":true}]`,
		"a text for true":                    `[{"email":"octo@corp.example","primary":true,"verified":"true"}]`,
		"an address that is none":            `[{"email":7,"primary":true,"verified":true},"octo@corp.example"]`,
	} {
		s := newHub(t)
		s.Body["/api/v3/user/emails"] = list
		p, err := s.signIn(t, s.connector(t))
		require.NoError(t, err, name)
		require.NotContains(t, p.Claims, "email", name)
		require.NotContains(t, p.Claims, "email_verified", name)
	}
}

func TestAClaimMapIsReadAtOnceAndFollowsPaths(t *testing.T) {
	s := newHub(t)
	s.Body["/api/v3/user"] = `{"uid":"u-1","name":"a","nickname":"b","profile":{"mail":"x@corp.example","ok":true},"website":"w"}`
	p, err := s.signIn(t, s.connector(t, func(o *oauth.Options) {
		o.SecretPost, o.Subject, o.Emails, o.Groups = false, "uid", "", oauth.Groups{}
		o.Claims = map[string]string{"name": "nickname", "nickname": "name", "email": "profile.mail", "email_verified": "profile.ok", "website": "profile.mail.x"}
	}))
	require.NoError(t, err)
	require.Equal(t, map[string]any{
		"uid": "u-1", "name": "b", "nickname": "a", "email": "x@corp.example", "email_verified": true,
		"profile": map[string]any{"mail": "x@corp.example", "ok": true},
	}, p.Claims, "what leads nowhere is no claim")
}

func TestWhatBecameOfSomebodyIsAsked(t *testing.T) {
	t.Run("by an access token that lasts", func(t *testing.T) {
		s := newHub(t)
		c := s.connector(t)
		p, err := s.signIn(t, c)
		require.NoError(t, err)
		known := &upstream.Known{Issuer: p.Issuer, Subject: p.Subject, RefreshToken: p.RefreshToken}
		s.Body["/api/v3/user/orgs"] = `[]`
		now, err := c.Follow(t.Context(), known)
		require.NoError(t, err)
		require.Empty(t, now.Claims["groups"], "groups follow")
		require.Equal(t, p.RefreshToken, now.RefreshToken)

		clear(s.Tokens)
		_, err = c.Follow(t.Context(), known)
		require.Equal(t, upstream.Refused, upstream.KindOf(err), "who took the token back has left")
		s.Status["/api/v3/user"] = http.StatusBadGateway
		_, err = c.Follow(t.Context(), known)
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "an outage is not taken for that")
	})
	t.Run("by a refresh token", func(t *testing.T) {
		s := newHub(t)
		s.Answer = map[string]any{"refresh_token": "refresh-1", "expires_in": 60}
		c := s.connector(t)
		p, err := s.signIn(t, c)
		require.NoError(t, err)
		require.Equal(t, "refresh-1", p.RefreshToken)
		require.WithinDuration(t, time.Now().Add(time.Minute), p.AccessExpires, 10*time.Second)
		known := &upstream.Known{Issuer: p.Issuer, Subject: p.Subject, RefreshToken: p.RefreshToken}
		s.Answer["refresh_token"] = nil
		now, err := c.Follow(t.Context(), known)
		require.NoError(t, err)
		require.Equal(t, "refresh_token", s.Asked["/login/oauth/access_token"].Get("grant_type"))
		require.Equal(t, "refresh-1", now.RefreshToken, "it was not rotated")

		known.RefreshToken = "gone"
		_, err = c.Follow(t.Context(), known)
		require.Equal(t, upstream.Refused, upstream.KindOf(err))
	})
	t.Run("one that says that it expires is not kept for later", func(t *testing.T) {
		s := newHub(t)
		s.Answer = map[string]any{"expires_in": 60}
		c := s.connector(t)
		p, err := s.signIn(t, c)
		require.NoError(t, err)
		require.Empty(t, p.RefreshToken)
		_, err = c.Follow(t.Context(), &upstream.Known{Issuer: p.Issuer, Subject: p.Subject})
		require.Equal(t, upstream.Unavailable, upstream.KindOf(err), "and nothing is said of the person")
	})
}

func TestASignInOfNowIsNotPromised(t *testing.T) {
	s := newHub(t)
	s.attempt.Fresh = true
	_, err := s.connector(t).AuthCodeURL(t.Context(), &s.attempt)
	require.Equal(t, upstream.Refused, upstream.KindOf(err))
	_, err = s.connector(t).Exchange(t.Context(), &s.attempt, url.Values{"code": {"c"}, "state": {s.attempt.State}})
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
}

func TestPresets(t *testing.T) {
	for name, c := range map[string]struct{ preset, base, issuer, token, api string }{
		"GitHub":                    {oauth.GitHub, "", "https://github.com", "https://github.com/login/oauth/access_token", "https://api.github.com/user"},
		"a GitHub server":           {oauth.GitHub, "https://git.corp.example", "https://git.corp.example", "https://git.corp.example/login/oauth/access_token", "https://git.corp.example/api/v3/user"},
		"a part of GitHub's cloud":  {oauth.GitHub, "https://corp.ghe.com", "https://corp.ghe.com", "https://corp.ghe.com/login/oauth/access_token", "https://api.corp.ghe.com/user"},
		"GitLab":                    {oauth.GitLab, "", "https://gitlab.com", "https://gitlab.com/oauth/token", "https://gitlab.com/oauth/userinfo"},
		"a GitLab server on a path": {oauth.GitLab, "https://corp.example/gitlab", "https://corp.example/gitlab", "https://corp.example/gitlab/oauth/token", "https://corp.example/gitlab/oauth/userinfo"},
	} {
		o, err := oauth.Preset(c.preset, c.base, false)
		require.NoError(t, err, name)
		require.Equal(t, []string{c.issuer, c.token, c.api}, []string{o.Issuer, o.TokenURL, o.UserinfoURL}, name)
		require.NotContains(t, o.Scopes, "read:org", name)
		o.ClientID, o.RedirectURL, o.HTTP, o.Now = "a", "https://b", http.DefaultClient, time.Now
		_, err = oauth.New(o)
		require.NoError(t, err, name)
	}
	for _, bad := range [][2]string{{"sourceforge", ""}, {oauth.GitLab, "corp.example"}, {oauth.GitLab, "https://corp.example/"}, {oauth.GitHub, "https://corp.example?x"}} {
		_, err := oauth.Preset(bad[0], bad[1], false)
		require.Error(t, err, bad)
	}
}
