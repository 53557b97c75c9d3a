package oidc

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"keyway/provider/keyset"
	"keyway/provider/upstream"
)

const (
	maxDocument  = 256 << 10 // bytes
	maxAnswer    = 8 << 10   // bytes of one parameter that the browser brings
	tenantMarker = "{tenantid}"
)

// Connector is one upstream.
type Connector struct {
	options Options
	keys    *keyset.Cache

	mu    sync.Mutex
	known *metadata
}

var _ upstream.Connector = (*Connector)(nil)

// metadata is what the upstream publishes of itself.
type metadata struct {
	provider *coreosoidc.Provider
	issuer   string // may have a tenantMarker in it
	jwks     string
	endpoint oauth2.Endpoint
	logout   string
	names    bool // answers name their issuer (RFC 9207, section 3)
	at       time.Time
}

// New returns a connector. It calls nobody: an upstream that is away must not
// keep this program from starting.
func New(o Options) (*Connector, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	c := &Connector{options: o}
	var err error
	c.keys, err = keyset.NewCache(keyset.Options{Fetch: c.options.fetch, Now: o.Now})
	return c, err
}

// metadata returns what is known, read anew when it is old. While the upstream
// is away, the old goes on to count.
func (c *Connector) metadata(ctx context.Context) (*metadata, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.options.Now()
	if c.known != nil && now.Sub(c.known.at) < c.options.Refresh {
		return c.known, nil
	}
	m, err := c.discover(ctx)
	if err != nil && c.known != nil {
		c.known.at = now.Add(time.Minute - c.options.Refresh) // again in a minute
		return c.known, nil
	}
	if err != nil {
		return nil, &upstream.Error{Kind: upstream.Unavailable, Err: fmt.Errorf("metadata: %w", err)}
	}
	c.known = m
	return m, nil
}

