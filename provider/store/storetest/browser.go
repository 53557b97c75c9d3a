package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func browserChecks() []check {
	return []check{
		{"every field of a code comes back with its grant", everyCodeField},
		{"of 50 that redeem one code one wins", redeemRace},
		{"a code is not redeemed when it expired, is another grant's or was revoked", redeemRefused},
		{"every field of an interaction comes back, until it expires", everyInteractionField},
		{"of 50 that end one interaction one wins", interactionRace},
		{"an issue ends its interaction, or does nothing", issueEndsInteraction},
		{"every field of a browser session comes back", everySessionField},
		{"a sign-in replaces the session and updates the interaction, or does nothing", sessionStart},
		{"sessions end one at a time, all at once, and with their user", sessionsEnd},
		{"no code made from a session outlives its sign-out everywhere", signOutRace},
		{"no code is made from a consent that was withdrawn", withdrawnConsent},
		{"two sign-ins of one session leave one", twoSignInsOfOneSession},
		{"a consent is remembered, added to, listed and revoked with its grants", consents},
		{"a sweep deletes what browsers left", sweepBrowsers},
	}
}

// person saves a user and returns the subject.
func (f *fixture) person(t *testing.T, name string) string {
	t.Helper()
	done, err := f.SaveRecords(t.Context(), []identity.Record{{
		User: identity.User{Status: identity.StatusActive, LoginNames: []identity.LoginName{{Directory: "default", Name: name}}},
	}})
	require.NoError(t, err)
	require.NoError(t, done[0].Err)
	return done[0].Subject
}

// issueCode stores a grant with a code of a minute, named after id.
func (f *fixture) issueCode(t *testing.T, id, subject string) provider.CodeRecord {
	t.Helper()
	now := f.clock.now()
	code := provider.CodeRecord{
		Hash: hash(id + "-code"), GrantID: id, RedirectURI: "https://app.example.com/?a='", Challenge: "c", IssuedAt: now, ExpiresAt: now.Add(time.Minute),
	}
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{
		GrantID: id, Code: &code,
		NewGrant: &provider.GrantRecord{ID: id, ClientID: "app", Subject: subject, Origin: "authorization_code", CreatedAt: now, ExpiresAt: now.Add(time.Minute)},
	}))
	return code
}

func redemption(id string, h provider.Hash) *provider.Issue {
	return &provider.Issue{GrantID: id, Redeem: &h, Extend: noon().Add(time.Hour)}
}

func everyCodeField(t *testing.T, f *fixture) {
	var want provider.StoredCode
	fill(t, &want.Code)
	fill(t, &want.Grant)
	want.Code.GrantID = want.Grant.ID
	want.Grant.Subject, want.UserStatus = f.person(t, "alice"), identity.StatusActive
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{GrantID: want.Grant.ID, NewGrant: &want.Grant, Code: &want.Code}))
	got, err := f.FindCode(t.Context(), want.Code.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want, got))
	_, err = f.FindCode(t.Context(), hash("nope"))
	require.Equal(t, identity.ErrNotFound, err)
}

func redeemRace(t *testing.T, f *fixture) {
	code := f.issueCode(t, "g", "")
	won := 0
	for _, err := range parallel(50, func(int) error { return f.Issue(t.Context(), redemption("g", code.Hash)) }) {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
	}
	require.Equal(t, 1, won)
	got, err := f.FindCode(t.Context(), code.Hash)
	require.NoError(t, err)
	require.True(t, got.Code.Used)
	require.Equal(t, noon().Add(time.Hour), got.Grant.ExpiresAt)
}

func redeemRefused(t *testing.T, f *fixture) {
	code := f.issueCode(t, "g", "alice")
	f.issueCode(t, "other", "alice")
	require.ErrorIs(t, f.Issue(t.Context(), redemption("other", code.Hash)), identity.ErrConflict)
	f.clock.advance(time.Minute)
	require.ErrorIs(t, f.Issue(t.Context(), redemption("g", code.Hash)), identity.ErrConflict)
	f.clock.advance(-time.Minute)
	_, err := f.Revoke(t.Context(), provider.RevokeQuery{Subject: "alice"})
	require.NoError(t, err)
	require.ErrorIs(t, f.Issue(t.Context(), redemption("g", code.Hash)), identity.ErrNotFound)
}

func (f *fixture) interaction(t *testing.T, name string) *provider.Interaction {
	t.Helper()
	i := &provider.Interaction{Hash: hash(name), Browser: hash("browser"), Query: "a=b", CreatedAt: f.clock.now(), ExpiresAt: f.clock.now().Add(time.Hour)}
	require.NoError(t, f.AddInteraction(t.Context(), i))
	return i
}

