package provider

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"github.com/ory/fosite"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"

	"keyway/provider/identity"
)

// unit collects what fosite's callbacks of one token request write, so that
// all of it is written in one transaction after the response was made, and
// before any of it is sent.
type unit struct {
	issue     Issue
	presented string       // refresh: the token that was presented
	stored    *StoredToken // refresh: what it is
	password  *passwordUnit
	narrowed  []string      // for whom the access token is, where that is fewer than the grant's
	caller    *fositeClient // at the token endpoint: who authenticated
	code      *codeUnit     // the code that is redeemed
	rebound   bool          // what the session is bound to is not what is stored
	device    *StoredDevice // the device code that is redeemed
	requestID string

	origin     string      // of the new grant, where that is not its grant type
	format     TokenFormat // of the access token; "" for the client's own
	issuedType string      // RFC 8693, section 2.2.1
	takes      string      // the connector whose upstream's token is asked for, in place of one of ours
}

// remaining are the scopes of an access token where those are fewer than its
// grant's, because the client lost some since the person allowed them; else nil.
func (u *unit) remaining(scopes []string) []string {
	allowed := scopes
	switch {
	case u.code != nil:
		allowed = u.code.stored.Grant.Scopes
	case u.device != nil:
		allowed = u.device.Grant.Scopes
	}
	if slices.Equal(scopes, allowed) {
		return nil
	}
	return append([]string{}, scopes...)
}

type unitKey struct{}

func withUnit(ctx context.Context, u *unit) context.Context {
	return context.WithValue(ctx, unitKey{}, u)
}

func unitFrom(ctx context.Context) *unit {
	u, _ := ctx.Value(unitKey{}).(*unit)
	return u
}

var errNoUnit = errors.New("a token is made outside of a token request")

// fositeStore is what fosite sees of storage. What it creates goes to the
// unit of work in its context.
type fositeStore struct {
	provider *Provider
}

var (
	_ fosite.Storage                                            = (*fositeStore)(nil)
	_ fositeoauth2.ResourceOwnerPasswordCredentialsGrantStorage = (*fositeStore)(nil)
)

