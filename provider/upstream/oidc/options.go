package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v3"
)

// Options describe one upstream. Issuer, ClientID, RedirectURL, HTTP and Now
// have no default.
type Options struct {
	Issuer      string // exactly as its metadata names it
	ClientID    string
	RedirectURL string // ours, of this connector alone, against mix-up (RFC 9700, section 4.4.2.2)

	// At most one of these; without any, the client is public.
	ClientSecret string
	SecretPost   bool             // the secret goes into the body instead of HTTP Basic
	Key          *jose.JSONWebKey // private: private_key_jwt (RFC 7523, section 2.2)

	Scopes     []string          // beside openid; default profile, email
	Params     map[string]string // further parameters of the authorization request
	Prompt     string
	ACRValues  []string // asked for
	RequireACR []string // one of which the ID token must have; empty for any
	Algorithms []string // of ID tokens; default RS256, PS256, ES256, EdDSA
	// Tenants are the tenants of an issuer with a {tenantid} in it (Entra ID) who
	// may sign in. Without them such an issuer is refused.
	Tenants  []string
	Userinfo bool          // ask for claims there too
	Skew     time.Duration // of clocks; default 1 min
	Refresh  time.Duration // how long metadata is kept; default 1 h

	// HTTP makes every call, within its own limits of addresses, size and time.
	HTTP *http.Client
	Now  func() time.Time
}

func algorithms() []string { return []string{"RS256", "PS256", "ES256", "EdDSA"} }

func (o *Options) complete() error {
	issuer, err := url.Parse(o.Issuer)
	switch {
	case err != nil || issuer.Host == "" || issuer.RawQuery != "" || issuer.Fragment != "":
		return fmt.Errorf("issuer %q: must be an absolute URL without query and fragment", o.Issuer)
	case o.ClientID == "" || o.RedirectURL == "" || o.HTTP == nil || o.Now == nil:
		return errors.New("client id, redirect URL, HTTP client and clock must be given")
	case o.ClientSecret != "" && o.Key != nil:
		return errors.New("either a client secret or a key, not both")
	case o.Key != nil && (o.Key.IsPublic() || !o.Key.Valid() || o.Key.Algorithm == ""):
		return errors.New("the key must be a private JWK that names its algorithm")
	}
	if o.Scopes == nil {
		o.Scopes = []string{"profile", "email"}
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = algorithms()
	}
	for _, a := range o.Algorithms {
		if !slices.Contains(algorithms(), a) {
			return fmt.Errorf("algorithm %q: must be one of %s", a, strings.Join(algorithms(), ", "))
		}
	}
	if o.Skew <= 0 {
		o.Skew = time.Minute
	}
	if o.Refresh <= 0 {
		o.Refresh = time.Hour
	}
	return nil
}

// fetch reads a document within the limits of the HTTP client.
func (o *Options) fetch(ctx context.Context, uri string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	res, err := o.HTTP.Do(r)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	return readAll(res.Body)
}