func (c *Connector) discover(ctx context.Context) (*metadata, error) {
	ctx = coreosoidc.ClientContext(context.WithoutCancel(ctx), c.options.HTTP)
	if len(c.options.Tenants) > 0 {
		ctx = coreosoidc.InsecureIssuerURLContext(ctx, c.options.Issuer) // judged below, and in each token
	}
	p, err := coreosoidc.NewProvider(ctx, c.options.Issuer)
	if err != nil {
		return nil, err
	}
	var d struct {
		Issuer string `json:"issuer"`
		JWKS   string `json:"jwks_uri"`
		Logout string `json:"end_session_endpoint"`
		Names  bool   `json:"authorization_response_iss_parameter_supported"`
	}
	if err := p.Claims(&d); err != nil {
		return nil, err
	}
	if len(c.options.Tenants) > 0 && !c.ofTenants(d.Issuer) {
		return nil, errors.New("the issuer is not one with tenants on the same host")
	}
	if d.JWKS == "" || p.Endpoint().AuthURL == "" || p.Endpoint().TokenURL == "" {
		return nil, errors.New("an endpoint is missing")
	}
	m := &metadata{
		provider: p, issuer: d.Issuer, jwks: d.JWKS, endpoint: p.Endpoint(), logout: d.Logout,
		names: d.Names, at: c.options.Now(),
	}
	m.endpoint.AuthStyle = oauth2.AuthStyleInHeader
	if c.options.SecretPost || c.options.ClientSecret == "" {
		m.endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return m, nil
}

// ofTenants accepts a templated issuer at the host that was asked.
func (c *Connector) ofTenants(issuer string) bool {
	asked, err := url.Parse(c.options.Issuer)
	said, saidErr := url.Parse(strings.Replace(issuer, tenantMarker, "tenant", 1))
	return err == nil && saidErr == nil && strings.Count(issuer, tenantMarker) == 1 && asked.Scheme == said.Scheme && asked.Host == said.Host
}

func (c *Connector) config(m *metadata) *oauth2.Config {
	return &oauth2.Config{
		ClientID: c.options.ClientID, ClientSecret: c.options.ClientSecret, Endpoint: m.endpoint,
		RedirectURL: c.options.RedirectURL, Scopes: append([]string{coreosoidc.ScopeOpenID}, c.options.Scopes...),
	}
}

// AuthCodeURL implements [upstream.Connector].
func (c *Connector) AuthCodeURL(ctx context.Context, a *upstream.Attempt) (string, error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return "", err
	}
	params := []oauth2.AuthCodeOption{coreosoidc.Nonce(a.Nonce), oauth2.S256ChallengeOption(a.Verifier)}
	add := func(name, value string) {
		if value != "" {
			params = append(params, oauth2.SetAuthURLParam(name, value))
		}
	}
	for name, value := range c.options.Params {
		add(name, value)
	}
	add("login_hint", a.LoginHint)
	add("ui_locales", a.Locales)
	add("prompt", first(a.Prompt, c.options.Prompt))
	add("acr_values", first(strings.Join(a.ACRValues, " "), strings.Join(c.options.ACRValues, " ")))
	if a.Fresh { // some say when only if they are asked for it by name
		add("max_age", "0")
		add("claims", `{"id_token":{"auth_time":{"essential":true}}}`)
	}
	return c.config(m).AuthCodeURL(a.State, params...), nil
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// Exchange implements [upstream.Connector].
func (c *Connector) Exchange(ctx context.Context, a *upstream.Attempt, answer url.Values) (*upstream.Person, error) {
	m, err := c.metadata(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.checkAnswer(m, a, answer); err != nil {
		return nil, err
	}
	params := []oauth2.AuthCodeOption{oauth2.VerifierOption(a.Verifier)}
	proof, err := c.prove(m.endpoint.TokenURL)
	if err != nil {
		return nil, err
	}
	ctx = coreosoidc.ClientContext(ctx, c.options.HTTP)
	tokens, err := c.config(m).Exchange(ctx, answer.Get("code"), append(params, proof...)...)
	if err != nil {
		return nil, tokenError(err)
	}
	return c.person(ctx, m, tokens, a)
}

// checkAnswer judges what the browser brought before anybody is asked about it.
func (c *Connector) checkAnswer(m *metadata, a *upstream.Attempt, answer url.Values) error {
	for name, values := range answer {
		if len(values) != 1 || len(values[0]) > maxAnswer || len(name) > maxAnswer {
			return upstream.Fail(upstream.Untrusted, "a parameter stands twice or is too long")
		}
	}
	if subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.State)) != 1 {
		return upstream.Fail(upstream.Untrusted, "state is not that of the attempt")
	}
	if iss := answer.Get("iss"); iss != "" && iss != m.issuer || iss == "" && m.names {
		return upstream.Fail(upstream.Untrusted, "the answer is not of this issuer (RFC 9207)")
	}
	switch code := answer.Get("error"); {
	case code == "" && answer.Get("code") == "":
		return upstream.Fail(upstream.Untrusted, "the answer has no code")
	case code == "temporarily_unavailable", code == "server_error":
		return upstream.Fail(upstream.Unavailable, "the upstream answered "+code)
	case code != "":
		return upstream.Fail(upstream.Refused, "the upstream answered "+known(code))
	}
	return nil
}

// known keeps what a log may hold of an upstream's error code.
func known(code string) string {
	switch code {
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required",
		"invalid_request", "invalid_scope", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_response_type":
		return code
	}
	return "an unknown error"
}

// tokenError tells an upstream that refuses from one that is away.
func tokenError(err error) error {
	var said *oauth2.RetrieveError
	if errors.As(err, &said) && said.Response != nil && said.Response.StatusCode < http.StatusInternalServerError {
		return upstream.Fail(upstream.Refused, fmt.Sprintf("token endpoint: status %d, %s", said.Response.StatusCode, known(said.ErrorCode)))
	}
	if said != nil {
		return upstream.Fail(upstream.Unavailable, "token endpoint: no sensible answer") // its body stays out of the log
	}
	return &upstream.Error{Kind: upstream.Unavailable, Err: errors.New("token endpoint: " + plainCause(err))}
}

// plainCause keeps the outermost own text of a call that failed; a URL in it
// could carry what was sent.
func plainCause(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return "the answer could not be read"
}

func readAll(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		err = errors.New("the document is too large")
	}
	return body, err
}
