package provider

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/ory/fosite"
	fositeoauth2 "github.com/ory/fosite/handler/oauth2"
	fositeopenid "github.com/ory/fosite/handler/openid"
	fositejwt "github.com/ory/fosite/token/jwt"

	"keyway/provider/binding"
	"keyway/provider/claims"
	"keyway/provider/details"
	"keyway/provider/exchange"
	"keyway/provider/secret"
)

// sessionVersion grows when the stored form changes in a way that older code
// could not read:
//
//	1  the first
const sessionVersion = 1

// Session is what a grant remembers of the sign-in behind it. It is stored as
// versioned JSON; only its exported fields are.
type Session struct {
	Version   int            `json:"v"`
	Subject   string         `json:"sub,omitempty"`
	Username  string         `json:"username,omitempty"`
	ClientID  string         `json:"client_id"`
	AuthTime  int64          `json:"auth_time,omitempty"` // Unix seconds
	AMR       []string       `json:"amr,omitempty"`
	ACR       string         `json:"acr,omitempty"`
	Nonce     string         `json:"nonce,omitempty"`
	Requested int64          `json:"rat,omitempty"`       // Unix seconds
	Claims    map[string]any `json:"claims,omitempty"`    // further claims of its tokens; never a reserved one
	SID       string         `json:"sid,omitempty"`       // of the browser session
	Factor    bool           `json:"factor,omitempty"`    // the person proved a second factor
	Connector string         `json:"connector,omitempty"` // whose upstream vouched for the person; "" for none
	// Act says who acts for the subject (RFC 8693, section 4.1); nil for nobody.
	Act *exchange.Actor `json:"act,omitempty"`
	// IDClaims and UserClaims are what the parameter claims named for the ID
	// token and for userinfo (OpenID Connect Core 1.0, section 5.5).
	IDClaims   []string `json:"id_claims,omitempty"`
	UserClaims []string `json:"userinfo_claims,omitempty"`
	// Details are the authorization_details that were granted (RFC 9396).
	Details details.List `json:"authorization_details,omitempty"`
	// Unverified says that the legacy system let the user in before the
	// account was confirmed, so that what follows does not shut them out.
	Unverified bool `json:"allow_unverified,omitempty"`
	// Bound is what the access token and, of a public client, the code and the
	// refresh token are bound to. A grant has one live access token at a time.
	Bound *binding.Key `json:"cnf,omitempty"`

	issuer  string
	idAlg   string
	expires [4]time.Time
	id      *fositejwt.IDTokenClaims
}

var (
	_ fositeopenid.Session             = (*Session)(nil)
	_ fositeoauth2.JWTSessionContainer = (*Session)(nil)
	_ fositeoauth2.Session             = (*Session)(nil)
	_ fosite.ExtraClaimsSession        = (*Session)(nil)
)

// ParseSession reads a stored session. It fails on another version.
func ParseSession(stored []byte) (*Session, error) {
	s := new(Session)
	if err := json.Unmarshal(stored, s); err != nil {
		return nil, fmt.Errorf("stored session: %w", err)
	}
	if s.Version != sessionVersion {
		return nil, fmt.Errorf("stored session has version %d, this program reads %d", s.Version, sessionVersion)
	}
	return s, nil
}

// Encode returns the form that is stored.
func (s *Session) Encode() ([]byte, error) {
	s.Version = sessionVersion
	return json.Marshal(s)
}

func expirySlot(t fosite.TokenType) int {
	switch t {
	case fosite.AccessToken:
		return 0
	case fosite.RefreshToken:
		return 1
	case fosite.AuthorizeCode:
		return 2
	default:
		return 3
	}
}

// SetExpiresAt implements [fosite.Session].
func (s *Session) SetExpiresAt(t fosite.TokenType, at time.Time) { s.expires[expirySlot(t)] = at }

// GetExpiresAt implements [fosite.Session].
func (s *Session) GetExpiresAt(t fosite.TokenType) time.Time { return s.expires[expirySlot(t)] }

