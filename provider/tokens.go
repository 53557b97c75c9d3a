package provider

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/ory/fosite"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"
	fositejwt "github.com/ory/fosite/token/jwt"

	"keyway/provider/keys"
	"keyway/provider/pairwise"
	"keyway/provider/roles"
	"keyway/provider/secret"
	"keyway/provider/storage"
	"keyway/provider/wire"
)

// The prefixes let secret scanners recognise what leaks.
const (
	accessPrefix  = "kw_at_"
	refreshPrefix = "kw_rt_"
)

// maxToken is the longest token that is looked up, in bytes.
const maxToken = 8 << 10

// HashToken is [storage.HashOf].
func HashToken(token string) Hash { return storage.HashOf(token) }

// tokenStrategy makes tokens. What fosite calls a signature is the hexadecimal
// of [HashToken].
type tokenStrategy struct {
	keys      *keys.Ring
	subjects  *pairwise.Subjects
	roles     *roles.Teller
	issuer    string
	now       func() time.Time
	successor []byte // the key under which refresh tokens get their successors
	forms     []byte // the key of what pages' forms carry
}

var _ fositeoauth2.CoreStrategy = (*tokenStrategy)(nil)

func newTokenStrategy(o Options, keys *keys.Ring) (*tokenStrategy, error) {
	key, err := hkdf.Key(sha256.New, o.Secret, nil, "keyway refresh token successor", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	forms, err := hkdf.Key(sha256.New, o.Secret, nil, "keyway forms", sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("derive a key: %w", err)
	}
	subjects, err := pairwise.New(o.Secret)
	if err != nil {
		return nil, err
	}
	return &tokenStrategy{keys: keys, subjects: subjects, roles: o.Roles, issuer: o.Issuer, now: o.Now, successor: key, forms: forms}, nil
}

func signatureOf(token string) string {
	if token == "" || len(token) > maxToken {
		return ""
	}
	h := HashToken(token)
	return hex.EncodeToString(h[:])
}

func (s *tokenStrategy) AccessTokenSignature(_ context.Context, token string) string {
	return signatureOf(token)
}

func (s *tokenStrategy) GenerateAccessToken(ctx context.Context, r fosite.Requester) (token, signature string, err error) {
	client, ok := r.GetClient().(*fositeClient)
	if !ok {
		return "", "", errors.New("the request has no client of ours")
	}
	format := client.AccessTokenFormat
	u := unitFrom(ctx)
	legacy := u != nil && u.password != nil
	switch {
	case legacy:
		format = u.password.grant.Token.Format
	case u != nil && u.format != "":
		format = u.format
	}
	switch {
	case format == FormatATJWT:
		token, err = s.jwtAccessToken(ctx, client, r)
	case legacy:
		token, err = u.password.accessToken()
	default:
		token = secret.Token(accessPrefix)
	}
	if err != nil {
		return "", "", err
	}
	return token, signatureOf(token), nil
}

// jwtAccessToken makes a token by RFC 9068.
func (s *tokenStrategy) jwtAccessToken(ctx context.Context, c *fositeClient, r fosite.Requester) (string, error) {
	session, ok := r.GetSession().(*Session)
	if !ok {
		return "", errors.New("the request has no session of ours")
	}
	audience := r.GetGrantedAudience()
	if len(audience) == 0 {
		audience = []string{s.issuer} // RFC 9068, section 3: some default must be there
	}
	claims := session.GetJWTClaims().
		With(session.GetExpiresAt(fosite.AccessToken), r.GetGrantedScopes(), audience).
		WithDefaults(s.now(), s.issuer).
		WithScopeField(fositejwt.JWTScopeFieldString).ToMapClaims()
	if session.Subject != "" {
		claims["sub"] = s.subjects.Of(c.Sector(), session.Subject)
	}
	if name, told, err := s.roles.Tell(ctx, c.Client, session.Subject, r.GetGrantedScopes()); err != nil {
		return "", wire.Outage(err)
	} else if name != "" {
		claims[name] = told // RFC 9068, section 2.2.3.1
	}
	alg := c.AccessTokenAlg
	if alg == "" {
		alg = keys.ES256
	}
	return s.keys.Sign(alg, "at+jwt", claims)
}

func (s *tokenStrategy) ValidateAccessToken(_ context.Context, r fosite.Requester, _ string) error {
	return s.unexpired(r, fosite.AccessToken)
}

func (s *tokenStrategy) RefreshTokenSignature(_ context.Context, token string) string {
	return signatureOf(token)
}

// GenerateRefreshToken makes the first token of a chain by chance. Those that
// follow are made from their predecessor, so that a client which presents a
// token again because it never got the answer gets the same answer.
func (s *tokenStrategy) GenerateRefreshToken(ctx context.Context, _ fosite.Requester) (token, signature string, err error) {
	token = secret.Token(refreshPrefix)
	if u := unitFrom(ctx); u != nil && u.presented != "" {
		mac := hmac.New(sha256.New, s.successor)
		mac.Write([]byte(u.presented))
		token = secret.Scannable(refreshPrefix, mac.Sum(nil))
	}
	return token, signatureOf(token), nil
}

func (s *tokenStrategy) ValidateRefreshToken(_ context.Context, r fosite.Requester, _ string) error {
	return s.unexpired(r, fosite.RefreshToken)
}

func (s *tokenStrategy) AuthorizeCodeSignature(_ context.Context, token string) string {
	return signatureOf(token)
}

func (s *tokenStrategy) GenerateAuthorizeCode(context.Context, fosite.Requester) (token, signature string, err error) {
	token = secret.Token(codePrefix)
	return token, signatureOf(token), nil
}

// ValidateAuthorizeCode leaves the judgement to [fositeStore.GetAuthorizeCodeSession],
// which is asked before and knows when the code expires.
func (s *tokenStrategy) ValidateAuthorizeCode(context.Context, fosite.Requester, string) error {
	return nil
}

func (s *tokenStrategy) unexpired(r fosite.Requester, t fosite.TokenType) error {
	if exp := r.GetSession().GetExpiresAt(t); !exp.IsZero() && !s.now().Before(exp) {
		return fosite.ErrTokenExpired
	}
	return nil
}