func everyInteractionField(t *testing.T, f *fixture) {
	var want provider.Interaction
	fill(t, &want)
	f.pushed(t, "pushed", "")
	want.ExpiresAt, want.EndedAt, want.Pushed = noon().Add(time.Hour), time.Time{}, hash("pushed")
	require.NoError(t, f.AddInteraction(t.Context(), &want))
	got, err := f.FindInteraction(t.Context(), want.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want, got))
	want.Subject, want.SignedIn, want.Decision, want.Chosen = "bob", noon(), "deny", "other"
	want.Device = hash("device")
	require.NoError(t, f.UpdateInteraction(t.Context(), &want))
	got, err = f.FindInteraction(t.Context(), want.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want, got))

	f.clock.advance(time.Hour)
	_, err = f.FindInteraction(t.Context(), want.Hash)
	require.Equal(t, identity.ErrNotFound, err)
	require.Equal(t, identity.ErrNotFound, f.UpdateInteraction(t.Context(), &want))
	require.Equal(t, identity.ErrNotFound, f.EndInteraction(t.Context(), want.Hash))
}

func interactionRace(t *testing.T, f *fixture) {
	i := f.interaction(t, "i")
	won := 0
	for _, err := range parallel(50, func(int) error { return f.EndInteraction(t.Context(), i.Hash) }) {
		if err == nil {
			won++
			continue
		}
		require.Equal(t, identity.ErrNotFound, err)
	}
	require.Equal(t, 1, won)
}

func issueEndsInteraction(t *testing.T, f *fixture) {
	subject := f.person(t, "alice")
	i := f.interaction(t, "i")
	issue := func(id string) error {
		return f.Issue(t.Context(), &provider.Issue{
			GrantID: id, NewGrant: &provider.GrantRecord{ID: id, ClientID: "app", Subject: subject, ExpiresAt: noon().Add(time.Hour)}, Interaction: &i.Hash,
			Code:    &provider.CodeRecord{Hash: hash(id), GrantID: id, ExpiresAt: noon().Add(time.Minute)},
			Consent: &provider.Consent{Subject: subject, ClientID: id, Scopes: []string{"openid"}, GivenAt: noon()},
		})
	}
	require.NoError(t, issue("one"))
	require.ErrorIs(t, issue("two"), identity.ErrConflict)
	_, err := f.FindCode(t.Context(), hash("two"))
	require.Equal(t, identity.ErrNotFound, err)
	_, err = f.FindConsent(t.Context(), subject, "two")
	require.Equal(t, identity.ErrNotFound, err)
	_, err = f.FindConsent(t.Context(), subject, "one")
	require.NoError(t, err)
}

func (f *fixture) browserSession(t *testing.T, name, subject string) provider.BrowserSession {
	t.Helper()
	now := f.clock.now()
	b := provider.BrowserSession{Hash: hash(name), ID: name, Subject: subject, AuthTime: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
	require.NoError(t, f.StartSession(t.Context(), &provider.SessionStart{Session: b, Event: identity.Event{Kind: "login"}}))
	return b
}

func everySessionField(t *testing.T, f *fixture) {
	var want provider.BrowserSession
	fill(t, &want)
	want.Subject, want.UserStatus = f.person(t, "alice"), identity.StatusActive
	require.NoError(t, f.StartSession(t.Context(), &provider.SessionStart{Session: want, Event: identity.Event{Kind: "login", Subject: want.Subject}}))
	got, err := f.FindSession(t.Context(), want.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want, got))
	all, err := f.ListSessions(t.Context(), want.Subject)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]provider.BrowserSession{want}, all))
	events, err := f.ListEvents(t.Context(), store.EventQuery{Subject: want.Subject, Kind: "login"})
	require.NoError(t, err)
	require.Len(t, events, 1)

	later := want.SeenAt.Add(time.Minute)
	require.NoError(t, f.TouchSession(t.Context(), want.Hash, later))
	require.NoError(t, f.TouchSession(t.Context(), want.Hash, want.SeenAt), "time does not go back")
	got, err = f.FindSession(t.Context(), want.Hash)
	require.NoError(t, err)
	require.Equal(t, later, got.SeenAt)
	_, err = f.FindSession(t.Context(), hash("nope"))
	require.Equal(t, identity.ErrNotFound, err)
}

