package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
	"keyway/provider/store"
)

func linkChecks() []check {
	return []check{
		{"a federated person becomes one user, found by issuer and subject alone", provisionOnce},
		{"names in further directories come with a federated person, and stay", provisionNames},
		{"who changes their name at the upstream keeps the last that they had, and no endless number", formerNames},
		{"the same new person at many upstream sign-ins at once is one user", provisionRace},
		{"a name or an account of somebody else stops a federated sign-in, and nothing is changed", provisionCollides},
		{"a user who was linked keeps their own claims", linkedKeepsOwn},
		{"a password that was proved elsewhere comes with its user, and over none that is there", passwordComesOnce},
		{"every field of a link is kept", everyLinkField},
		{"what one connector's client was given is not for another to the same upstream", anotherConnectorsTokens},
		{"a person at an upstream is linked once, and unlinked by their own", linkOnce},
	}
}

func corp(subject, name string) *identity.Federated {
	return &identity.Federated{
		Connector: "corp", Issuer: "https://corp.example", Subject: subject, Email: name + "@corp.example", EmailVerified: true,
		LoginName: identity.LoginName{Directory: "default", Name: name + "@corp.example"}, Claims: map[string]any{"name": name},
		Accounts: []identity.Account{{System: "faveo", ID: "f-" + name, Attributes: map[string]any{"role": "user"}}},
		Roles:    []string{"staff"}, RefreshToken: []byte("upstream-refresh"),
	}
}

func provisionOnce(t *testing.T, f *fixture) {
	_, err := f.SaveFederated(t.Context(), corp("u1", "ann"), false)
	require.ErrorIs(t, err, identity.ErrNotFound)
	first, err := f.SaveFederated(t.Context(), corp("u1", "ann"), true)
	require.NoError(t, err)
	require.Equal(t, identity.ChangeCreated, first.Change)

	again := corp("u1", "ann")
	again.Claims, again.Email, again.RefreshToken = map[string]any{"name": "Ann B"}, "ann.b@corp.example", nil
	f.clock.advance(time.Hour)
	second, err := f.SaveFederated(t.Context(), again, false)
	require.NoError(t, err)
	require.Equal(t, first.Subject, second.Subject)
	require.Equal(t, identity.ChangeUpdated, second.Change)
	u, err := f.FindUser(t.Context(), first.Subject)
	require.NoError(t, err)
	require.Equal(t, "Ann B", u.Claims["name"])
	require.Equal(t, "ann.b@corp.example", u.Email)
	l, err := f.FindLink(t.Context(), "https://corp.example", "u1")
	require.NoError(t, err)
	require.Equal(t, []byte("upstream-refresh"), l.RefreshToken, "a sign-in without a refresh token leaves the stored one")
	require.Equal(t, f.clock.now(), l.SeenAt)

	// Subjects differ by case, and issuers differ.
	other := corp("U1", "bob")
	res, err := f.SaveFederated(t.Context(), other, true)
	require.NoError(t, err)
	require.NotEqual(t, first.Subject, res.Subject)
	elsewhere := corp("u1", "cid")
	elsewhere.Issuer = "https://other.example"
	res, err = f.SaveFederated(t.Context(), elsewhere, true)
	require.NoError(t, err)
	require.NotEqual(t, first.Subject, res.Subject)
}

func passwordComesOnce(t *testing.T, f *fixture) {
	hashOf := func(name string) string {
		l, err := f.FindLogin(t.Context(), "default", name+"@corp.example")
		require.NoError(t, err)
		if l.Credential == nil {
			return ""
		}
		require.Equal(t, []string{"ossn", "s", l.User.Subject}, []string{l.Credential.Scheme, l.Credential.Salt, l.Credential.Subject})
		return l.Credential.Hash
	}
	save := func(who *identity.Federated, hash string) {
		if hash != "" {
			who.Password = &identity.Credential{Hash: hash, Scheme: "ossn", Salt: "s"}
		}
		_, err := f.SaveFederated(t.Context(), who, true)
		require.NoError(t, err)
	}
	for _, step := range []struct{ name, hash, want string }{
		{"ann", "h1", "h1"}, {"ann", "", "h1"}, {"ann", "h2", "h1"}, // from the first time on
		{"bob", "", ""}, {"bob", "h3", "h3"}, {"bob", "h4", "h3"}, // who was there before
	} {
		save(corp(step.name, step.name), step.hash)
		require.Equal(t, step.want, hashOf(step.name), step)
	}
	taken := corp("u9", "ann")
	taken.Password = &identity.Credential{Hash: "h9"}
	_, err := f.SaveFederated(t.Context(), taken, true)
	require.ErrorIs(t, err, identity.ErrConflict)
	require.Equal(t, "h1", hashOf("ann"), "nobody gets in by a name that is somebody else's")
}

