package oauth

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// The upstreams that this package knows by heart.
const (
	GitHub = "github"
	GitLab = "gitlab"
)

// Presets are their names.
func Presets() []string { return []string{GitHub, GitLab} }

// Preset returns the options of an upstream that is known. base is where it is, ""
// for the public one. With groups, people are asked to let their groups be seen.
func Preset(name, base string, groups bool) (Options, error) {
	u, err := url.Parse(base)
	if base != "" && (err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(base, "/")) {
		return Options{}, errors.New("base URL: must be an absolute URL without query, fragment and a slash at its end")
	}
	switch name {
	case GitHub:
		return github(base, groups), nil
	case GitLab:
		return gitlab(base), nil
	}
	return Options{}, fmt.Errorf("preset %q is not known", name)
}

// github is GitHub with its REST API. The id of a person there outlives their
// login, which can be given up and taken by somebody else.
func github(base string, groups bool) Options {
	api := base + "/api/v3" // of a server of one's own
	scheme, host, _ := strings.Cut(base, "://")
	switch {
	case base == "":
		base, api = "https://github.com", "https://api.github.com"
	case strings.HasSuffix(host, ".ghe.com"): // a company's part of GitHub's own cloud
		api = scheme + "://api." + host
	}
	o := Options{
		SecretPost: true, // as its documentation has it
		Issuer:     base, AnswerIssuer: base + "/login/oauth",
		AuthorizationURL: base + "/login/oauth/authorize", TokenURL: base + "/login/oauth/access_token",
		UserinfoURL: api + "/user", Emails: api + "/user/emails?per_page=100", Subject: "id",
		Claims: map[string]string{"preferred_username": "login", "picture": "avatar_url", "profile": "html_url", "name": "name"},
		Scopes: []string{"read:user", "user:email"},
	}
	if groups {
		o.Scopes = append(o.Scopes, "read:org")
		o.Groups = Groups{URL: api + "/user/orgs?per_page=100", Name: "login", ID: "id"}
	}
	return o
}

// gitlab is GitLab, whose userinfo speaks the words of OpenID Connect and names
// groups by itself.
func gitlab(base string) Options {
	if base == "" {
		base = "https://gitlab.com"
	}
	return Options{
		SecretPost: true,
		Issuer:     base, AuthorizationURL: base + "/oauth/authorize", TokenURL: base + "/oauth/token",
		UserinfoURL: base + "/oauth/userinfo", Subject: "sub", Claims: map[string]string{"preferred_username": "nickname"},
		Scopes: []string{"openid", "profile", "email"},
	}
}
