package oidc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	coreosoidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"keyway/provider/keyset"
	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

const (
	maxDocument  = 256 << 10 // bytes
	tenantMarker = "{tenantid}"
)

// Connector is one upstream.
type Connector struct {
	options Options
	keys    *keyset.Cache

	mu     sync.Mutex
	known  *metadata
	failed error         // of the last try while nothing was known
	tries  atomic.Uint64 // how many ended
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
	seen := c.tries.Load()
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.options.Now()
	if c.known == nil && c.failed != nil && c.tries.Load() != seen {
		return nil, c.failed // while this caller waited; of many at once each would wait its time out
	}
	if c.known != nil && now.Sub(c.known.at) < c.options.Refresh {
		return c.known, nil
	}
	m, err := c.discover(ctx)
	c.tries.Add(1)
	if err != nil && c.known != nil {
		c.known.at = now.Add(time.Minute - c.options.Refresh) // again in a minute
		return c.known, nil
	}
	if err != nil {
		c.failed = &upstream.Error{Kind: upstream.Unavailable, Err: fmt.Errorf("metadata: %w", err)}
		return nil, c.failed
	}
	c.known, c.failed = m, nil
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
	if err := codeflow.Check(a, answer, codeflow.Issuer{Name: m.issuer, Named: m.names}); err != nil {
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
		return nil, codeflow.TokenError(err)
	}
	return c.person(ctx, m, tokens, a)
}

func readAll(r io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err == nil && len(body) > maxDocument {
		err = errors.New("the document is too large")
	}
	return body, err
}