// GetUsername implements [fosite.Session].
func (s *Session) GetUsername() string { return s.Username }

// GetSubject implements [fosite.Session].
func (s *Session) GetSubject() string { return s.Subject }

// SetSubject sets the subject of every token of the session.
func (s *Session) SetSubject(subject string) {
	s.Subject = subject
	if s.id != nil {
		s.id.Subject = subject
	}
}

// Clone implements [fosite.Session] without reflection.
func (s *Session) Clone() fosite.Session {
	c := *s
	c.AMR = slices.Clone(s.AMR)
	c.Claims = maps.Clone(s.Claims)
	c.Details = slices.Clone(s.Details)
	c.IDClaims, c.UserClaims = slices.Clone(s.IDClaims), slices.Clone(s.UserClaims)
	c.id = nil
	return &c
}

// IDTokenClaims implements [fositeopenid.Session]: the claims of this
// request's ID token, which live as long as the request does.
func (s *Session) IDTokenClaims() *fositejwt.IDTokenClaims {
	if s.id != nil {
		return s.id
	}
	s.id = &fositejwt.IDTokenClaims{
		Issuer:                              s.issuer,
		Subject:                             s.Subject,
		Nonce:                               s.Nonce,
		AuthTime:                            unixTime(s.AuthTime),
		AuthenticationMethodsReferences:     slices.Clone(s.AMR),
		AuthenticationContextClassReference: s.ACR,
		ExpiresAt:                           s.GetExpiresAt(fosite.IDToken),
		Extra:                               map[string]any{},
	}
	if s.SID != "" {
		s.id.Extra["sid"] = s.SID
	}
	return s.id
}

// IDTokenHeaders implements [fositeopenid.Session]. It names the algorithm and
// never the key: which key signs is decided when it does.
func (s *Session) IDTokenHeaders() *fositejwt.Headers {
	return &fositejwt.Headers{Extra: map[string]any{"alg": s.idAlg}}
}

// GetJWTClaims implements [fositeoauth2.JWTSessionContainer]. Every call makes
// fresh claims, so that a refreshed token has its own iat and jti.
func (s *Session) GetJWTClaims() fositejwt.JWTClaimsContainer {
	c := &fositejwt.JWTClaims{Subject: s.Subject, Extra: s.GetExtraClaims(), JTI: secret.ID()}
	if s.Subject == "" {
		c.Subject = s.ClientID // RFC 9068, section 2.2: a client that acts for itself
	}
	c.Extra["client_id"] = s.ClientID
	if s.AuthTime != 0 {
		c.Extra["auth_time"] = s.AuthTime
	}
	if s.Bound != nil {
		c.Extra["cnf"] = s.Bound
	}
	if s.ACR != "" {
		c.Extra["acr"] = s.ACR
	}
	if len(s.AMR) > 0 {
		c.Extra["amr"] = s.AMR
	}
	if s.Act != nil {
		c.Extra["act"] = s.Act
	}
	if len(s.Details) > 0 {
		c.Extra["authorization_details"] = s.Details // RFC 9396, section 9.1
	}
	return c
}

// GetJWTHeader implements [fositeoauth2.JWTSessionContainer] (RFC 9068, section 2.1).
func (s *Session) GetJWTHeader() *fositejwt.Headers {
	return &fositejwt.Headers{Extra: map[string]any{"typ": "at+jwt"}}
}

// GetExtraClaims implements [fosite.ExtraClaimsSession] with a fresh map.
func (s *Session) GetExtraClaims() map[string]any {
	extra := make(map[string]any, len(s.Claims)+5)
	for name, v := range s.Claims {
		if !claims.Reserved(name) {
			extra[name] = v
		}
	}
	return extra
}

func unixTime(seconds int64) time.Time {
	if seconds == 0 {
		return time.Time{}
	}
	return time.Unix(seconds, 0).UTC()
}
