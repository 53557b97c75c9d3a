package provider

import (
	"slices"
	"time"

	"github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"

	"keyway/provider/claims"
	"keyway/provider/keys"
)

// The scopes that the code names.
const scopeOpenID, scopeOffline = claims.OpenID, claims.Offline

// fositeClient is a [Client] as fosite sees it, prepared once when it is read
// from storage.
type fositeClient struct {
	*Client
	lifetimes *Lifetimes
	keys      *jose.JSONWebKeySet
}

var (
	_ fosite.Client                         = (*fositeClient)(nil)
	_ fosite.ClientWithCustomTokenLifespans = (*fositeClient)(nil)
)

func newFositeClient(c *Client, l *Lifetimes) (*fositeClient, error) {
	f := &fositeClient{Client: c, lifetimes: l}
	var err error
	if f.keys, err = c.KeySet(); err != nil {
		return nil, err
	}
	return f, nil
}

// GetID implements [fosite.Client].
func (c *fositeClient) GetID() string { return c.ID }

// GetHashedSecret implements [fosite.Client]. fosite never compares secrets
// here; our own authentication strategy does.
func (c *fositeClient) GetHashedSecret() []byte { return nil }

// GetRedirectURIs implements [fosite.Client].
func (c *fositeClient) GetRedirectURIs() []string { return c.RedirectURIs }

// GetGrantTypes implements [fosite.Client].
func (c *fositeClient) GetGrantTypes() fosite.Arguments { return c.GrantTypes }

// GetResponseTypes implements [fosite.Client].
func (c *fositeClient) GetResponseTypes() fosite.Arguments { return c.ResponseTypes }

// GetScopes implements [fosite.Client].
func (c *fositeClient) GetScopes() fosite.Arguments {
	if c.Internal() && len(c.Scopes) == 0 {
		return fosite.Arguments{scopeOpenID, claims.Profile, claims.Email}
	}
	return c.Scopes
}

// IsPublic implements [fosite.Client].
func (c *fositeClient) IsPublic() bool { return c.Public() }

// GetAudience implements [fosite.Client].
func (c *fositeClient) GetAudience() fosite.Arguments { return c.Audience }

// GetEffectiveLifespan implements [fosite.ClientWithCustomTokenLifespans].
func (c *fositeClient) GetEffectiveLifespan(_ fosite.GrantType, t fosite.TokenType, _ time.Duration) time.Duration {
	switch {
	case t == fosite.AccessToken && c.AccessLifetime > 0:
		return time.Duration(c.AccessLifetime)
	case t == fosite.AccessToken:
		return c.lifetimes.Access
	case t == fosite.RefreshToken && c.RefreshLifetime > 0:
		return time.Duration(c.RefreshLifetime)
	case t == fosite.RefreshToken:
		return c.lifetimes.Refresh
	default:
		return c.lifetimes.IDToken
	}
}

func (c *fositeClient) lifetime(t fosite.TokenType) time.Duration {
	return c.GetEffectiveLifespan("", t, 0)
}

// answerAlg is what signed authorization responses are signed with.
func (c *fositeClient) answerAlg() string {
	if c.ResponseAlg == "" {
		return keys.RS256
	}
	return c.ResponseAlg
}

// mayUse is exact where fosite ignores case.
func (c *fositeClient) mayUse(grantType string) bool { return c.MayUse(grantType) }

func contains[S ~[]string](s S, v string) bool { return slices.Contains(s, v) }
