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

	"keyway/provider/account"
	"keyway/provider/binding"
	"keyway/provider/cors"
	"keyway/provider/exchange"
	"keyway/provider/farewell"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/keyset"
	"keyway/provider/logout"
	"keyway/provider/pages"
	"keyway/provider/recent"
	"keyway/provider/registration"
	"keyway/provider/secret"
	"keyway/provider/stepup"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// Provider is the OpenID provider.
type Provider struct {
	granting
	clientele
	running

	options     Options
	base        string // the path of the issuer
	keys        *keys.Ring
	metadata    wire.Document
	registrar   *registration.Endpoint // nil: clients cannot register themselves
	reads       recent.Memory
	notices     *logout.Delivery // nil tells nobody
	visits      *visit.Visits
	accountPage *account.Page
	farewell    *farewell.Endpoint
	stepUp      *stepup.Page // nil: there are no second factors
}

// granting is what makes and judges grants.
type granting struct {
	fosite      *fosite.Fosite
	fositeStore *fositeStore
	tokens      *tokenStrategy
	statements  *exchange.Reader

	// openPassword lets the token endpoint grant passwords. Nothing but the
	// test of parity with the grant in process sets it.
	openPassword bool
}

// clientele is what is known of clients, and by which they prove themselves.
type clientele struct {
	clients   *clientCache
	secrets   *secret.Comparer
	published *keyset.Cache // the keys that clients and trusted issuers publish; nil calls for none
	binder    *binding.Binder
	origins   *cors.Origins
}

// running ends [Provider.Run].
type running struct {
	closed  chan struct{}
	closing sync.Once
}

