package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func userChecks() []check {
	return []check{
		{"every field of a user, a credential and an account comes back", everyUserField},
		{"a login name is found however it is written", foldedNames},
		{"a login name leads to the credential of its own slot", slots},
		{"a hash is replaced once", replaceHash},
		{"users are listed in pages and found by name, e-mail and subject", listUsers},
		{"disabling or deleting a user revokes their grants", setStatus},
	}
}

// saveUser saves a user with a password and returns the subject.
func (f *fixture) saveUser(t *testing.T, name string) string {
	t.Helper()
	return f.saveRecords(t, record(name))[0].Subject
}

func (f *fixture) saveRecords(t *testing.T, records ...identity.Record) []identity.SaveResult {
	t.Helper()
	results, err := f.SaveRecords(t.Context(), records)
	require.NoError(t, err)
	require.Len(t, results, len(records))
	return results
}

func record(name string) identity.Record {
	return identity.Record{
		User: identity.User{
			Status: identity.StatusActive, Email: name + "@example.com",
			LoginNames: []identity.LoginName{{Directory: "default", Name: name}},
		},
		Credentials: []identity.RecordCredential{{
			Credential: identity.Credential{Slot: identity.SlotPassword, Hash: "hash of " + name}, Source: "source of " + name,
		}},
		Accounts: []identity.Account{{System: "faveo", ID: "id of " + name}},
	}
}

func everyUserField(t *testing.T, f *fixture) {
	var r identity.Record
	fill(t, &r)
	r.User.Status = identity.StatusUnverified
	for i := range r.Credentials {
		r.Credentials[i].Password = ""
		r.Credentials[i].Subject = r.User.Subject
	}
	for i := range r.Accounts {
		r.Accounts[i].Subject = r.User.Subject
	}
	r.User.LoginNames[0].Slot = r.Credentials[1].Slot
	res := f.saveRecords(t, r)
	require.NoError(t, res[0].Err)
	require.Equal(t, r.User.Subject, res[0].Subject)

	want := r.User
	want.CredentialVersion, want.CreatedAt, want.UpdatedAt = 1, noon(), noon()
	got, err := f.FindUser(t.Context(), r.User.Subject)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want, got))
	login, err := f.FindLogin(t.Context(), want.LoginNames[0].Directory, want.LoginNames[0].Name)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&identity.Login{User: want, Name: want.LoginNames[0], Credential: &r.Credentials[1].Credential}, login))
	accounts, err := f.ListAccounts(t.Context(), want.Subject)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(r.Accounts, accounts, cmpopts.SortSlices(func(a, b identity.Account) bool { return a.System < b.System })))
	for _, a := range r.Accounts {
		byUser, err := f.FindAccount(t.Context(), a.System, a.Subject)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(&a, byUser))
		byID, err := f.FindAccountByID(t.Context(), a.System, a.ID)
		require.NoError(t, err)
		require.Empty(t, cmp.Diff(&a, byID))
	}
	_, err = f.FindAccount(t.Context(), "other", want.Subject)
	require.Equal(t, identity.ErrNotFound, err)
	_, err = f.FindUser(t.Context(), "nobody")
	require.Equal(t, identity.ErrNotFound, err)
}

func foldedNames(t *testing.T, f *fixture) {
	r := record("Zoë")
	r.User.LoginNames = append(r.User.LoginNames, identity.LoginName{Directory: "crm", Name: "z"})
	subject := f.saveRecords(t, r)[0].Subject
	for _, name := range []string{"Zoë", "zoë", "ZOË", "zoe\u0308", "Zoë  "} {
		login, err := f.FindLogin(t.Context(), "default", name)
		require.NoError(t, err, name)
		require.Equal(t, subject, login.User.Subject)
		require.Equal(t, r.User.LoginNames[0], login.Name)
		require.Equal(t, r.User.LoginNames, login.User.LoginNames)
	}
	for _, name := range []string{"zoe", " zoë", "", "z"} {
		_, err := f.FindLogin(t.Context(), "default", name)
		require.Equal(t, identity.ErrNotFound, err, name)
	}
}

