package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Options describe one upstream. Those without a remark have no default.
type Options struct {
	// Issuer is the text that with the subject is who somebody is. Two upstreams
	// must never have the same.
	Issuer       string
	ClientID     string
	ClientSecret string // "" for a public client
	SecretPost   bool   // the secret goes into the body instead of HTTP Basic
	RedirectURL  string // ours, of this connector alone, against mix-up (RFC 9700, section 4.4.2.2)

	AuthorizationURL string
	TokenURL         string
	UserinfoURL      string
	Emails           string // the URL of a list of e-mail addresses with email, primary and verified; "" for none
	Groups           Groups

	Subject string            // the member of userinfo that is a stable id: a text, or a whole number
	Claims  map[string]string // claims by their names, each a path of members, such as profile.mail
	Scopes  []string
	Params  map[string]string // further parameters of the authorization request

	AnswerIssuer string // what iss of an answer has to be where it is there (RFC 9207); default Issuer
	Named        bool   // answers without iss are refused

	// HTTP makes every call, within its own limits of addresses, size and time.
	HTTP *http.Client
	Now  func() time.Time
}

// Groups are what a person belongs to. The names become the claim groups, the
// ids group_ids: where a name can be given up and taken by others, only an id
// is safe to go by.
type Groups struct {
	URL  string // answers a list of objects; "" for none
	Name string // the member with the name
	ID   string // the member with the id; "" for none
}

// changing are members that upstreams let people change, and others take over.
func changing(member string) bool {
	switch strings.ToLower(member[strings.LastIndexByte(member, '.')+1:]) {
	case "email", "mail", "login", "username", "user_name", "preferred_username", "name", "nickname", "display_name", "displayname", "handle", "phone", "phone_number":
		return true
	}
	return false
}

func (o *Options) complete() error {
	for name, text := range map[string]string{
		"authorization URL": o.AuthorizationURL, "token URL": o.TokenURL, "userinfo URL": o.UserinfoURL, "e-mails URL": o.Emails, "groups URL": o.Groups.URL,
	} {
		optional := text == "" && (name == "e-mails URL" || name == "groups URL")
		if u, err := url.Parse(text); !optional && (err != nil || u.Host == "" || u.User != nil || u.Fragment != "") {
			return fmt.Errorf("%s: must be an absolute URL without user and fragment", name)
		}
	}
	switch {
	case o.Issuer == "" || o.ClientID == "" || o.RedirectURL == "" || o.HTTP == nil || o.Now == nil:
		return errors.New("issuer, client id, redirect URL, HTTP client and clock must be given")
	case o.Subject == "":
		return errors.New("subject: name the member of userinfo that is a stable id")
	case changing(o.Subject):
		return fmt.Errorf("subject %q: people can change it, and others can take it over; name a stable id", o.Subject)
	case o.Groups.URL != "" && o.Groups.Name == "":
		return errors.New("groups: name the member with the name")
	}
	for claim := range o.Claims {
		if reserved(claim) {
			return fmt.Errorf("claims.%s: is not an upstream's to say without a signature", claim)
		}
	}
	if o.AnswerIssuer == "" {
		o.AnswerIssuer = o.Issuer
	}
	return nil
}

// reserved are claims that say how somebody signed in, or that the connector
// makes itself.
func reserved(claim string) bool {
	switch claim {
	case "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "acr", "amr", "azp", "auth_time", "at_hash", "c_hash", "sid", "cnf", "act":
		return true
	}
	return false
}