// New returns a provider whose signing keys are loaded; at the first start
// it makes them. It does nothing in the background until [Provider.Run].
func New(ctx context.Context, o Options) (*Provider, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	var err error
	p := &Provider{
		clientele: clientele{clients: &clientCache{}}, running: running{closed: make(chan struct{})},
		options: o, keys: &keys.Ring{},
	}
	p.options.Storage = recent.Storage{Storage: o.Storage, Memory: &p.reads}
	p.fositeStore = &fositeStore{provider: p}
	if u, err := url.Parse(o.Issuer); err == nil { // complete has parsed it before
		p.base = u.EscapedPath()
	}
	if p.tokens, err = newTokenStrategy(o, p.keys); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.visits, err = p.newVisits(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.farewell, err = p.newFarewell(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.stepUp, err = p.newStepUp(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.accountPage, err = p.newAccount(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	p.binder, err = binding.New(binding.Options{
		Issuer: o.Issuer, Secret: o.Secret, Remember: p.options.Storage.RememberOnce, Now: o.Now,
		RequireNonce: o.RequireDPoPNonce, Certificates: o.Certificates,
	})
	if err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	p.origins = cors.NewOrigins(p.clientOrigins, o.Lifetimes.ClientCache, o.Now)
	if p.secrets, err = secret.NewComparer(o.Secrets, o.Now); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.published, err = newPublished(o); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.notices, err = p.newDelivery(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.registrar, err = p.newRegistration(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.statements, err = p.newStatements(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	if p.metadata, err = p.newMetadata(); err != nil {
		return nil, fmt.Errorf("provider: %w", err)
	}
	p.compose()
	if err := p.keys.Reload(ctx, p.keySource(), false); err != nil {
		return nil, fmt.Errorf("provider: signing keys: %w", err)
	}
	return p, nil
}

// Run follows the signing keys in storage, rotates them when they are due, and
// tells clients of sign-outs, until ctx ends or the provider is closed.
func (p *Provider) Run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	var delivery sync.WaitGroup
	defer delivery.Wait()
	defer cancel()
	if p.notices != nil {
		delivery.Go(func() { p.notices.Run(ctx) })
	}
	t := time.NewTicker(p.options.Keys.Reload)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.closed:
			return
		case <-t.C:
			if err := p.keys.Reload(ctx, p.keySource(), false); err != nil && ctx.Err() == nil {
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
	r.Any(base+"/.well-known/openid-configuration", cors.Public, metadata)
	r.Any(base+"/.well-known/oauth-authorization-server", cors.Public, metadata)
	if base != "" {
		r.Any("/.well-known/oauth-authorization-server"+base, cors.Public, metadata)
	}
	r.Any(base+pathKeys, cors.Public, p.handle("jwks", p.serveJWKS))
	r.Any(base+pathToken, p.origins.Handler("POST"), p.handle("token", p.serveToken))
	r.Any(base+pathPushed, p.origins.Handler("POST"), p.handle("par", p.servePushed))
	r.Any(base+pathIntrospect, p.handle("introspect", p.serveIntrospection))
	r.Any(base+pathRevoke, p.origins.Handler("POST"), p.handle("revoke", p.serveRevocation))
	r.Any(base+pathUserinfo, p.origins.Handler("GET, POST"), p.handle("userinfo", p.serveUserinfo))
	r.Any(base+pathDeviceRequest, p.handle("device_authorization", p.serveDeviceRequest))
	r.Any(base+pathDevice, p.page("device", p.serveDevice))
	r.Any(base+pathAuthorize, p.page("authorize", p.serveAuthorize))
	r.Any(base+pathLogin, p.page("login", p.serveLogin))
	if p.stepUp != nil {
		r.Any(base+stepup.Path, p.page("factor", p.stepUp.Serve))
	}
	if p.options.Federation != nil {
		r.Any(base+pathUpstream, p.page("upstream", p.serveUpstream))
		r.Any(base+pathCallback+"/:"+callbackParam, p.page("upstream_callback", p.serveCallback))
		r.Any(base+federation.PathDescription, p.handle("upstream_description", p.options.Federation.ServeDescription))
		r.Any(base+pathSignedOut+"/:"+callbackParam, p.page("upstream_signed_out", p.serveSignedOut))
		r.Any(base+pathBackchannel+"/:"+callbackParam, p.handle("upstream_logout", p.serveBackchannel))
	}
	r.Any(base+pathSignUp, p.page("sign-up", p.serveSignUp))
	r.Any(base+pathSelect, p.page("select", p.serveSelect))
	r.Any(base+pathConsent, p.page("consent", p.serveConsent))
	r.Any(base+farewell.Path, p.page("logout", p.farewell.Serve))
	p.accountPage.Mount(r.Group(base), p.page)
	if p.registrar != nil {
		r.Any(base+pathRegister, p.handle("register", p.registrar.Register))
		r.Any(base+pathRegister+"/:"+registration.Param, p.handle("registration", p.registrar.Manage))
	}
	p.options.Pages.Mount(r)
}

// Ready reports why the provider could not answer now: it has no signing
// key, or the database is away.
func (p *Provider) Ready(ctx context.Context) error {
	if err := p.keys.Ready(); err != nil {
		return err
	}
	return p.options.Storage.Ping(ctx)
}

// The endpoints that clients call without a browser.
const (
	pathKeys       = "/oauth2/jwks"
	pathToken      = "/oauth2/token" //nolint:gosec // a path
	pathIntrospect = "/oauth2/introspect"
	pathRevoke     = "/oauth2/revoke"
	pathUserinfo   = "/oauth2/userinfo"
)

// Directory returns d for use in this process: what it changes of people, the
// provider sees at once, and not only after the moment for which it believes
// what it has read.
func (p *Provider) Directory(d identity.Directory) identity.Directory {
	return recent.Directory{Directory: d, Memory: &p.reads}
}

// path is the path of one below the issuer.
func (p *Provider) path(path string) string { return p.base + path }

// url is the absolute URL of a path below the issuer.
func (p *Provider) url(path string) string { return strings.TrimSuffix(p.options.Issuer, "/") + path }

func (p *Provider) keySource() *keys.Source {
	return &keys.Source{Storage: p.options.Storage, Policy: p.options.Keys, Now: p.options.Now, Log: p.options.Log}
}

// Rotate is [keys.Rotate] with now; without it, the next keys are published and
// become active after [keys.Policy.PublishAhead]. This replica follows at once,
// others within [keys.Policy.Reload].
func (p *Provider) Rotate(ctx context.Context, now bool) error {
	if now {
		if err := keys.Rotate(ctx, p.options.Storage, p.options.Keys, p.options.Now()); err != nil {
			return err
		}
	}
	return p.keys.Reload(ctx, p.keySource(), !now)
}

// handle wraps a handler: its errors are JSON.
func (p *Provider) handle(name string, f func(*gin.Context) error) gin.HandlerFunc {
	return p.endpoints().Wrap(name, f, wire.Write)
}

// page wraps a handler for people: its errors are a page.
func (p *Provider) page(name string, f func(*gin.Context) error) gin.HandlerFunc {
	return p.endpoints().Wrap(name, f, p.writeErrorPage)
}

func (p *Provider) endpoints() *wire.Endpoints {
	return &wire.Endpoints{Now: p.options.Now, Log: p.options.Log}
}

// writeErrorPage is the one place that writes an error for people. It tells
// nothing but the code and the request's id.
func (p *Provider) writeErrorPage(c *gin.Context, e *wire.Error) {
	e.Headers(c.Writer.Header())
	err := p.options.Pages.Render(c, e.Status, &pages.ErrorPage{Code: e.Code, RequestID: c.GetString(wire.RequestID)})
	if err != nil {
		wire.Write(c, wire.Of("server_error", err))
	}
}