// GetClient implements [fosite.ClientManager].
func (s *fositeStore) GetClient(ctx context.Context, id string) (fosite.Client, error) {
	c, err := s.provider.liveClient(ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, fosite.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

// ClientAssertionJWTValid implements [fosite.ClientManager]; our own client
// authentication asks storage itself.
func (*fositeStore) ClientAssertionJWTValid(context.Context, string) error { return errNoUnit }

// SetClientAssertionJWT implements [fosite.ClientManager].
func (*fositeStore) SetClientAssertionJWT(context.Context, string, time.Time) error { return errNoUnit }

// CreateAccessTokenSession adds an access token, and its grant if that is new.
func (s *fositeStore) CreateAccessTokenSession(ctx context.Context, signature string, r fosite.Requester) error {
	u := unitFrom(ctx)
	if u == nil {
		return errNoUnit
	}
	if err := s.newGrant(u, r); err != nil {
		return err
	}
	t, err := s.record(u, signature, KindAccess, r)
	if err != nil {
		return err
	}
	if u.password != nil {
		t.Claims = u.password.kept
	}
	if u.issue.NewGrant == nil {
		u.issue.Extend = t.ExpiresAt
	}
	u.issue.Tokens = append(u.issue.Tokens, t)
	return nil
}

// CreateRefreshTokenSession adds a refresh token, born with an access token.
func (s *fositeStore) CreateRefreshTokenSession(ctx context.Context, signature, accessSignature string, r fosite.Requester) error {
	u := unitFrom(ctx)
	if u == nil {
		return errNoUnit
	}
	t, err := s.record(u, signature, KindRefresh, r)
	if err != nil {
		return err
	}
	if t.Pair, err = parseSignature(accessSignature); err != nil {
		return err
	}
	if g := u.issue.NewGrant; g != nil && g.ExpiresAt.Before(t.ExpiresAt) {
		g.ExpiresAt = t.ExpiresAt
	} else if g == nil && u.issue.Extend.Before(t.ExpiresAt) {
		u.issue.Extend = t.ExpiresAt
	}
	u.issue.Tokens = append(u.issue.Tokens, t)
	return nil
}

func (s *fositeStore) newGrant(u *unit, r fosite.Requester) error {
	if u.issue.GrantID != "" {
		return nil
	}
	session, ok := r.GetSession().(*Session)
	if !ok {
		return errors.New("the request has no session of ours")
	}
	stored, err := session.Encode()
	if err != nil {
		return err
	}
	origin := u.origin
	if origin == "" {
		origin = r.GetRequestForm().Get("grant_type")
	}
	g := &GrantRecord{
		ID: r.GetID(), ClientID: r.GetClient().GetID(), Subject: session.Subject, Origin: origin,
		Scopes: r.GetGrantedScopes(), Audience: r.GetGrantedAudience(), Session: stored,
		AuthTime: unixTime(session.AuthTime), CreatedAt: s.provider.options.Now(),
		ExpiresAt: session.GetExpiresAt(fosite.AccessToken), Connector: session.Connector,
	}
	if u.password != nil {
		g.System = u.password.grant.Credentials.System
		u.issue.Events = append(u.issue.Events, u.password.event(g))
	}
	u.issue.GrantID, u.issue.NewGrant, u.issue.SID = g.ID, g, session.SID
	return nil
}

func (s *fositeStore) record(u *unit, signature string, kind TokenKind, r fosite.Requester) (TokenRecord, error) {
	hash, err := parseSignature(signature)
	if err != nil {
		return TokenRecord{}, err
	}
	t := TokenRecord{Hash: hash, GrantID: u.issue.GrantID, Kind: kind, IssuedAt: s.provider.options.Now()}
	if u.password != nil {
		t.IssuedAt = u.password.issuedAt
	}
	t.ExpiresAt = r.GetSession().GetExpiresAt(fosite.AccessToken)
	if kind == KindAccess {
		t.Audience, t.Scopes = u.narrowed, u.remaining(r.GetGrantedScopes())
	}
	if kind == KindRefresh {
		t.ExpiresAt = r.GetSession().GetExpiresAt(fosite.RefreshToken)
	}
	return t, nil
}

func parseSignature(signature string) (h Hash, err error) {
	if n, err := hex.Decode(h[:], []byte(signature)); err != nil || n != len(h) {
		return Hash{}, errors.New("not a signature of ours")
	}
	return h, nil
}

// GetAccessTokenSession implements [fositeoauth2.AccessTokenStorage]. Nothing
// that is composed here asks: tokens are judged in inspect.go and grant_refresh.go.
func (*fositeStore) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, errNoUnit
}

// GetRefreshTokenSession is as [fositeStore.GetAccessTokenSession].
func (*fositeStore) GetRefreshTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, errNoUnit
}

// DeleteAccessTokenSession implements [fositeoauth2.AccessTokenStorage].
// Nothing is deleted: a token ends with its grant.
func (*fositeStore) DeleteAccessTokenSession(context.Context, string) error { return nil }

// DeleteRefreshTokenSession implements [fositeoauth2.RefreshTokenStorage].
func (*fositeStore) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken implements [fositeoauth2.RefreshTokenStorage].
func (s *fositeStore) RotateRefreshToken(ctx context.Context, _, signature string) error {
	u := unitFrom(ctx)
	if u == nil {
		return errNoUnit
	}
	hash, err := parseSignature(signature)
	if err != nil {
		return fosite.ErrNotFound
	}
	u.issue.Rotate, u.issue.Grace = &hash, max(s.provider.options.Lifetimes.RefreshGrace, 0)
	return nil
}

// Authenticate says who the credentials in the unit of work are of.
func (s *fositeStore) Authenticate(ctx context.Context, _, _ string) (string, error) {
	u := unitFrom(ctx)
	if u == nil || u.password == nil {
		return "", errNoUnit
	}
	return s.provider.authenticate(ctx, u.password)
}
