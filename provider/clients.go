package provider

import (
	"context"
	"errors"
	"sync"
	"time"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/registration"
	"keyway/provider/wire"
)

// pathRegister is the registration endpoint, and above those of the clients
// that registered there.
const pathRegister = "/oauth2/register"

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

// newRegistration returns nil where clients cannot register themselves.
func (p *Provider) newRegistration() (*registration.Endpoint, error) {
	o := p.options.Registration
	if o.Storage == nil {
		return nil, nil
	}
	o.URL, o.Outbound, o.PeerAddr, o.Now = p.url(pathRegister), p.options.Outbound, p.options.PeerAddr, p.options.Now
	o.Delete = p.DeleteClient
	o.Changed = func(id string) {
		p.clients.drop(id)
		p.reads.Forget()
	}
	return registration.New(o)
}

// client returns [identity.ErrNotFound] where there is none, or a
// [*identity.Failure].
func (p *Provider) client(ctx context.Context, id string) (*fositeClient, error) {
	if !client.ValidID(id) {
		return nil, identity.ErrNotFound
	}
	now := p.options.Now()
	c, ok := p.clients.get(id, now)
	if !ok {
		stored, err := p.options.Storage.FindClient(ctx, id)
		switch {
		case errors.Is(err, identity.ErrNotFound):
		case err != nil:
			return nil, wire.Outage(err)
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

// clientOrigins are the origins of the pages that may call.
func (p *Provider) clientOrigins(ctx context.Context) ([]string, error) {
	all, err := p.options.Storage.ListClients(ctx)
	var origins []string
	for _, c := range all {
		if !c.Disabled {
			origins = append(origins, c.Origins()...)
		}
	}
	return origins, err
}

// subjectFor is by what a client knows a person; and a browser session, whose sid
// would tell two clients as well that they know the same one.
func (p *Provider) subjectFor(c *fositeClient, subject string) string {
	return p.tokens.subjects.Of(c.Sector(), subject)
}

// DeleteClient deletes the client and revokes its grants.
// [identity.ErrNotFound] where there is none.
func (p *Provider) DeleteClient(ctx context.Context, id string) error {
	defer p.clients.drop(id)
	return p.options.Storage.DeleteClient(ctx, id)
}
