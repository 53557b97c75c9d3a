package provider_test

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

func TestLookupUser(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	u, a, err := w.LookupUser(t.Context(), provider.UserQuery{AccountSystem: "faveo", AccountID: "7"})
	require.NoError(t, err)
	require.Equal(t, w.alice, u.Subject)
	require.Equal(t, "7", a.ID)
	u, a, err = w.LookupUser(t.Context(), provider.UserQuery{AccountSystem: "ossn", Directory: "default", Username: "ALICE"})
	require.NoError(t, err)
	require.Equal(t, w.alice, u.Subject)
	require.Nil(t, a)
	for _, q := range []provider.UserQuery{{AccountSystem: "faveo", AccountID: "8"}, {Directory: "default", Username: "bob"}, {}} {
		_, _, err = w.LookupUser(t.Context(), q)
		require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
	}
	t.Run("a disabled user is shown, a deleted one is not", func(t *testing.T) {
		q := provider.UserQuery{Directory: "default", Username: "alice"}
		require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusDisabled))
		u, _, err := w.LookupUser(t.Context(), q)
		require.NoError(t, err)
		require.Equal(t, identity.StatusDisabled, u.Status)
		require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusDeleted))
		_, _, err = w.LookupUser(t.Context(), q)
		require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err))
	})
}

func TestLookupUserNetworks(t *testing.T) {
	networks := map[string][]netip.Prefix{"faveo": {netip.MustParsePrefix("192.0.2.0/24")}}
	w := newWorld(t, storetest.SQLite(t), func(o *provider.Options) {
		gate, err := identity.NewGate(identity.GateOptions{Attempts: o.Storage.(identity.Attempts), Now: o.Now, Networks: networks})
		require.NoError(t, err)
		o.Gate = gate
	})
	for name, c := range map[string]struct {
		query provider.UserQuery
		want  identity.Reason
	}{
		"from its networks is answered":                    {provider.UserQuery{System: "faveo", RemoteAddr: netip.MustParseAddr("192.0.2.7")}, ""},
		"from elsewhere is refused":                        {provider.UserQuery{System: "faveo", RemoteAddr: netip.MustParseAddr("198.51.100.7")}, identity.ReasonInvalidClient},
		"from elsewhere finds nothing out about a user":    {provider.UserQuery{System: "faveo", RemoteAddr: netip.MustParseAddr("2001:db8::1"), Username: "bob"}, identity.ReasonInvalidClient},
		"of a system without networks is answered for all": {provider.UserQuery{System: "ossn", RemoteAddr: netip.MustParseAddr("198.51.100.7")}, ""},
	} {
		t.Run("a lookup "+name, func(t *testing.T) {
			c.query.Directory = "default"
			if c.query.Username == "" {
				c.query.Username = "alice"
			}
			_, _, err := w.LookupUser(t.Context(), c.query)
			require.Equal(t, c.want, identity.ReasonOf(err))
		})
	}
}
