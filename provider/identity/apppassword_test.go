package identity_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func TestAppPasswords(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice, bob := h.user(t, identity.StatusActive, plain("own"), "alice"), h.user(t, identity.StatusActive, plain("own"), "bob")
	apps, err := identity.NewAppPasswords(h.store, h.store, h.Now)
	require.NoError(t, err)
	add := func(change func(*identity.AppPassword)) string {
		password, hash := identity.NewAppPassword()
		p := &identity.AppPassword{ID: password[:8], Subject: alice, System: "faveo", Hash: hash, CreatedAt: h.Now()}
		change(p)
		require.NoError(t, h.store.AddAppPassword(t.Context(), p))
		return password
	}
	good := add(func(*identity.AppPassword) {})
	foreign := add(func(p *identity.AppPassword) { p.Subject = bob })
	expired := add(func(p *identity.AppPassword) { p.ExpiresAt = h.Now().Add(-time.Second) })
	narrow := add(func(p *identity.AppPassword) { p.Networks = []string{"192.0.2.0/24"} })

	try := func(password string, change func(*identity.Credentials)) identity.Reason {
		c := as("alice", password)
		c.System = "faveo"
		change(&c)
		who, err := apps.Authenticate(t.Context(), c)
		if err == nil {
			require.Equal(t, alice, who.User.Subject)
			require.Equal(t, []string{"pwd"}, who.AMR)
		}
		return identity.ReasonOf(err)
	}
	const wrong, unknown = identity.ReasonWrongPassword, identity.ReasonUnknownUser
	from := func(addr string) func(*identity.Credentials) {
		return func(c *identity.Credentials) { c.RemoteAddr = netip.MustParseAddr(addr) }
	}
	as := func(*identity.Credentials) {}
	for name, got := range map[string][2]identity.Reason{
		"the right one comes in":                     {"", try(good, as)},
		"case and blanks around are forgiven":        {"", try("  "+strings.ToUpper(good)+" ", as)},
		"that of somebody else is wrong":             {wrong, try(foreign, as)},
		"one that has expired is wrong":              {wrong, try(expired, as)},
		"one that comes from elsewhere is wrong":     {wrong, try(narrow, from("198.51.100.1"))},
		"one that comes from its network comes in":   {"", try(narrow, from("::ffff:192.0.2.7"))},
		"without an address no network fits":         {wrong, try(narrow, as)},
		"another system does not know it":            {unknown, try(good, func(c *identity.Credentials) { c.System = "ossn" })},
		"the browser's sign-in does not know it":     {unknown, try(good, func(c *identity.Credentials) { c.System = "" })},
		"an own password is left to the others":      {unknown, try("own", as)},
		"a name that nobody has is unknown":          {unknown, try(good, func(c *identity.Credentials) { c.Username = "nobody" })},
		"one that nobody was given is unknown":       {unknown, try("aaaaa-aaaaa-aaaaa-aaaaa", as)},
		"another reading of what was typed comes in": {"", try("x", func(c *identity.Credentials) { c.Equivalent = []string{good} })},
	} {
		require.Equal(t, got[0], got[1], name)
	}
	all, err := h.store.ListAppPasswords(t.Context(), alice)
	require.NoError(t, err)
	used := 0
	for _, p := range all {
		if !p.UsedAt.IsZero() {
			used++
		}
	}
	require.Equal(t, 2, used, "the last use is noted")
}

// counted is a storage that tells how often it was looked into.
type counted struct {
	identity.AppPasswordStorage
	looks int
}

func (c *counted) FindAppPassword(ctx context.Context, system string, hash [32]byte) (*identity.AppPassword, error) {
	c.looks++
	return c.AppPasswordStorage.FindAppPassword(ctx, system, hash)
}

func TestAnOwnPasswordCostsNoLookForAppPasswords(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.user(t, identity.StatusActive, plain("own"), "alice")
	c := &counted{AppPasswordStorage: h.store}
	apps, err := identity.NewAppPasswords(c, h.store, h.Now)
	require.NoError(t, err)
	for password, looks := range map[string]int{
		"own": 0, "aaaaa-aaaaa-aaaaa-aaaaa": 1, "aaaaa-aaaaa-aaaaa-aaaa1": 0, "aaaaa-aaaaa-aaaaa-aaaaaa": 0, "aaaaaaaaaaaaaaaaaaaaaaa": 0,
		"a correct horse battery": 0, "": 0, "äaaaa-aaaaa-aaaaa-aaaaa": 0,
	} {
		c.looks = 0
		login := as("alice", password)
		login.System = "faveo"
		_, err = apps.Authenticate(t.Context(), login)
		require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
		require.Equal(t, looks, c.looks, "%q", password)
	}
}

func TestAnAppPasswordHasAHundredBits(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		password, _ := identity.NewAppPassword()
		require.Regexp(t, `^[a-z2-7]{5}(-[a-z2-7]{5}){3}$`, password)
		require.False(t, seen[password])
		seen[password] = true
	}
}

func TestAnAppPasswordForgetsNoGuessesAtTheOwnOne(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	alice := h.user(t, identity.StatusActive, plain("own"), "alice")
	apps, err := identity.NewAppPasswords(h.store, h.store, h.Now)
	require.NoError(t, err)
	password, hash := identity.NewAppPassword()
	require.NoError(t, h.store.AddAppPassword(t.Context(), &identity.AppPassword{ID: "a", Subject: alice, System: "faveo", Hash: hash}))
	chain, err := identity.NewChain([]identity.Rule{{Steps: []identity.Step{
		{Name: "app_password", Authenticator: apps}, {Name: "local", Authenticator: h.local(t, nil)},
	}}})
	require.NoError(t, err)
	g := h.gate(t, nil) // three failures lock
	s := h.signIn(t, chain, func(o *identity.SignInOptions) { o.Gate = g })
	try := func(p string) identity.Reason {
		c := as("alice", p)
		c.System = "faveo"
		_, err := s.Authenticate(t.Context(), c)
		return identity.ReasonOf(err)
	}
	for range 2 {
		require.Equal(t, identity.ReasonWrongPassword, try("wrong"))
		require.Empty(t, try(password))
	}
	require.NotEmpty(t, try("wrong"))
	require.Equal(t, identity.ReasonLocked, try("own"), "what the app did in between changes nothing")
}
