package contract_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/adapter/contract"
	"keyway/provider"
	"keyway/provider/identity"
)

func stage(t *testing.T) *contract.Stage {
	t.Helper()
	e, err := contract.Parse("x", []byte(`S
-- given.yaml --
users:
  - login_names: [ann, {directory: other, name: pin-ann, credential: pin}]
    password: pw
    credentials: {pin: {password: "1"}}
    accounts: {sys: {id: "7", attributes: {unit: [a, b]}}}
  - {login_names: [new], password: pw, status: unverified}
  - {login_names: [off], password: pw, status: disabled}
  - {login_names: [empty]}
-- request --
GET / HTTP/1.1
-- response --
HTTP/1.1 200 OK
`))
	require.NoError(t, err)
	s, err := contract.NewStage(e.Given)
	require.NoError(t, err)
	return s
}

func TestAStageJudgesLikeTheProvider(t *testing.T) {
	grant := func(c identity.Credentials, more func(*provider.PasswordGrant)) identity.Reason {
		if c.Directory == "" {
			c.Directory = "default"
		}
		g := provider.PasswordGrant{Client: "c", Credentials: c, AccountSystem: "sys", Token: provider.LegacyToken{Lifetime: time.Hour}}
		if more != nil {
			more(&g)
		}
		_, err := stage(t).GrantPassword(t.Context(), g)
		return identity.ReasonOf(err)
	}
	type c = identity.Credentials
	require.Empty(t, grant(c{Username: "ANN", Password: "pw"}, nil))
	require.Empty(t, grant(c{Username: "pin-ann", Password: "1", Directory: "other"}, nil))
	require.Equal(t, identity.ReasonWrongPassword, grant(c{Username: "pin-ann", Password: "pw", Directory: "other"}, nil))
	require.Equal(t, identity.ReasonWrongPassword, grant(c{Username: "empty"}, nil))
	require.Equal(t, identity.ReasonUnknownUser, grant(c{Username: "nobody"}, nil))
	require.Equal(t, identity.ReasonWrongPassword, grant(c{Username: "new", Password: "x"}, nil))
	require.Equal(t, identity.ReasonUnverified, grant(c{Username: "new", Password: "x", StatusFirst: true}, nil))
	require.Equal(t, identity.ReasonUnverified, grant(c{Username: "new", Password: "pw"}, nil))
	require.Empty(t, grant(c{Username: "new", Password: "pw", AllowUnverified: true}, nil))
	require.Equal(t, identity.ReasonWrongPassword, grant(c{Username: "off", Password: "x"}, nil))
	require.Equal(t, identity.ReasonDisabled, grant(c{Username: "off", Password: "pw"}, nil))
	require.Equal(t, identity.ReasonUnknownUser, grant(c{Username: "new", Password: "pw"}, func(g *provider.PasswordGrant) { g.NeedAccount = true }))
	require.Equal(t, identity.ReasonUnknownUser, grant(c{Username: "ann", Password: "pw"}, func(g *provider.PasswordGrant) {
		g.Match = map[string]string{"unit": "c"}
	}))
	require.Empty(t, grant(c{Username: "ann", Password: "pw"}, func(g *provider.PasswordGrant) {
		g.Match = map[string]string{"unit": "b"}
	}))
}

func TestAStagedTokenLivesUntilItIsEndedOrExpires(t *testing.T) {
	s := stage(t)
	g := provider.PasswordGrant{
		Client: "c", AccountSystem: "sys", Credentials: identity.Credentials{Directory: "default", Username: "ann", Password: "pw"},
		Token: provider.LegacyToken{Format: provider.FormatHex32, Lifetime: time.Hour, Reuse: true, MinRemain: time.Minute},
	}
	one, err := s.GrantPassword(t.Context(), g)
	require.NoError(t, err)
	s.Advance(58 * time.Minute)
	same, err := s.GrantPassword(t.Context(), g)
	require.NoError(t, err)
	require.Equal(t, one.AccessToken, same.AccessToken)
	s.Advance(90 * time.Second)
	other, err := s.GrantPassword(t.Context(), g)
	require.NoError(t, err)
	require.NotEqual(t, one.AccessToken, other.AccessToken)

	ask := func(token, client string) error {
		_, err := s.InspectGrant(t.Context(), provider.TokenQuery{Client: client, Token: token, AccountSystem: "sys"})
		return err
	}
	require.NoError(t, ask(one.AccessToken, "c"))
	require.Equal(t, identity.ReasonInvalidToken, identity.ReasonOf(ask(one.AccessToken, "another")))
	s.Advance(time.Minute)
	require.Equal(t, identity.ReasonExpiredToken, identity.ReasonOf(ask(one.AccessToken, "c")))
	require.NoError(t, s.RevokeGrant(t.Context(), provider.TokenQuery{Client: "c", Token: other.AccessToken}))
	require.ErrorIs(t, ask(other.AccessToken, "c"), provider.ErrRevoked)
	require.Error(t, s.RevokeGrant(t.Context(), provider.TokenQuery{Client: "c", Token: "x"}))
}

func TestAStageLooksUsersUp(t *testing.T) {
	s := stage(t)
	user, account, err := s.LookupUser(t.Context(), provider.UserQuery{AccountSystem: "sys", AccountID: "7"})
	require.NoError(t, err)
	require.Equal(t, "ann", user.Username("default"))
	require.Equal(t, "7", account.ID)
	_, account, err = s.LookupUser(t.Context(), provider.UserQuery{AccountSystem: "sys", Directory: "default", Username: "OFF"})
	require.NoError(t, err)
	require.Nil(t, account)
	_, _, err = s.LookupUser(t.Context(), provider.UserQuery{AccountSystem: "sys", AccountID: "8"})
	require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
}
