package provider

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"keyway/provider/identity"
	"keyway/provider/redirect"
)

// clientCache keeps clients for seconds, so that a change on another replica
// is seen soon and a request costs no read.
type clientCache struct {
	mu      sync.RWMutex
	clients map[string]cachedClient
}

type cachedClient struct {
	client  *fositeClient // nil: there is none
	expires time.Time
}

// maxCachedClients bounds what made-up client ids can fill.
const maxCachedClients = 10_000

func (c *clientCache) get(id string, now time.Time) (*fositeClient, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	hit, ok := c.clients[id]
	return hit.client, ok && now.Before(hit.expires)
}

func (c *clientCache) put(id string, client *fositeClient, expires time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.clients == nil || len(c.clients) >= maxCachedClients {
		c.clients = map[string]cachedClient{}
	}
	c.clients[id] = cachedClient{client: client, expires: expires}
}

func (c *clientCache) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.clients, id)
}

// client returns [identity.ErrNotFound] where there is none, or a
// [*identity.Failure].
func (p *Provider) client(ctx context.Context, id string) (*fositeClient, error) {
	if !validClientID(id) {
		return nil, identity.ErrNotFound
	}
	now := p.options.Now()
	c, ok := p.clients.get(id, now)
	if !ok {
		stored, err := p.options.Storage.FindClient(ctx, id)
		switch {
		case errors.Is(err, identity.ErrNotFound):
		case err != nil:
			return nil, outage(err)
		default:
			if c, err = newFositeClient(stored, &p.options.Lifetimes); err != nil {
				return nil, identity.Fail(identity.ReasonInternal, err)
			}
		}
		p.clients.put(id, c, now.Add(p.options.Lifetimes.ClientCache))
	}
	if c == nil {
		return nil, identity.ErrNotFound
	}
	return c, nil
}

// liveClient is client, but a disabled one is [identity.ErrNotFound] too.
func (p *Provider) liveClient(ctx context.Context, id string) (*fositeClient, error) {
	c, err := p.client(ctx, id)
	if err == nil && c.Disabled {
		return nil, identity.ErrNotFound
	}
	return c, err
}

// SaveClient checks c and inserts or replaces it. This replica sees it at
// once, others within [Lifetimes.ClientCache].
func (p *Provider) SaveClient(ctx context.Context, c *Client) error {
	if err := c.Check(); err != nil {
		return err
	}
	defer p.clients.drop(c.ID)
	return p.options.Storage.SaveClient(ctx, c)
}

// DeleteClient deletes the client and revokes its grants.
// [identity.ErrNotFound] where there is none.
func (p *Provider) DeleteClient(ctx context.Context, id string) error {
	defer p.clients.drop(id)
	return p.options.Storage.DeleteClient(ctx, id)
}

// Check reports everything about c that could not work.
func (c *Client) Check() error {
	all := append(c.checkAuth(), c.checkGrants()...)
	if !validClientID(c.ID) {
		all = append(all, errors.New("client_id must be 1 to 255 visible ASCII characters"))
	}
	if f := c.AccessTokenFormat; f != "" && f != FormatOpaque && f != FormatATJWT {
		all = append(all, fmt.Errorf("access_token_format %q: must be %s or %s", f, FormatOpaque, FormatATJWT))
	}
	for _, alg := range []string{c.IDTokenAlg, c.AccessTokenAlg} {
		if alg != "" && alg != algRS256 && alg != algES256 {
			all = append(all, fmt.Errorf("signing algorithm %q: must be %s or %s", alg, algRS256, algES256))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fmt.Errorf("client %q: %w", c.ID, errors.Join(all...))
}

func (c *Client) checkAuth() []error {
	switch c.AuthMethod {
	case AuthSecretBasic, AuthSecretPost:
		if len(c.SecretHashes) == 0 {
			return []error{fmt.Errorf("%s needs a secret", c.AuthMethod)}
		}
	case AuthPrivateKeyJWT:
		f, err := newFositeClient(c, nil)
		if err != nil {
			return []error{err}
		}
		if f.keys == nil || len(f.keys.Keys) == 0 {
			return []error{errors.New("private_key_jwt needs jwks with at least one key")}
		}
	case AuthNone, AuthAdapter:
	default:
		return []error{fmt.Errorf("token_endpoint_auth_method %q is not known", c.AuthMethod)}
	}
	return nil
}

func (c *Client) checkGrants() []error {
	var all []error
	for _, g := range c.GrantTypes {
		switch {
		case g == grantPassword && !c.Internal():
			all = append(all, errors.New("only the client of a legacy system may use the password grant"))
		case g == grantClientCredentials && (c.Public() || c.Internal()):
			all = append(all, errors.New("client_credentials needs a client that authenticates"))
		case !slices.Contains([]string{grantClientCredentials, grantRefresh, grantPassword, grantCode}, g):
			all = append(all, fmt.Errorf("grant type %q is not known", g))
		}
	}
	for _, uri := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
		if err := redirect.Check(uri); err != nil {
			all = append(all, fmt.Errorf("redirect URI %q: %w", uri, err))
		}
	}
	for _, s := range c.Scopes {
		if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r < 0x21 || r > 0x7e || r == '"' || r == '\\' }) {
			all = append(all, fmt.Errorf("scope %q is not a scope token (RFC 6749, section 3.3)", s))
		}
	}
	return all
}

func validClientID(id string) bool {
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, func(r rune) bool { return r < 0x21 || r > 0x7e })
}
