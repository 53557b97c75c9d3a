package oauth

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"golang.org/x/oauth2"

	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
)

// Connector is one upstream.
type Connector struct {
	options Options
	config  oauth2.Config
}

var (
	_ upstream.Connector = (*Connector)(nil)
	_ upstream.Follower  = (*Connector)(nil)
)

// New returns a connector. It calls nobody.
func New(o Options) (*Connector, error) {
	if err := o.complete(); err != nil {
		return nil, fmt.Errorf("upstream: %w", err)
	}
	style := oauth2.AuthStyleInHeader
	if o.SecretPost || o.ClientSecret == "" {
		style = oauth2.AuthStyleInParams
	}
	return &Connector{options: o, config: oauth2.Config{
		ClientID: o.ClientID, ClientSecret: o.ClientSecret, RedirectURL: o.RedirectURL, Scopes: o.Scopes,
		Endpoint: oauth2.Endpoint{AuthURL: o.AuthorizationURL, TokenURL: o.TokenURL, AuthStyle: style},
	}}, nil
}

// AuthCodeURL implements [upstream.Connector]. OAuth 2 has no words for a sign-in
// of now, so who needs one is refused before they go there for nothing.
func (c *Connector) AuthCodeURL(_ context.Context, a *upstream.Attempt) (string, error) {
	if a.Fresh {
		return "", upstream.Fail(upstream.Refused, "the upstream cannot be told to let its person sign in anew")
	}
	params := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(a.Verifier)}
	for name, value := range c.options.Params {
		params = append(params, oauth2.SetAuthURLParam(name, value))
	}
	return c.config.AuthCodeURL(a.State, params...), nil
}

// Exchange implements [upstream.Connector].
func (c *Connector) Exchange(ctx context.Context, a *upstream.Attempt, answer url.Values) (*upstream.Person, error) {
	if a.Fresh {
		return nil, upstream.Fail(upstream.Untrusted, "nobody knows when the person proved themselves")
	}
	if err := codeflow.Check(a, answer, codeflow.Issuer{Name: c.options.AnswerIssuer, Named: c.options.Named}); err != nil {
		return nil, err
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.options.HTTP)
	tokens, err := c.config.Exchange(ctx, answer.Get("code"), oauth2.VerifierOption(a.Verifier))
	if err != nil {
		return nil, codeflow.TokenError(err)
	}
	return c.person(ctx, tokens)
}

// lasting begins what is kept in place of a refresh token where the upstream gives
// none, because its access tokens last until they are taken back. No refresh token
// begins so (RFC 6749, appendix A.17).
const lasting = "access\n"

// Follow implements [upstream.Follower]: userinfo is asked again.
func (c *Connector) Follow(ctx context.Context, k *upstream.Known) (*upstream.Person, error) {
	if k.RefreshToken == "" {
		return nil, upstream.Fail(upstream.Unavailable, "the upstream gave no token to ask again by")
	}
	tokens, err := c.renew(ctx, k.RefreshToken)
	if err != nil {
		return nil, err
	}
	next := tokens.RefreshToken
	if next == "" {
		next = k.RefreshToken // it was not rotated (RFC 6749, section 6)
	}
	p, err := c.person(ctx, tokens)
	if err == nil && (p.Issuer != k.Issuer || p.Subject != k.Subject) {
		err = upstream.Fail(upstream.Untrusted, "the upstream speaks of somebody else now")
	}
	if err != nil {
		return &upstream.Person{RefreshToken: next}, err // the one that was used may be worth nothing now
	}
	p.RefreshToken = next
	return p, nil
}

func (c *Connector) renew(ctx context.Context, kept string) (*oauth2.Token, error) {
	if access, ok := strings.CutPrefix(kept, lasting); ok {
		return &oauth2.Token{AccessToken: access}, nil
	}
	ctx = context.WithValue(ctx, oauth2.HTTPClient, c.options.HTTP)
	tokens, err := c.config.TokenSource(ctx, &oauth2.Token{RefreshToken: kept}).Token()
	if err != nil {
		return nil, codeflow.TokenError(err)
	}
	return tokens, nil
}

// keep is what the person is asked about by later; "" for nothing.
func keep(tokens *oauth2.Token) string {
	if tokens.RefreshToken == "" && tokens.Expiry.IsZero() {
		return lasting + tokens.AccessToken
	}
	return tokens.RefreshToken
}
