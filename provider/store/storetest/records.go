package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

func recordChecks() []check {
	return []check{
		{"records saved twice change nothing the second time", saveTwice},
		{"each thing that differs makes a record updated", saveChanges},
		{"a credential whose source is the stored one keeps its hash", keepUpgradedHash},
		{"a bad record is reported and does not stop the others", saveConflicts},
		{"records of one batch see one another", saveWithinBatch},
		{"disabling by a record revokes the user's grants", saveDisabled},
		{"a status set since the last import stays until the record says another", saveStatus},
		{"two replicas that save the same records at once agree", saveOnReplicas},
	}
}

func changes(results []identity.SaveResult) map[identity.Change]int {
	n := map[identity.Change]int{}
	for _, r := range results {
		n[r.Change]++
	}
	return n
}

func saveTwice(t *testing.T, f *fixture) {
	var records []identity.Record
	for i := range 2345 { // more than a batch, and no round number
		r := record(fmt.Sprint("user", i))
		r.User.Claims = map[string]any{"given_name": "Ünï", "n": json.Number("12345678901234567890"), "<>": []any{"&"}}
		r.Accounts[0].Attributes = map[string]any{"i": json.Number(fmt.Sprint(i))}
		r.User.LoginNames = append(r.User.LoginNames, r.User.LoginNames[0], identity.LoginName{Directory: "crm", Name: fmt.Sprint(i)})
		records = append(records, r)
	}
	first := f.saveRecords(t, records...)
	require.Equal(t, map[identity.Change]int{identity.ChangeCreated: 2345}, changes(first))
	f.clock.advance(time.Minute)
	second := f.saveRecords(t, records...)
	require.Equal(t, map[identity.Change]int{identity.ChangeUnchanged: 2345}, changes(second))
	for i := range first {
		require.Equal(t, first[i].Subject, second[i].Subject)
	}
	u, err := f.FindUser(t.Context(), first[1234].Subject)
	require.NoError(t, err)
	require.Equal(t, "user1234", u.LoginNames[0].Name)
	require.Len(t, u.LoginNames, 2, "a repeated name counts once")
	require.Equal(t, noon(), u.UpdatedAt)
}

func saveChanges(t *testing.T, f *fixture) {
	base := func() identity.Record {
		r := record("alice")
		r.User.Claims = map[string]any{"a": "b"}
		r.Accounts[0].Attributes = map[string]any{"a": "b"}
		return r
	}
	for name, change := range map[string]func(r *identity.Record){
		"status":    func(r *identity.Record) { r.User.Status = identity.StatusUnverified },
		"e-mail":    func(r *identity.Record) { r.User.Email = "other@example.com" },
		"verified":  func(r *identity.Record) { r.User.EmailVerified = true },
		"claims":    func(r *identity.Record) { r.User.Claims["a"] = "c" },
		"no claims": func(r *identity.Record) { r.User.Claims = nil },
		"spelling":  func(r *identity.Record) { r.User.LoginNames[0].Name = "Alice" },
		"slot":      func(r *identity.Record) { r.User.LoginNames[0].Slot = "x" },
		"more names": func(r *identity.Record) {
			r.User.LoginNames = append(r.User.LoginNames, identity.LoginName{Directory: "b", Name: "a"})
		},
		"account id":    func(r *identity.Record) { r.Accounts[0].ID = "other" },
		"attributes":    func(r *identity.Record) { r.Accounts[0].Attributes = nil },
		"no account":    func(r *identity.Record) { r.Accounts = nil },
		"other account": func(r *identity.Record) { r.Accounts[0].System = "ossn" },
		"hash":          func(r *identity.Record) { r.Credentials[0].Source, r.Credentials[0].Hash = "other", "other" },
		"second secret": func(r *identity.Record) {
			r.Credentials = append(r.Credentials, r.Credentials[0])
			r.Credentials[1].Slot = "x"
		},
		"source dropped": func(r *identity.Record) { r.Credentials[0].Source = "" },
	} {
		subject := f.saveRecords(t, base())[0].Subject
		before, err := f.FindUser(t.Context(), subject)
		require.NoError(t, err)
		r := base()
		change(&r)
		res := f.saveRecords(t, r)[0]
		require.NoError(t, res.Err, name)
		require.Equal(t, identity.ChangeUpdated, res.Change, name)
		require.Equal(t, subject, res.Subject, name)
		require.Equal(t, identity.ChangeUnchanged, f.saveRecords(t, r)[0].Change, name)
		after, err := f.FindUser(t.Context(), subject)
		require.NoError(t, err)
		secret := name == "hash" || name == "second secret" || name == "source dropped"
		require.Equal(t, secret, after.CredentialVersion > before.CredentialVersion, name)
	}
}

