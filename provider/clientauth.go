package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gin-gonic/gin"
	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"

	"keyway/provider/assertion"
	"keyway/provider/caller"
	"keyway/provider/identity"
	"keyway/provider/keyset"
	"keyway/provider/secret"
	"keyway/provider/wire"
)

// authenticateClient is fosite's [fosite.ClientAuthenticationStrategy]: one
// method a request, and the one that the client registered, but that a secret
// may be shown either way. The clients of legacy systems cannot authenticate at
// all. Errors become 401 invalid_client, 400 invalid_request, or 503.
func (p *Provider) authenticateClient(ctx context.Context, r *http.Request, form url.Values) (fosite.Client, error) {
	c, err := p.callingClient(ctx, r, form)
	if err != nil {
		return nil, err
	}
	if u := unitFrom(ctx); u != nil {
		u.caller = c
	}
	return c, nil
}

// caller reads the form of an endpoint that only clients call, and authenticates
// who sent it.
func (p *Provider) caller(c *gin.Context) (*fositeClient, url.Values, error) {
	values, err := wire.Form(c)
	if err != nil {
		return nil, nil, err
	}
	client, err := p.callingClient(c.Request.Context(), c.Request, values)
	if err != nil {
		return nil, nil, err
	}
	c.Set(wire.LogClient, client.ID)
	return client, values, nil
}

func (p *Provider) callingClient(ctx context.Context, r *http.Request, form url.Values) (*fositeClient, error) {
	shown, err := caller.Read(r, form)
	if err != nil {
		return nil, err
	}
	c, err := p.liveClient(ctx, shown.ID)
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, invalidClient("client is unknown or disabled")
	case err != nil:
		return nil, err
	case c.Internal():
		return nil, invalidClient("the client of a legacy system may not call")
	case shown.Method == AuthNone && c.ByCertificate(): // it is the connection that shows the rest
	case shown.Method != c.AuthMethod && (!bySecret(shown.Method) || !bySecret(c.AuthMethod)):
		return nil, invalidClient("not the client's authentication method")
	}
	switch c.AuthMethod {
	case AuthNone:
		return c, nil
	case AuthTLS:
		err = p.binder.CheckSubject(r, c.Certificate())
	case AuthSelfSignedTLS:
		set, keysErr := p.clientKeys(ctx, c, "")
		if keysErr != nil {
			return nil, keysErr
		}
		err = p.binder.CheckRegistered(r, set)
	case AuthPrivateKeyJWT:
		err = p.checkAssertion(ctx, c, shown.Secret)
	default:
		err = p.secrets.CompareAny(ctx, c.SecretHashes, shown.Secret)
		if errors.Is(err, secret.ErrWrong) {
			err = invalidClient(secret.ErrWrong.Error())
		}
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// bySecret reports whether the client shows its secret. It may do so in the
// header or in the body, whichever it registered: half of the libraries begin
// with the one, half with the other, and to us they prove the same.
func bySecret(m AuthMethod) bool { return m == AuthSecretBasic || m == AuthSecretPost }

// checkAssertion verifies a client assertion and uses it up.
func (p *Provider) checkAssertion(ctx context.Context, c *fositeClient, presented string) error {
	audiences := []string{p.options.Issuer, p.url(pathToken), p.url(pathPushed)} // RFC 9126, section 2: each of them
	set, err := p.clientKeys(ctx, c, presented)
	if err != nil {
		return err
	}
	if c.AuthAlg != "" && keyset.HeaderOf(presented).Algorithm != c.AuthAlg {
		return invalidClient("not the algorithm that the client registered")
	}
	id, until, err := assertion.Check(set, presented, c.ID, audiences, p.options.Now())
	if err != nil {
		return wire.Of("invalid_client", err)
	}
	err = p.options.Storage.RememberOnce(ctx, "client_assertion:"+c.ID, id, until)
	if errors.Is(err, identity.ErrConflict) {
		return invalidClient("the assertion was used before")
	}
	return wire.Outage(err)
}

func newPublished(o Options) (*keyset.Cache, error) {
	if o.Outbound == nil {
		return nil, nil
	}
	return keyset.NewCache(keyset.Options{Now: o.Now, Fetch: func(ctx context.Context, uri string) ([]byte, error) {
		a, err := o.Outbound.Get(ctx, uri, "application/jwk-set+json, application/json")
		if err != nil {
			return nil, err
		}
		return a.Body, nil
	}})
}

// clientKeys are the keys by which a client proves itself and what it signs.
// For keys that the client publishes, jws is what they are to verify: a new kid
// makes us look again. Errors are a [*identity.Failure] or of ctx.
func (p *Provider) clientKeys(ctx context.Context, c *fositeClient, jws string) (*jose.JSONWebKeySet, error) {
	if c.JWKSURI == "" {
		return c.keys, nil
	}
	if p.published == nil {
		return nil, identity.Failf(identity.ReasonUnavailable, "nothing may be called to fetch the keys of a client")
	}
	set, err := p.published.Keys(ctx, c.JWKSURI, keyset.HeaderOf(jws).KeyID)
	if errors.Is(err, keyset.ErrUnavailable) {
		return nil, identity.Fail(identity.ReasonUnavailable, err)
	}
	return set, err
}

func invalidClient(cause string) error { return wire.Of("invalid_client", errors.New(cause)) }