func sessionStart(t *testing.T, f *fixture) {
	subject := f.person(t, "alice")
	old := f.browserSession(t, "old", subject)
	i := f.interaction(t, "i")
	fresh := old
	fresh.Hash = hash("fresh")
	i.Subject, i.SignedIn = subject, noon()
	start := &provider.SessionStart{Session: fresh, Replaces: old.Hash, Interaction: i, Event: identity.Event{Kind: "login"}}
	require.NoError(t, f.StartSession(t.Context(), start))
	_, err := f.FindSession(t.Context(), old.Hash)
	require.Equal(t, identity.ErrNotFound, err)
	got, err := f.FindInteraction(t.Context(), i.Hash)
	require.NoError(t, err)
	require.Equal(t, subject, got.Subject)

	require.NoError(t, f.EndInteraction(t.Context(), i.Hash))
	start.Session.Hash, start.Session.ID, start.Replaces = hash("third"), "third", fresh.Hash
	require.Equal(t, identity.ErrNotFound, f.StartSession(t.Context(), start))
	_, err = f.FindSession(t.Context(), fresh.Hash)
	require.NoError(t, err, "nothing was replaced")
}

func sessionsEnd(t *testing.T, f *fixture) {
	alice, bob := f.person(t, "alice"), f.person(t, "bob")
	live := func(subject string) int {
		all, err := f.ListSessions(t.Context(), subject)
		require.NoError(t, err)
		return len(all)
	}
	for _, name := range []string{"a1", "a2", "a3"} {
		f.browserSession(t, name, alice)
	}
	f.browserSession(t, "b1", bob)
	f.issueGrant(t, "g", alice)
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: bob, ID: "a1"}), "it is not bob's")
	require.Equal(t, 3, live(alice))
	event := &identity.Event{Kind: "logout", Subject: alice}
	for range 2 {
		require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, ID: "a1", Event: event}))
		require.Equal(t, 2, live(alice))
	}
	got, err := f.FindToken(t.Context(), hash("g-access-0"))
	require.NoError(t, err)
	require.Zero(t, got.Grant.RevokedAt)
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, Grants: true}))
	require.Zero(t, live(alice))
	got, err = f.FindToken(t.Context(), hash("g-access-0"))
	require.NoError(t, err)
	require.NotZero(t, got.Grant.RevokedAt)
	require.Error(t, f.endSessions(t.Context(), provider.SessionQuery{ID: "b1"}))

	require.Equal(t, 1, live(bob))
	require.NoError(t, f.SetStatus(t.Context(), bob, identity.StatusDisabled))
	require.Zero(t, live(bob))
	err = f.StartSession(t.Context(), &provider.SessionStart{Session: provider.BrowserSession{Subject: bob, ID: "b2", ExpiresAt: noon().Add(time.Hour)}})
	require.Equal(t, identity.ReasonDisabled, identity.ReasonOf(err))
	require.Zero(t, live(bob))
}

func consents(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	var want provider.Consent
	fill(t, &want)
	want.Subject = alice
	give := func(c provider.Consent) {
		f.issueGrant(t, "for-consent-"+c.ClientID+c.GivenAt.String(), "")
		require.NoError(t, f.Issue(t.Context(), &provider.Issue{GrantID: "for-consent-" + c.ClientID + c.GivenAt.String(), Consent: &c}))
	}
	give(want)
	before := want.Scopes
	want.Scopes, want.GivenAt = []string{"openid", before[0]}, want.GivenAt.Add(time.Minute)
	give(want)
	want.Scopes = append(before, "openid") // who allows less this time takes nothing back
	got, err := f.FindConsent(t.Context(), alice, want.ClientID)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&want, got))
	give(provider.Consent{Subject: alice, ClientID: "app", GivenAt: noon()})
	all, err := f.ListConsents(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "app", all[0].ClientID)

	f.issueGrant(t, "hers", alice)
	f.issueGrant(t, "his", "bob")
	for range 2 {
		require.NoError(t, f.RevokeConsent(t.Context(), alice, "app", &identity.Event{Kind: "consent_revoked"}))
	}
	_, err = f.FindConsent(t.Context(), alice, "app")
	require.Equal(t, identity.ErrNotFound, err)
	for id, ended := range map[string]bool{"hers": true, "his": false} {
		st, err := f.FindToken(t.Context(), hash(id+"-access-0"))
		require.NoError(t, err)
		require.Equal(t, ended, !st.Grant.RevokedAt.IsZero(), id)
	}
	require.NoError(t, f.SaveClient(t.Context(), &provider.Client{ID: want.ClientID}))
	require.NoError(t, f.DeleteClient(t.Context(), want.ClientID))
	all, err = f.ListConsents(t.Context(), alice)
	require.NoError(t, err)
	require.Empty(t, all)
}

func sweepBrowsers(t *testing.T, f *fixture) {
	f.issueCode(t, "g", "")
	f.interaction(t, "i")
	f.browserSession(t, "b", f.person(t, "alice"))
	n, err := f.Sweep(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
	f.clock.advance(2 * time.Hour)
	n, err = f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 3, n, "the grant, which takes its code along, the interaction and the session")
	_, err = f.FindCode(t.Context(), hash("g-code"))
	require.Equal(t, identity.ErrNotFound, err)
}
