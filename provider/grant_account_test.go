package provider_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

// TestUsersOfAnotherSystem has an account and attributes decide before the password.
func TestUsersOfAnotherSystem(t *testing.T) {
	changes := map[string]func(*provider.PasswordGrant){
		"without the account that is needed": func(g *provider.PasswordGrant) { g.AccountSystem, g.NeedAccount = "crmcom", true },
		"with another attribute":             func(g *provider.PasswordGrant) { g.Match = map[string]string{"role": "admin"} },
		"without the list's value":           func(g *provider.PasswordGrant) { g.Match = map[string]string{"units": "c"} },
		"matched without an account":         func(g *provider.PasswordGrant) { g.AccountSystem, g.Match = "crmcom", map[string]string{"a": ""} },
	}
	for name, change := range changes {
		t.Run("somebody "+name+" is unknown_user whatever the password, counted and recorded", func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t), func(o *provider.Options) {
				users, attempts := o.Users, o.Storage.(identity.Attempts)
				gate, err := identity.NewGate(identity.GateOptions{Attempts: attempts, Now: o.Now, Failures: 4})
				require.NoError(t, err)
				hasher, err := identity.NewHasher(identity.HasherOptions{Memory: 1024, Time: 1})
				require.NoError(t, err)
				local, err := identity.NewLocal(identity.LocalOptions{Users: users, Hasher: hasher, Logger: o.Log, Now: o.Now})
				require.NoError(t, err)
				o.SignIn, err = identity.NewSignIn(identity.SignInOptions{Users: users, Gate: gate, Authenticator: local, Now: o.Now})
				require.NoError(t, err)
			})
			g := login()
			change(&g)
			for _, secret := range []string{password, "no", "", password} {
				g.Credentials.Password = secret
				_, err := w.GrantPassword(t.Context(), g)
				require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err), err)
			}
			_, err := w.GrantPassword(t.Context(), g)
			require.Equal(t, identity.ReasonLocked, identity.ReasonOf(err), "it was counted")
			events, err := w.store.ListEvents(t.Context(), store.EventQuery{Kind: "login"})
			require.NoError(t, err)
			require.Len(t, events, 5)
			for _, e := range events {
				require.Empty(t, e.Subject)
				require.Equal(t, "faveo", e.System)
			}
			_, err = w.GrantPassword(t.Context(), login())
			require.NoError(t, err, "where they do have the account they are not locked out")
		})
	}
	t.Run("a disabled user without the account is unknown, one with it is disabled", func(t *testing.T) {
		w := newWorld(t, storetest.SQLite(t))
		require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusDisabled))
		g := login()
		g.NeedAccount = true
		_, err := w.GrantPassword(t.Context(), g)
		require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
		g.AccountSystem = "crmcom"
		_, err = w.GrantPassword(t.Context(), g)
		require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
	})
}
