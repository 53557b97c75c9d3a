package apppassword_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/apppassword"
	"keyway/provider/identity"
	"keyway/provider/pages"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var systems = []apppassword.System{
	{Name: "faveo", Title: "Faveo Helpdesk", Accounts: "faveo", NeedAccount: true, Directories: []string{"default"}},
	{Name: "social", Title: "OSSN", Accounts: "ossn", NeedAccount: true, Directories: []string{"default"}},
	{Name: "crm", Title: "CRM.COM", Accounts: "crmcom", Directories: []string{"crmcom/{{ .Field.organisation }}"}},
	{Name: "shop", Title: "Magento", Accounts: "magento", Directories: []string{"magento/customer", "magento/admin"}},
}

// office is a desk over a real database.
type office struct {
	*apppassword.Desk
	store *store.Store
	now   time.Time
}

func newOffice(t *testing.T, dsn string) *office {
	t.Helper()
	o := &office{now: time.Now().UTC().Truncate(time.Second)}
	now := func() time.Time { return o.now }
	var err error
	o.store, err = store.Open(t.Context(), store.Options{DSN: dsn, SealKey: bytes.Repeat([]byte{7}, 32), Now: now})
	require.NoError(t, err)
	t.Cleanup(func() { _ = o.store.Close() })
	o.Desk, err = apppassword.New(apppassword.Options{Storage: o.store, Users: o.store, Systems: systems, Now: now})
	require.NoError(t, err)
	return o
}

func (o *office) user(t *testing.T, accounts []identity.Account, names ...identity.LoginName) *identity.User {
	t.Helper()
	done, err := o.store.SaveRecords(t.Context(), []identity.Record{{
		User: identity.User{Status: identity.StatusActive, LoginNames: names}, Accounts: accounts,
	}})
	require.NoError(t, err)
	require.NoError(t, done[0].Err)
	u, err := o.store.FindUser(t.Context(), done[0].Subject)
	require.NoError(t, err)
	return u
}

func onEach(t *testing.T, f func(t *testing.T, o *office)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { f(t, newOffice(t, storetest.SQLite(t))) })
	t.Run("PostgreSQL", func(t *testing.T) { f(t, newOffice(t, storetest.Postgres(t))) })
}

func TestASystemIsOfferedToWhomItWouldLetIn(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t))
	faveo := []identity.Account{{System: "faveo", ID: "7"}}
	name := func(directory, name, slot string) identity.LoginName {
		return identity.LoginName{Directory: directory, Name: name, Slot: slot}
	}
	for what, c := range map[string]struct {
		accounts []identity.Account
		names    []identity.LoginName
		want     []apppassword.Offer
	}{
		"an account and a name": {faveo, []identity.LoginName{name("default", "alice", ""), name("default", "alice@example.com", "")}, []apppassword.Offer{
			{System: "faveo", Title: "Faveo Helpdesk", Usernames: []string{"alice", "alice@example.com"}},
		}},
		"a name in one of the directories": {nil, []identity.LoginName{name("crmcom/DEMO", "bob", "")}, []apppassword.Offer{
			{System: "crm", Title: "CRM.COM", Usernames: []string{"bob"}},
		}},
		"an identifier, which nobody types": {nil, []identity.LoginName{name("magento/admin", "X-1", "pass_code")}, []apppassword.Offer{{System: "shop", Title: "Magento"}}},
		"no account":                        {nil, []identity.LoginName{name("default", "carol", "")}, nil},
		"no name there":                     {[]identity.Account{{System: "faveo", ID: "8"}}, []identity.LoginName{name("elsewhere", "dave", "")}, nil},
	} {
		offers, err := o.Offered(t.Context(), o.user(t, c.accounts, c.names...))
		require.NoError(t, err, what)
		require.Empty(t, cmp.Diff(c.want, offers), what)
	}
}