func provisionNames(t *testing.T, f *fixture) {
	first, err := f.SaveFederated(t.Context(), corp("u1", "ann"), true)
	require.NoError(t, err)
	named := func(name string) *identity.Federated {
		who := corp("u1", "ann")
		who.Names = []identity.LoginName{{Directory: "crm", Name: name, Slot: identity.SlotPassword}}
		return who
	}
	for _, name := range []string{"ann", "ann", "ann.b"} {
		res, err := f.SaveFederated(t.Context(), named(name), false)
		require.NoError(t, err)
		require.Equal(t, first.Subject, res.Subject)
	}
	for _, name := range []string{"ann", "ann.b"} {
		l, err := f.FindLogin(t.Context(), "crm", name)
		require.NoError(t, err)
		require.Equal(t, first.Subject, l.User.Subject)
		require.Equal(t, "ann@corp.example", l.User.Username("default"))
	}
	other := corp("u2", "bob")
	other.Names = named("ann").Names
	_, err = f.SaveFederated(t.Context(), other, true)
	require.ErrorIs(t, err, identity.ErrConflict)
	_, err = f.FindLogin(t.Context(), "default", "bob@corp.example")
	require.ErrorIs(t, err, identity.ErrNotFound, "nothing was made")
}

func provisionRace(t *testing.T, f *fixture) {
	replicas := []*store.Store{f.Store, f.replica(t)}
	subjects := make([]string, 50)
	for _, err := range parallel(50, func(i int) error {
		res, err := replicas[i%2].SaveFederated(t.Context(), corp("u1", "ann"), true)
		if err == nil {
			subjects[i] = res.Subject
		}
		return err
	}) {
		require.NoError(t, err)
	}
	for _, s := range subjects {
		require.Equal(t, subjects[0], s)
	}
}

func provisionCollides(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	for name, change := range map[string]func(*identity.Federated){
		"login name": func(x *identity.Federated) { x.LoginName.Name = "ALICE" },
		"account":    func(x *identity.Federated) { x.Accounts[0].ID = "f-bob" },
	} {
		_, err := f.SaveFederated(t.Context(), corp("bob", "bob"), true)
		require.NoError(t, err)
		x := corp("u1", "ann")
		change(x)
		_, err = f.SaveFederated(t.Context(), x, true)
		require.ErrorIs(t, err, identity.ErrConflict, name)
		_, err = f.FindLink(t.Context(), x.Issuer, "u1")
		require.ErrorIs(t, err, identity.ErrNotFound, name)
	}
	// The same e-mail address makes nobody the same person (CVE-2023-nOAuth).
	x := corp("u2", "mallory")
	x.Email = "alice@example.com"
	res, err := f.SaveFederated(t.Context(), x, true)
	require.NoError(t, err)
	require.NotEqual(t, alice, res.Subject)
}

func linkedKeepsOwn(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	before, err := f.FindUser(t.Context(), alice)
	require.NoError(t, err)
	require.NoError(t, f.AddLink(t.Context(), &identity.Link{
		Connector: "corp", Issuer: "https://corp.example", UpstreamSubject: "u1", Subject: alice, Origin: identity.LinkProved,
	}))
	res, err := f.SaveFederated(t.Context(), corp("u1", "ann"), true)
	require.NoError(t, err)
	require.Equal(t, alice, res.Subject)
	after, err := f.FindUser(t.Context(), alice)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(before, after))
	l, err := f.FindLink(t.Context(), "https://corp.example", "u1")
	require.NoError(t, err)
	require.Equal(t, []string{"staff"}, l.Roles)
}