func keepUpgradedHash(t *testing.T, f *fixture) {
	f.saveUser(t, "alice")
	login, err := f.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	better := *login.Credential
	better.Hash = "better"
	require.NoError(t, f.ReplaceHash(t.Context(), *login.Credential, better))
	require.Equal(t, identity.ChangeUnchanged, f.saveRecords(t, record("alice"))[0].Change)

	none := record("alice")
	none.Credentials = nil
	require.Equal(t, identity.ChangeUnchanged, f.saveRecords(t, none)[0].Change, "a record without any leaves what is there")
	login, err = f.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	require.Equal(t, "better", login.Credential.Hash)
}

func saveConflicts(t *testing.T, f *fixture) {
	alice := f.saveUser(t, "alice")
	edit := func(name string, change func(*identity.Record)) identity.Record {
		r := record(name)
		change(&r)
		return r
	}
	bad := []identity.Record{
		edit("n1", func(r *identity.Record) { r.User.LoginNames = nil }),
		edit("n2", func(r *identity.Record) {
			r.User.LoginNames = append(r.User.LoginNames, identity.LoginName{Directory: "default", Name: "ALICE"})
		}),
		edit("n3", func(r *identity.Record) { r.Accounts[0].ID = "id of alice" }),
		edit("n4", func(r *identity.Record) { r.Credentials[0].Password = "secret" }),
		edit("n5", func(r *identity.Record) { r.Credentials[0].Hash = "" }),
		edit("n6", func(r *identity.Record) { r.Credentials = append(r.Credentials, r.Credentials[0]) }),
		edit("n7", func(r *identity.Record) { r.Accounts = append(r.Accounts, identity.Account{System: "faveo", ID: "2"}) }),
		edit("n8", func(r *identity.Record) { r.Accounts[0].ID = "" }),
		edit("alice", func(r *identity.Record) { r.User.Subject = "somebody else" }),
		edit("n\x00", func(*identity.Record) {}),
		edit(string(make([]byte, 600)), func(*identity.Record) {}),
		edit("  ", func(*identity.Record) {}),
	}
	results := f.saveRecords(t, append(bad, record("bob"))...)
	for i := range bad {
		require.Error(t, results[i].Err, i)
		require.Empty(t, results[i].Change, i)
		require.NotContains(t, results[i].Err.Error(), "secret")
	}
	require.Equal(t, identity.ChangeCreated, results[len(bad)].Change)
	all, err := f.ListUsers(t.Context(), "", "", 100)
	require.NoError(t, err)
	require.Len(t, all, 2)
	login, err := f.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	require.Equal(t, alice, login.User.Subject)
}

