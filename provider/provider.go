package provider

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/ory/fosite"

	"keyway/provider/secret"
)

// Provider is the OpenID provider.
type Provider struct {
	options     Options
	fosite      *fosite.Fosite
	fositeStore *fositeStore
	tokens      *tokenStrategy
	keys        *keyring
	secrets     *secret.Comparer
	clients     *clientCache
	metadata    document
	reads       reads
	base        string // the path of the issuer
	closed      chan struct{}
	closing     sync.Once

	// openPassword lets the token endpoint grant passwords. Nothing but the
	// test of parity with the grant in process sets it.
	openPassword bool
}

// New returns a provider whose signing keys are loaded; at the first start
// it makes them. It does nothing in the background until [Provider.Run].
func New(ctx context.Context, o Options) (*Provider, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	var err error
	p := &Provider{options: o, keys: &keyring{}, clients: &clientCache{}, closed: make(chan struct{})}
	p.options.Storage = forgetful{Storage: o.Storage, reads: &p.reads}
	p.fositeStore = &fositeStore{provider: p}
	if u, err := url.Parse(o.Issuer); err == nil { // complete has parsed it before
		p.base = u.EscapedPath()
	}
	if p.tokens, err = newTokenStrategy(o, p.keys); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.secrets, err = secret.NewComparer(o.Secrets, o.Now); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.metadata, err = p.newMetadata(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	p.compose()
	if err := p.reloadKeys(ctx, rotation{}); err != nil {
		return nil, fmt.Errorf("provider: signing keys: %w", err)
	}
	return p, nil
}

// Run follows the signing keys in storage, and rotates them when they are
// due, until ctx ends or the provider is closed.
func (p *Provider) Run(ctx context.Context) {
	t := time.NewTicker(p.options.Keys.Reload)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.closed:
			return
		case <-t.C:
			if err := p.reloadKeys(ctx, rotation{}); err != nil && ctx.Err() == nil {
				p.options.Log.LogAttrs(ctx, slog.LevelError, "signing keys could not be read", slog.String("cause", err.Error()))
			}
		}
	}
}

// Close ends [Provider.Run]. The storage is its owner's to close.
func (p *Provider) Close() error {
	p.closing.Do(func() { close(p.closed) })
	return nil
}

// Mount adds the provider's endpoints to the root of a host, each below the
// issuer's path; the metadata document of RFC 8414, section 3.1, also where
// that inserts it before the path.
func (p *Provider) Mount(r gin.IRouter) {
	base := p.base
	metadata := p.handle("metadata", p.serveMetadata)
	r.Any(base+"/.well-known/openid-configuration", metadata)
	r.Any(base+"/.well-known/oauth-authorization-server", metadata)
	if base != "" {
		r.Any("/.well-known/oauth-authorization-server"+base, metadata)
	}
	r.Any(base+"/oauth2/jwks", p.handle("jwks", p.serveJWKS))
	r.Any(base+"/oauth2/token", p.handle("token", p.serveToken))
	r.Any(base+"/oauth2/introspect", p.handle("introspect", p.serveIntrospection))
	r.Any(base+"/oauth2/revoke", p.handle("revoke", p.serveRevocation))
	r.Any(base+"/oauth2/userinfo", p.handle("userinfo", p.serveUserinfo))
	r.Any(base+pathAuthorize, p.page("authorize", p.serveAuthorize))
	r.Any(base+pathLogin, p.page("login", p.serveLogin))
	r.Any(base+pathConsent, p.page("consent", p.serveConsent))
	r.Any(base+pathLogout, p.page("logout", p.serveLogout))
	r.Any(base+pathAccount, p.page("account", p.serveAccount))
	r.Any(base+pathAccount+actionEndSession, p.page("account", p.accountAction(p.endOwnSession)))
	r.Any(base+pathAccount+actionRevokeConsent, p.page("account", p.accountAction(p.revokeConsent)))
	r.Any(base+pathAccount+actionSignOut, p.page("account", p.accountAction(p.signOut)))
	r.Any(base+pathAccount+actionSignOutAll, p.page("account", p.accountAction(p.signOutEverywhere)))
	p.options.Pages.Mount(r)
}

// Ready reports why the provider could not answer now: it has no signing
// key, or the database is away.
func (p *Provider) Ready(ctx context.Context) error {
	for _, alg := range signingAlgs() {
		if p.keys.current().active[alg] == nil {
			return fmt.Errorf("%s: %w", alg, errNoKey)
		}
	}
	return p.options.Storage.Ping(ctx)
}

// path is the path of one below the issuer.
func (p *Provider) path(path string) string { return p.base + path }

// url is the absolute URL of a path below the issuer.
func (p *Provider) url(path string) string { return strings.TrimSuffix(p.options.Issuer, "/") + path }
