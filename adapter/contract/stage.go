package contract

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"sync"
	"time"

	"keyway/adapter"
	"keyway/provider"
	"keyway/provider/identity"
)

// Stage is a provider for examples: the given users with plain passwords, a
// clock that stands still, tokens in memory.
type Stage struct {
	mu     sync.Mutex
	clock  time.Time
	fail   identity.Reason
	people []*person
	names  map[[2]string]*person // by directory and folded login name
	slots  map[[2]string]string
	tokens map[string]*stagedToken
}

// stagedToken is an issued token.
type stagedToken struct {
	grant   provider.Grant
	person  *person
	revoked bool
}

var (
	_ adapter.Granter = (*Stage)(nil)
	_ adapter.Gate    = (*Stage)(nil)
)

// NewStage sets up what an example gives.
func NewStage(g Given) (*Stage, error) {
	s := &Stage{
		clock: g.start, fail: g.Fail,
		names: map[[2]string]*person{}, slots: map[[2]string]string{}, tokens: map[string]*stagedToken{},
	}
	for i := range g.records {
		p, err := g.records[i].person(i)
		if err != nil {
			return nil, err
		}
		p.user.CreatedAt, p.user.UpdatedAt = s.clock, s.clock
		s.people = append(s.people, p)
		for _, n := range p.user.LoginNames {
			key := [2]string{n.Directory, identity.FoldName(n.Name)}
			s.names[key], s.slots[key] = p, n.Slot
		}
	}
	return s, nil
}

// Now is the stage's clock.
func (s *Stage) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.clock
}

// Advance moves the clock.
func (s *Stage) Advance(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clock = s.clock.Add(d)
}

// Ask implements [adapter.Gate]: an example knows no networks, and no lockout
// but by Given.Fail.
func (*Stage) Ask(context.Context, identity.Question) error { return nil }

// Report implements [adapter.Gate].
func (*Stage) Report(context.Context, identity.Question, identity.Event) error { return nil }

// failure is what every call answers where the example says so.
func (s *Stage) failure() error {
	if s.fail == "" {
		return nil
	}
	return identity.Failf(s.fail, "the example says so")
}

// GrantPassword implements [adapter.Granter].
func (s *Stage) GrantPassword(_ context.Context, g provider.PasswordGrant) (*provider.Grant, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.failure(); err != nil {
		return nil, err
	}
	c := g.Credentials
	key := [2]string{c.Directory, identity.FoldName(c.Username)}
	p := s.names[key]
	if p == nil {
		return nil, identity.Failf(identity.ReasonUnknownUser, "no such login name")
	}
	account := p.accounts[g.AccountSystem]
	if account == nil && g.NeedAccount || !meets(account, g.Match) {
		return nil, identity.Failf(identity.ReasonUnknownUser, "no such account")
	}
	refused := statusReason(p.user.Status, c.AllowUnverified)
	if c.StatusFirst && refused == identity.ReasonUnverified {
		return nil, identity.Failf(refused, "the status decides first")
	}
	if !isRight(p.passwords[s.slots[key]], c) {
		return nil, identity.Failf(identity.ReasonWrongPassword, "not the password")
	}
	if refused != "" {
		return nil, identity.Failf(refused, "the status refuses")
	}
	return s.issue(g, p, account)
}

func isRight(password string, c identity.Credentials) bool {
	for _, given := range append([]string{c.Password}, c.Equivalent...) {
		if password != "" && !c.Hopeless && hmac.Equal([]byte(password), []byte(given)) {
			return true
		}
	}
	return false
}

func statusReason(s identity.Status, allowUnverified bool) identity.Reason {
	switch s {
	case identity.StatusUnverified:
		if allowUnverified {
			return ""
		}
		return identity.ReasonUnverified
	case identity.StatusDisabled, identity.StatusDeleted:
		return identity.ReasonDisabled
	case identity.StatusActive:
	}
	return ""
}

func meets(account *identity.Account, want map[string]string) bool {
	for name, value := range want {
		if account == nil || !adapter.AttributeHas(account.Attributes[name], value) {
			return false
		}
	}
	return true
}

// issue makes a token, or gives a living one again where the format says so.
func (s *Stage) issue(g provider.PasswordGrant, p *person, account *identity.Account) (*provider.Grant, error) {
	if g.Token.Reuse {
		for _, t := range s.tokens {
			if t.person == p && t.grant.ClientID == g.Client && !t.revoked && t.grant.ExpiresAt.Sub(s.clock) >= g.Token.MinRemain {
				again := t.grant
				return &again, nil
			}
		}
	}
	user := p.user
	grant := provider.Grant{
		ID: rand.Text(), ClientID: g.Client, User: &user, Account: account,
		IssuedAt: s.clock, ExpiresAt: s.clock.Add(g.Token.Lifetime),
	}
	token, err := s.token(g.Token, &grant)
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	grant.AccessToken = token
	s.tokens[token] = &stagedToken{grant: grant, person: p}
	return &grant, nil
}

// token is a new token in the format asked for.
func (s *Stage) token(f provider.LegacyToken, g *provider.Grant) (string, error) {
	switch f.Format {
	case provider.FormatHex32:
		b := make([]byte, 16)
		_, _ = rand.Read(b) // it never fails
		if f.Upper {
			return strings.ToUpper(hex.EncodeToString(b)), nil
		}
		return hex.EncodeToString(b), nil
	case provider.FormatJWTHS256:
		claims, err := f.Claims(provider.TokenFacts{
			ID: rand.Text()[:16], IssuedAt: g.IssuedAt, ExpiresAt: g.ExpiresAt, User: g.User, Account: g.Account,
		})
		if err != nil {
			return "", err
		}
		g.Claims = claims
		return signHS256(f.Header, claims, f.Secret), nil
	case provider.FormatOpaque, provider.FormatATJWT:
	}
	return "kw_at_" + rand.Text(), nil
}

func signHS256(header string, claims, secret []byte) string {
	enc := base64.RawURLEncoding
	signed := enc.EncodeToString([]byte(header)) + "." + enc.EncodeToString(claims)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(signed))
	return signed + "." + enc.EncodeToString(mac.Sum(nil))
}