func saveWithinBatch(t *testing.T, f *fixture) {
	renamed := record("alice")
	renamed.User.Email = "new@example.com"
	taker := record("carol")
	taker.User.LoginNames = append(taker.User.LoginNames, identity.LoginName{Directory: "default", Name: "bobby"})
	bob := record("bob")
	bob.User.LoginNames = append(bob.User.LoginNames, identity.LoginName{Directory: "default", Name: "bobby"})
	res := f.saveRecords(t, record("alice"), renamed, bob, taker, record("bob"), taker)
	require.Equal(t, identity.ChangeCreated, res[0].Change)
	require.Equal(t, identity.ChangeUpdated, res[1].Change)
	require.Equal(t, res[0].Subject, res[1].Subject)
	require.ErrorIs(t, res[3].Err, identity.ErrConflict, "the name is bob's")
	require.Equal(t, identity.ChangeUpdated, res[4].Change, "bob gives it up")
	require.Equal(t, identity.ChangeCreated, res[5].Change, "and carol has it")
	login, err := f.FindLogin(t.Context(), "default", "bobby")
	require.NoError(t, err)
	require.Equal(t, res[5].Subject, login.User.Subject)

	fixed := record("dave")
	fixed.User.Subject = "fixed-subject"
	require.Equal(t, "fixed-subject", f.saveRecords(t, fixed)[0].Subject)
	fixed.User.LoginNames[0].Name = "david"
	require.Equal(t, identity.SaveResult{Subject: "fixed-subject", Change: identity.ChangeUpdated}, f.saveRecords(t, fixed)[0])
	_, err = f.FindLogin(t.Context(), "default", "dave")
	require.Equal(t, identity.ErrNotFound, err)
}

func saveDisabled(t *testing.T, f *fixture) {
	subject := f.saveUser(t, "alice")
	f.issueGrant(t, "g", subject)
	same := record("alice")
	same.User.Status = ""
	require.Equal(t, identity.ChangeUnchanged, f.saveRecords(t, same)[0].Change)
	r := record("alice")
	r.User.Status = identity.StatusDisabled
	require.Equal(t, identity.ChangeUpdated, f.saveRecords(t, r)[0].Change)
	got, err := f.FindToken(t.Context(), hash("g-access-0"))
	require.NoError(t, err)
	require.False(t, got.Grant.RevokedAt.IsZero())
}

func saveStatus(t *testing.T, f *fixture) {
	save := func(status identity.Status) identity.Change {
		r := record("alice")
		r.User.Status = status
		return f.saveRecords(t, r)[0].Change
	}
	subject := f.saveUser(t, "alice")
	status := func() identity.Status {
		u, err := f.FindUser(t.Context(), subject)
		require.NoError(t, err)
		return u.Status
	}
	require.NoError(t, f.SetStatus(t.Context(), subject, identity.StatusDisabled))
	require.Equal(t, identity.ChangeUnchanged, save(identity.StatusActive))
	require.Equal(t, identity.StatusDisabled, status(), "the file said active before")
	require.Equal(t, identity.ChangeUnchanged, save(""))
	require.Equal(t, identity.StatusDisabled, status())

	require.Equal(t, identity.ChangeUpdated, save(identity.StatusUnverified))
	require.Equal(t, identity.StatusUnverified, status(), "the file says another")
	require.Equal(t, identity.ChangeUpdated, save(identity.StatusActive))
	require.Equal(t, identity.StatusActive, status())

	require.NoError(t, f.SetStatus(t.Context(), subject, identity.StatusDeleted))
	r := record("alice")
	r.User.Email = "other@example.com"
	require.Equal(t, identity.ChangeUpdated, f.saveRecords(t, r)[0].Change)
	require.Equal(t, identity.StatusDeleted, status(), "whatever else the file changes")
}

func saveOnReplicas(t *testing.T, f *fixture) {
	replicas := []*store.Store{f.Store, f.replica(t)}
	var records []identity.Record
	for i := range 300 {
		records = append(records, record(fmt.Sprint("user", i)))
	}
	for _, err := range parallel(4, func(i int) error {
		results, err := replicas[i%2].SaveRecords(t.Context(), records)
		for _, r := range results {
			if r.Err != nil {
				return r.Err
			}
		}
		return err
	}) {
		require.NoError(t, err)
	}
	all, err := f.ListUsers(t.Context(), "", "", 1000)
	require.NoError(t, err)
	require.Len(t, all, 300)
}
