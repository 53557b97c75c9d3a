package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// ConnectorOAuth is what plain OAuth 2 leaves open. A preset knows all of it of
// one kind of upstream.
type ConnectorOAuth struct {
	Preset           string         `yaml:"preset" enum:"github gitlab" doc:"What the upstream is, where it is one of these: its URLs, scopes, subject and claims come with it."`
	BaseURL          string         `yaml:"base_url" doc:"Where it is, for a GitHub or GitLab server of your own; without, the public one."`
	Groups           bool           `yaml:"groups" default:"false" doc:"Whether GitHub is asked for organizations, too: claims.groups are their logins, claims.group_ids their ids, which nobody else can take over. GitLab names groups in any case."`
	AuthorizationURL string         `yaml:"authorization_url" doc:"Where the browser goes."`
	TokenURL         string         `yaml:"token_url" doc:"Where a code becomes a token."`
	UserinfoURL      string         `yaml:"userinfo_url" doc:"Where the token's person is told of, as a JSON object."`
	Subject          string         `yaml:"subject" doc:"The member of that object which is a stable id, such as id or data.uuid: never one that people can change, such as a login name or an e-mail address."`
	Claims           map[string]any `yaml:"claims" doc:"Claims by their names, each the path of a member: {preferred_username: login, email: profile.mail}. The object's own members are claims in any case."`
	EmailsURL        string         `yaml:"emails_url" doc:"Where the person's e-mail addresses are listed, as objects with email, primary and verified; only one that is both counts then."`
	GroupsURL        string         `yaml:"groups_url" doc:"Where the person's groups are listed, as objects."`
	GroupsName       string         `yaml:"groups_name" doc:"The member of each with its name, for claims.groups."`
	GroupsID         string         `yaml:"groups_id" doc:"The member of each with its id, for claims.group_ids."`
	Scopes           []string       `yaml:"scopes" doc:"What is asked for; without, what the preset needs."`
	AnswerIssuer     string         `yaml:"answer_issuer" doc:"What iss of its answers is (RFC 9207) where that is not the issuer."`
	RequireIss       bool           `yaml:"require_iss" default:"false" doc:"Whether answers without iss are refused; for an upstream that promises to send it."`
}

// publicBase are where the presets are without a base_url.
func publicBase(preset string) string {
	return map[string]string{"github": "https://github.com", "gitlab": "https://gitlab.com"}[preset]
}

func (x *Connector) oauthRules(at string) []rule {
	o := &x.OAuth
	in := at + "oauth."
	rs := []rule{
		{at + "client_id", x.ClientID == "", "is required", ""},
		{at + "auth_method", x.AuthMethod == "client_secret_post" && x.ClientSecret.IsZero(), "is of no use without client_secret", ""},
		{at + "issuer", o.Preset == "" && x.Issuer == "", "is required without oauth.preset: a text that with the subject is who somebody is", "write the upstream's URL"},
		{at + "issuer", o.Preset != "" && x.Issuer != "", "comes with oauth.preset", "remove it, or write oauth.base_url"},
		{in + "base_url", o.BaseURL != "" && o.Preset == "", "is of no use without preset", ""},
		{in + "base_url", o.BaseURL != "" && !isUpstreamURL(o.BaseURL, false), "must be an https URL without user, query, fragment and a slash at its end", "write https://git.corp.example.com"},
		{in + "groups", o.Groups && o.Preset != "github", "is of use for github only", "write groups_url where there is no preset"},
		{in + "groups_name", o.GroupsURL != "" && o.GroupsName == "", "is required beside groups_url", ""},
		{in + "subject", o.Subject == "" && o.Preset == "", "is required without preset", "name the member that is a stable id"},
	}
	for _, one := range []struct {
		key, value string
		needed     bool
	}{
		{"authorization_url", o.AuthorizationURL, true},
		{"token_url", o.TokenURL, true},
		{"userinfo_url", o.UserinfoURL, true},
		{"emails_url", o.EmailsURL, false},
		{"groups_url", o.GroupsURL, false},
	} {
		rs = append(rs,
			rule{in + one.key, o.Preset != "" && one.value != "", "comes with preset", ""},
			rule{in + one.key, o.Preset == "" && one.needed && one.value == "", "is required without preset", ""},
			rule{in + one.key, o.Preset == "" && one.value != "" && !isUpstreamURL(one.value, true), "must be an https URL without user and fragment", ""})
	}
	for _, name := range slices.Sorted(maps.Keys(o.Claims)) {
		path, text := o.Claims[name].(string)
		rs = append(rs, rule{in + "claims." + name, !text || path == "", "must be the path of a member", "write it like profile.mail"})
	}
	return append(rs, listRules(in+"scopes", o.Scopes, scopeToken.MatchString, "must be one scope", "write a list: [read:user, user:email]")...)
}

// isUpstreamURL reports an https URL, or an http one on loopback.
func isUpstreamURL(s string, query bool) bool {
	u, ok := parseURL(s)
	return ok && u.User == nil && u.Fragment == "" && (query || u.RawQuery == "" && s[len(s)-1] != '/') && (u.Scheme == "https" || isLoopback(u.Hostname()))
}

// keyedBy is the issuer that people of the connector are known by, and who says who
// they are under it.
func (x *Connector) keyedBy() (issuer, by string) {
	o := &x.OAuth
	switch {
	case x.Type == typeLegacy:
		return cmp.Or(x.Issuer, x.Legacy.URL), typeLegacy + " " + x.Legacy.URL
	case x.Type == typeDatabase: // two old systems count their people from one
		d := &x.Database
		return x.Issuer, strings.Join([]string{typeDatabase, d.DSN.Reveal(), d.Preset, d.Query}, " ")
	case x.Type != typeOAuth:
		return x.Issuer, x.Type
	case o.Preset == "":
		u, err := url.Parse(o.UserinfoURL)
		if err != nil {
			return x.Issuer, typeOAuth
		}
		return x.Issuer, typeOAuth + " " + u.Host + u.Path
	case o.BaseURL != "":
		return o.BaseURL, o.Preset
	}
	return publicBase(o.Preset), o.Preset
}

// issuerOwnerRules keep one upstream from naming the people of another: who
// somebody is, is issuer and subject.
func issuerOwnerRules(all []Connector) []rule {
	var rs []rule
	owners := map[string]string{}
	for i, x := range all {
		issuer, by := x.keyedBy()
		owner, taken := owners[issuer]
		if issuer == "" || !taken {
			owners[issuer] = by
			continue
		}
		rs = append(rs, rule{fmt.Sprintf("connectors[%d].issuer", i), owner != by, "is that of a connector that asks elsewhere, whose people this one could name", "write another text"})
	}
	return rs
}

// paramRules are for parameters that are sent besides.
func paramRules(at string, params map[string]any) []rule {
	var rs []rule
	for _, name := range slices.Sorted(maps.Keys(params)) {
		value, text := params[name].(string)
		rs = append(rs,
			rule{at + name, !text || value == "", "must be a text", "put it in quotes"},
			rule{at + name, slices.Contains(ownParams(), name), "is set by this provider", ""})
	}
	return rs
}

// ownParams are those that a connector sends itself, or has keys for.
func ownParams() []string {
	return []string{
		"response_type", "client_id", "client_secret", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "code_verifier",
		"prompt", "acr_values", "max_age", "login_hint", "ui_locales", "response_mode", "request", "request_uri",
	}
}