func slots(t *testing.T, f *fixture) {
	r := record("alice")
	r.User.LoginNames = append(r.User.LoginNames,
		identity.LoginName{Directory: "codes", Name: "1234", Slot: "pass_code"},
		identity.LoginName{Directory: "codes", Name: "5678", Slot: "nothing"})
	r.Credentials = append(r.Credentials, identity.RecordCredential{
		Credential: identity.Credential{Slot: "pass_code", Hash: "other", Scheme: "ossn", Salt: "s"},
	})
	f.saveRecords(t, r)
	for name, want := range map[[2]string]string{{"default", "alice"}: "hash of alice", {"codes", "1234"}: "other"} {
		login, err := f.FindLogin(t.Context(), name[0], name[1])
		require.NoError(t, err)
		require.Equal(t, want, login.Credential.Hash)
	}
	login, err := f.FindLogin(t.Context(), "codes", "5678")
	require.NoError(t, err)
	require.Nil(t, login.Credential)
}

func replaceHash(t *testing.T, f *fixture) {
	f.saveUser(t, "alice")
	login, err := f.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	fresh := *login.Credential
	fresh.Hash, fresh.Scheme, fresh.Salt = "better", "s", "t"
	won := 0
	for _, err := range parallel(50, func(int) error { return f.ReplaceHash(t.Context(), *login.Credential, fresh) }) {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
	}
	require.Equal(t, 1, won)
	again, err := f.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	require.Equal(t, &fresh, again.Credential)
	require.Equal(t, login.User.CredentialVersion, again.User.CredentialVersion)
}

func listUsers(t *testing.T, f *fixture) {
	for _, name := range []string{"alice", "ALICIA", "bob_100%", "carol!"} {
		f.saveUser(t, name)
	}
	var all []string
	for after := ""; ; {
		page, err := f.ListUsers(t.Context(), "", after, 3)
		require.NoError(t, err)
		if len(page) == 0 {
			break
		}
		for _, u := range page {
			require.Greater(t, u.Subject, after)
			after = u.Subject
			all = append(all, u.LoginNames[0].Name)
		}
	}
	require.ElementsMatch(t, []string{"alice", "ALICIA", "bob_100%", "carol!"}, all)
	// Subjects are random letters, and are searched too: what is looked for is long, or none of them.
	for match, want := range map[string]int{"alic": 2, "ALIC": 2, "_": 1, "%": 1, "!": 1, "example.COM": 4, "nobody": 0} {
		found, err := f.ListUsers(t.Context(), match, "", 10)
		require.NoError(t, err)
		require.Len(t, found, want, match)
	}
	login, err := f.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	found, err := f.ListUsers(t.Context(), login.User.Subject, "", 10)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]identity.User{login.User}, found))
}

func setStatus(t *testing.T, f *fixture) {
	subject := f.saveUser(t, "alice")
	f.issueGrant(t, "a", subject)
	f.issueGrant(t, "b", f.saveUser(t, "bob"))
	require.Equal(t, identity.ErrNotFound, f.SetStatus(t.Context(), "nobody", identity.StatusDisabled))
	f.clock.advance(time.Minute)
	require.NoError(t, f.SetStatus(t.Context(), subject, identity.StatusDisabled))
	got, err := f.FindToken(t.Context(), hash("a-access-0"))
	require.NoError(t, err)
	require.Equal(t, identity.StatusDisabled, got.UserStatus)
	require.Equal(t, noon().Add(time.Minute), got.Grant.RevokedAt)
	got, err = f.FindToken(t.Context(), hash("b-access-0"))
	require.NoError(t, err)
	require.True(t, got.Grant.RevokedAt.IsZero())
	require.NoError(t, f.SetStatus(t.Context(), subject, identity.StatusActive))
	got, err = f.FindToken(t.Context(), hash("a-access-0"))
	require.NoError(t, err)
	require.False(t, got.Grant.RevokedAt.IsZero(), "what was revoked stays so")
}