func formerNames(t *testing.T, f *fixture) {
	named := func(i int) string { return fmt.Sprintf("ann%d", i) }
	for i := range 30 {
		_, err := f.SaveFederated(t.Context(), corp("u1", named(i)), true)
		require.NoError(t, err)
	}
	for i, theirs := range map[int]bool{29: true, 28: true, 9: true, 8: false, 0: false} {
		_, err := f.FindLogin(t.Context(), "default", named(i)+"@corp.example")
		require.Equal(t, theirs, err == nil, named(i))
	}
	back, err := f.SaveFederated(t.Context(), corp("u1", named(15)), true)
	require.NoError(t, err)
	u, err := f.FindUser(t.Context(), back.Subject)
	require.NoError(t, err)
	require.Len(t, u.LoginNames, 21)
	_, err = f.SaveFederated(t.Context(), corp("u2", named(0)), true)
	require.NoError(t, err, "it is free for somebody else")
}

func anotherConnectorsTokens(t *testing.T, f *fixture) {
	x := corp("u1", "ann")
	x.AccessToken, x.AccessExpires = []byte("corp's"), f.clock.now().Add(time.Hour)
	_, err := f.SaveFederated(t.Context(), x, true)
	require.NoError(t, err)
	x.RefreshToken, x.AccessToken = nil, nil
	_, err = f.SaveFederated(t.Context(), x, true)
	require.NoError(t, err)
	l, err := f.FindLink(t.Context(), x.Issuer, "u1")
	require.NoError(t, err)
	require.Equal(t, []string{"upstream-refresh", "corp's"}, []string{string(l.RefreshToken), string(l.AccessToken)}, "a sign-in without tokens leaves those that were kept")
	x.Connector = "partner"
	_, err = f.SaveFederated(t.Context(), x, true)
	require.NoError(t, err)
	l, err = f.FindLink(t.Context(), x.Issuer, "u1")
	require.NoError(t, err)
	require.Equal(t, "partner", l.Connector)
	require.Empty(t, l.RefreshToken, "the upstream would refuse it to another client, and the person would lose everything")
	require.Empty(t, l.AccessToken)
	require.Zero(t, l.AccessExpires)
}

func everyLinkField(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	var l identity.Link
	fill(t, &l)
	l.Subject = alice
	require.NoError(t, f.AddLink(t.Context(), &l))
	found, err := f.FindLink(t.Context(), l.Issuer, l.UpstreamSubject)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&l, found))
	all, err := f.ListLinks(t.Context(), alice)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]identity.Link{l}, all))
}

func linkOnce(t *testing.T, f *fixture) {
	alice, bob := f.person(t, "alice"), f.person(t, "bob")
	link := func(subject string) *identity.Link {
		return &identity.Link{Connector: "corp", Issuer: "https://corp.example", UpstreamSubject: "u1", Subject: subject, Origin: identity.LinkByAdmin}
	}
	won := 0
	for _, err := range parallel(50, func(i int) error { return f.AddLink(t.Context(), link([]string{alice, bob}[i%2])) }) {
		if err == nil {
			won++
			continue
		}
		require.True(t, errors.Is(err, identity.ErrConflict), "%v", err)
	}
	require.Equal(t, 1, won)
	l, err := f.FindLink(t.Context(), "https://corp.example", "u1")
	require.NoError(t, err)
	stranger := alice
	if l.Subject == alice {
		stranger = bob
	}
	gone := &identity.Unlinking{Issuer: l.Issuer, UpstreamSubject: "u1", Subject: stranger, Anyway: true}
	require.ErrorIs(t, f.RemoveLink(t.Context(), gone), identity.ErrNotFound)
	gone.Subject = l.Subject
	require.NoError(t, f.RemoveLink(t.Context(), gone))
	require.ErrorIs(t, f.RemoveLink(t.Context(), gone), identity.ErrNotFound)
	require.ErrorIs(t, f.AddLink(t.Context(), link("nobody")), identity.ErrNotFound)
}
