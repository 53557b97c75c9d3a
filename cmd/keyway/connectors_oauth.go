package main

import (
	"fmt"
	"net/http"
	"time"

	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/upstream/oauth"
	"keyway/provider/upstream/oidc"
)

func (p *program) oauthConnector(c *config.Connector, calls *http.Client, one *federation.Connector) error {
	o, err := oauthOptions(c)
	if err != nil {
		return err
	}
	o.RedirectURL, o.HTTP, o.Now = p.callback(c.ID), calls, p.now
	made, err := oauth.New(o)
	if err != nil {
		return err
	}
	one.Upstream, one.Follower, one.ByToken, one.Issuer = made, made, true, o.Issuer
	return nil
}

// callback is the one redirect URI of a connector.
func (p *program) callback(id string) string { return p.cfg.Issuer + "/login/callback/" + id }

// oauthOptions are all but what the running program adds.
func oauthOptions(c *config.Connector) (oauth.Options, error) {
	d := &c.OAuth
	o := oauth.Options{
		Issuer: c.Issuer, AuthorizationURL: d.AuthorizationURL, TokenURL: d.TokenURL, UserinfoURL: d.UserinfoURL, Emails: d.EmailsURL,
		Groups: oauth.Groups{URL: d.GroupsURL, Name: d.GroupsName, ID: d.GroupsID}, SecretPost: c.AuthMethod == "client_secret_post",
	}
	if d.Preset != "" {
		known, err := oauth.Preset(d.Preset, d.BaseURL, d.Groups)
		if err != nil {
			return o, err
		}
		o = known
	}
	o.ClientID, o.ClientSecret, o.Params, o.Named = c.ClientID, c.ClientSecret.Reveal(), texts(c.Params), d.RequireIss
	if d.Subject != "" {
		o.Subject = d.Subject
	}
	if len(d.Scopes) > 0 {
		o.Scopes = append([]string{}, d.Scopes...)
	}
	if d.AnswerIssuer != "" {
		o.AnswerIssuer = d.AnswerIssuer
	}
	if len(d.Claims) > 0 {
		o.Claims = texts(d.Claims)
	}
	return o, nil
}

// checkConnector makes what a connector is made of, without calling anybody.
func checkConnector(c *config.Connector) error {
	switch {
	case c.Type == "oauth":
		_, err := offlineOAuth(c)
		return err
	case c.Type == "saml":
		if err := checkSAML(c); err != nil {
			return fmt.Errorf("saml: %w", err)
		}
	case c.Type == "ldap":
		return checkLDAP(c)
	case c.Type == "database":
		if err := checkDatabase(c); err != nil {
			return fmt.Errorf("database: %w", err)
		}
	case !c.Key.IsZero():
		_, err := oidc.ParseKey(c.Key.Reveal())
		return err
	}
	return nil
}

// offlineOAuth is a connector that is not to call anybody.
func offlineOAuth(c *config.Connector) (*oauth.Connector, error) {
	o, err := oauthOptions(c)
	if err != nil {
		return nil, err
	}
	o.RedirectURL, o.HTTP, o.Now = "https://keyway.example/login/callback/"+c.ID, http.DefaultClient, time.Now
	return oauth.New(o)
}