func TestAnAppPasswordIsMadeListedAndRemoved(t *testing.T) {
	onEach(t, func(t *testing.T, o *office) {
		alice := o.user(t, []identity.Account{{System: "faveo", ID: "7"}}, identity.LoginName{Directory: "default", Name: "alice"})
		made, err := o.Make(t.Context(), apppassword.Wish{Subject: alice.Subject, System: "faveo", Name: " Gateway ", Days: 30, Networks: "192.0.2.9"})
		require.NoError(t, err)
		found, err := o.store.FindAppPassword(t.Context(), "faveo", made.Hash)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(&made.AppPassword, found))
		require.Equal(t, "Gateway", made.Name)
		require.Equal(t, o.now.AddDate(0, 0, 30), made.ExpiresAt)
		require.NotContains(t, made.String(), made.Password)

		o.now = o.now.AddDate(0, 0, 30)
		var s pages.AppSection
		require.NoError(t, o.Fill(t.Context(), alice, &s))
		require.Empty(t, cmp.Diff(pages.AppSection{
			Systems: []pages.AppSystem{{Name: "faveo", Title: "Faveo Helpdesk"}},
			Passwords: []pages.AppPassword{{
				ID: made.ID, Name: "Gateway", System: "Faveo Helpdesk", Created: made.CreatedAt, Expires: made.ExpiresAt, Expired: true, Networks: []string{"192.0.2.9/32"},
			}},
		}, s))

		require.NoError(t, o.Remove(t.Context(), "somebody else", made.ID))
		all, err := o.List(t.Context(), alice.Subject)
		require.NoError(t, err)
		require.Len(t, all, 1, "nobody else removes it")
		require.NoError(t, o.Remove(t.Context(), alice.Subject, made.ID))
		require.NoError(t, o.Remove(t.Context(), alice.Subject, made.ID), "again")
		all, err = o.List(t.Context(), alice.Subject)
		require.NoError(t, err)
		require.Empty(t, all)
	})
}

func TestWishesThatCannotBeAreRefusedByName(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t))
	alice := o.user(t, []identity.Account{{System: "faveo", ID: "7"}}, identity.LoginName{Directory: "default", Name: "alice"})
	good := pages.AppSection{System: "faveo", Name: "Gateway", Days: "0"}
	for want, change := range map[string]func(*pages.AppSection){
		"name":     func(s *pages.AppSection) { s.Name = " " },
		"system":   func(s *pages.AppSection) { s.System = "social" },
		"days":     func(s *pages.AppSection) { s.Days = "soon" },
		"networks": func(s *pages.AppSection) { s.Networks = "home" },
	} {
		s := good
		change(&s)
		page, err := o.Add(t.Context(), alice.Subject, &s)
		require.NoError(t, err)
		require.Nil(t, page)
		require.Equal(t, want, s.Refused)
	}
	for range 50 {
		s := good
		page, err := o.Add(t.Context(), alice.Subject, &s)
		require.NoError(t, err)
		require.Empty(t, s.Refused)
		require.Equal(t, "Faveo Helpdesk", page.System)
	}
	s := good
	page, err := o.Add(t.Context(), alice.Subject, &s)
	require.NoError(t, err)
	require.Nil(t, page)
	require.Equal(t, "too_many", s.Refused)
}

func TestADeskWithoutItsDatabaseSaysSo(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t))
	alice := o.user(t, []identity.Account{{System: "faveo", ID: "7"}}, identity.LoginName{Directory: "default", Name: "alice"})
	require.NoError(t, o.store.Close())
	_, err := o.Add(t.Context(), alice.Subject, &pages.AppSection{System: "faveo", Name: "x", Days: "0"})
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(o.Fill(context.Background(), alice, &pages.AppSection{})))
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(o.Remove(t.Context(), alice.Subject, "1")))
}

func TestNamesAndDays(t *testing.T) {
	o := newOffice(t, storetest.SQLite(t))
	for name, want := range map[string]apppassword.Problem{
		"":                      apppassword.ProblemName,
		strings.Repeat("ä", 60): apppassword.ProblemSystem, // the next thing that is wrong
		strings.Repeat("ä", 61): apppassword.ProblemName,
		"a\x00b":                apppassword.ProblemName,
		"a\nb":                  apppassword.ProblemName,
		"\xff":                  apppassword.ProblemName,
	} {
		alice := o.user(t, nil, identity.LoginName{Directory: "x", Name: "u" + strings.Repeat("x", len(name)) + string(want)})
		_, err := o.Make(t.Context(), apppassword.Wish{Subject: alice.Subject, Name: name})
		require.ErrorIs(t, err, want, "%q", name)
	}
	for _, days := range []int{-1, 3651} {
		_, err := o.Make(t.Context(), apppassword.Wish{Name: "x", Days: days})
		require.ErrorIs(t, err, apppassword.ProblemDays)
	}
}
