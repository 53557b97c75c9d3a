package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/logout"
	"keyway/provider/store"
)

func logoutChecks() []check {
	return []check{
		{"a session that ends takes its grants along, but for those with offline_access", grantsOfSession},
		{"each client of a session that ends gets one notice, if it wants any", noticesOfSession},
		{"a sign-out everywhere tells each client once, of all sessions", noticesOfEverywhere},
		{"a user who is disabled is signed out at every client", noticesOfDisabled},
		{"a session that another user's replaces has ended, one that goes on has not", replacedSessionEnds},
		{"what clients belong to a session is forgotten with it, and not before", sessionClientsExpire},
		{"a notice has one claimant at a time, of 50 at once", oneClaimant},
		{"a notice whose claimant died is claimed again, and the dead one's outcome is refused", claimExpires},
		{"a notice is postponed and ended with an event, once", noticeOutcomes},
		{"a changed password is stored once, ends the others, and keeps this session", passwordChanges},
	}
}

func (f *fixture) endSessions(ctx context.Context, q provider.SessionQuery) error {
	_, err := f.EndSessions(ctx, q)
	return err
}

// told makes clients of which the first wants notices, the second needs sessions in
// them, and the third wants none.
func (f *fixture) told(t *testing.T) {
	t.Helper()
	for _, c := range []*provider.Client{
		{ID: "any", BackchannelLogoutURI: "https://any.example/out"},
		{ID: "each", BackchannelLogoutURI: "https://each.example/out", BackchannelLogoutSession: true},
		{ID: "quiet"},
		{ID: "off", BackchannelLogoutURI: "https://off.example/out", Disabled: true},
	} {
		require.NoError(t, f.SaveClient(t.Context(), c))
	}
}

// comesTo stores a grant of a client that lives a day, made in a session.
func (f *fixture) comesTo(t *testing.T, client, subject, sid string, scopes ...string) string {
	t.Helper()
	id, now := strings.Join(append([]string{client, sid}, scopes...), "-"), f.clock.now()
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{
		GrantID: id, SID: sid, Tokens: f.tokens(id, "0"),
		NewGrant: &provider.GrantRecord{ID: id, ClientID: client, Subject: subject, Scopes: scopes, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour)},
	}))
	return id
}

func (f *fixture) live(t *testing.T, grant string) bool {
	t.Helper()
	got, err := f.FindToken(t.Context(), hash(grant+"-access-0"))
	require.NoError(t, err)
	return got.Grant.RevokedAt.IsZero()
}

// notices claims all that is due and returns it as texts.
func (f *fixture) notices(t *testing.T) []string {
	t.Helper()
	all, err := f.ClaimNotices(t.Context(), 100, f.clock.now().Add(time.Minute))
	require.NoError(t, err)
	texts := []string{}
	for _, n := range all {
		require.Equal(t, 1, n.Tries)
		require.Equal(t, f.clock.now(), n.CreatedAt)
		texts = append(texts, n.ClientID+" "+n.Subject+" "+n.SID)
	}
	slices.Sort(texts)
	return texts
}

func grantsOfSession(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	f.browserSession(t, "s1", alice)
	f.browserSession(t, "s2", alice)
	ends := f.comesTo(t, "app", alice, "s1", "openid", "profile")
	offline := f.comesTo(t, "app", alice, "s1", "openid", "offline_access")
	elsewhere := f.comesTo(t, "app", alice, "s2", "openid")
	nowhere := f.comesTo(t, "app", alice, "", "openid")
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, ID: "s1"}))
	require.False(t, f.live(t, ends))
	for _, id := range []string{offline, elsewhere, nowhere} {
		require.True(t, f.live(t, id), id)
	}
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice}))
	require.False(t, f.live(t, elsewhere))
	require.True(t, f.live(t, offline))
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, Grants: true}))
	require.False(t, f.live(t, offline))
	require.False(t, f.live(t, nowhere))
}

func noticesOfSession(t *testing.T, f *fixture) {
	f.told(t)
	alice := f.person(t, "alice")
	f.browserSession(t, "s1", alice)
	f.browserSession(t, "s2", alice)
	for _, client := range []string{"any", "each", "quiet", "off", "gone"} {
		f.comesTo(t, client, alice, "s1", "openid")
		f.comesTo(t, client, alice, "s1", "openid", "email") // a second time in the same session
	}
	f.comesTo(t, "any", alice, "s2", "openid")
	require.Empty(t, f.notices(t))
	left, err := f.EndSessions(t.Context(), provider.SessionQuery{Subject: alice, ID: "s1"})
	require.NoError(t, err)
	slices.SortFunc(left, func(a, b provider.SessionClient) int { return strings.Compare(a.ClientID, b.ClientID) })
	want := []provider.SessionClient{}
	for _, client := range []string{"any", "each", "gone", "off", "quiet"} {
		want = append(want, provider.SessionClient{SID: "s1", ClientID: client, Subject: alice})
	}
	require.Empty(t, cmp.Diff(want, left))
	require.Equal(t, []string{"any " + alice + " s1", "each " + alice + " s1"}, f.notices(t))
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, ID: "s1"}), "it has ended")
	require.Empty(t, f.notices(t))
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice}))
	require.Equal(t, []string{"any " + alice + " s2"}, f.notices(t))
}

func noticesOfEverywhere(t *testing.T, f *fixture) {
	f.told(t)
	alice, bob := f.person(t, "alice"), f.person(t, "bob")
	for _, sid := range []string{"s1", "s2"} {
		f.browserSession(t, sid, alice)
		f.comesTo(t, "any", alice, sid, "openid")
		f.comesTo(t, "each", alice, sid, "openid")
	}
	f.browserSession(t, "b1", bob)
	f.comesTo(t, "any", bob, "b1", "openid")
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, Grants: true}))
	require.Equal(t, []string{"any " + alice + " ", "each " + alice + " s1", "each " + alice + " s2"}, f.notices(t))

	f.comesTo(t, "any", alice, "", "offline_access") // of no session that is known
	f.comesTo(t, "each", alice, "", "offline_access")
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, Grants: true}))
	require.Equal(t, []string{"any " + alice + " "}, f.notices(t))
}

func noticesOfDisabled(t *testing.T, f *fixture) {
	f.told(t)
	for _, status := range []identity.Status{identity.StatusDisabled, identity.StatusDeleted} {
		subject := f.person(t, string(status))
		f.browserSession(t, string(status), subject)
		grant := f.comesTo(t, "each", subject, string(status), "openid", "offline_access")
		require.NoError(t, f.replica(t).SetStatus(t.Context(), subject, status), "by another process")
		require.Equal(t, []string{"each " + subject + " " + string(status)}, f.notices(t))
		require.False(t, f.live(t, grant))
		_, err := f.FindSession(t.Context(), hash(string(status)))
		require.ErrorIs(t, err, identity.ErrNotFound)
	}
	subject := f.person(t, "imported")
	f.browserSession(t, "imported", subject)
	f.comesTo(t, "any", subject, "imported", "openid")
	_, err := f.SaveRecords(t.Context(), []identity.Record{{
		User: identity.User{Status: identity.StatusDisabled, LoginNames: []identity.LoginName{{Directory: "default", Name: "imported"}}},
	}})
	require.NoError(t, err)
	require.Equal(t, []string{"any " + subject + " "}, f.notices(t))
}

func replacedSessionEnds(t *testing.T, f *fixture) {
	f.told(t)
	alice, bob := f.person(t, "alice"), f.person(t, "bob")
	f.browserSession(t, "s1", alice)
	grant := f.comesTo(t, "any", alice, "s1", "openid")
	again := &provider.SessionStart{
		Replaces: hash("s1"),
		Session:  provider.BrowserSession{Hash: hash("again"), ID: "s1", Subject: alice, ExpiresAt: noon().Add(3 * time.Hour)},
	}
	require.NoError(t, f.StartSession(t.Context(), again))
	require.True(t, f.live(t, grant))
	require.Empty(t, f.notices(t))
	f.clock.advance(2 * time.Hour) // beyond the end that the session had at first
	_, err := f.Sweep(t.Context())
	require.NoError(t, err)
	taken := &provider.SessionStart{
		Replaces: hash("again"),
		Session:  provider.BrowserSession{Hash: hash("bob"), ID: "b1", Subject: bob, ExpiresAt: noon().Add(9 * time.Hour)},
	}
	require.NoError(t, f.StartSession(t.Context(), taken))
	require.Equal(t, []string{"any " + alice + " s1"}, f.notices(t))
}

func sessionClientsExpire(t *testing.T, f *fixture) {
	f.told(t)
	alice := f.person(t, "alice")
	f.browserSession(t, "s1", alice)
	f.comesTo(t, "any", alice, "s1", "openid")
	f.clock.advance(59 * time.Minute)
	_, err := f.Sweep(t.Context())
	require.NoError(t, err)
	f.browserSession(t, "s2", alice)
	f.comesTo(t, "each", alice, "s2", "openid")
	f.clock.advance(time.Minute)
	n, err := f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, n, "the session and its client")
	left, err := f.EndSessions(t.Context(), provider.SessionQuery{Subject: alice})
	require.NoError(t, err)
	require.Equal(t, []provider.SessionClient{{SID: "s2", ClientID: "each", Subject: alice}}, left)
}

// queued queues n notices.
func (f *fixture) queued(t *testing.T, n int) {
	t.Helper()
	f.told(t)
	alice := f.person(t, "alice")
	for i := range n {
		sid := fmt.Sprint("s", i)
		f.browserSession(t, sid, alice)
		f.comesTo(t, "any", alice, sid, "openid")
	}
	require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice}))
}

func oneClaimant(t *testing.T, f *fixture) {
	f.queued(t, 20)
	stores := []*store.Store{f.Store, f.replica(t)}
	got := make([][]logout.Notice, 50)
	for _, err := range parallel(len(got), func(i int) (err error) {
		got[i], err = stores[i%2].ClaimNotices(t.Context(), 3, noon().Add(time.Minute))
		return err
	}) {
		require.NoError(t, err)
	}
	seen := map[string]int{}
	for _, all := range got {
		require.LessOrEqual(t, len(all), 3)
		for _, n := range all {
			seen[n.SID]++
		}
	}
	for sid, n := range seen {
		require.Equal(t, 1, n, sid)
	}
	rest, err := f.ClaimNotices(t.Context(), 100, noon().Add(time.Minute))
	require.NoError(t, err)
	require.Equal(t, 20, len(seen)+len(rest))
}

func claimExpires(t *testing.T, f *fixture) {
	f.queued(t, 1)
	claim := func() []logout.Notice {
		all, err := f.ClaimNotices(t.Context(), 10, f.clock.now().Add(time.Minute))
		require.NoError(t, err)
		return all
	}
	dead := claim()
	require.Len(t, dead, 1)
	f.clock.advance(time.Minute - time.Millisecond)
	require.Empty(t, claim())
	f.clock.advance(time.Millisecond)
	again := claim()
	require.Len(t, again, 1)
	require.Equal(t, 2, again[0].Tries)
	require.NoError(t, f.EndNotice(t.Context(), &dead[0], &identity.Event{Kind: "dead"}))
	require.NoError(t, f.PostponeNotice(t.Context(), &dead[0], noon()))
	require.Empty(t, claim(), "it is the other's")
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "dead"})
	require.NoError(t, err)
	require.Empty(t, events)
}

func noticeOutcomes(t *testing.T, f *fixture) {
	f.queued(t, 1)
	n, err := f.ClaimNotices(t.Context(), 10, f.clock.now().Add(time.Minute))
	require.NoError(t, err)
	require.NoError(t, f.PostponeNotice(t.Context(), &n[0], f.clock.now().Add(10*time.Second)))
	require.Empty(t, f.again(t))
	f.clock.advance(10 * time.Second)
	n = f.again(t)
	require.Len(t, n, 1)
	require.Equal(t, 2, n[0].Tries)
	for range 2 {
		require.NoError(t, f.EndNotice(t.Context(), &n[0], &identity.Event{Kind: "told", ClientID: "any"}))
	}
	f.clock.advance(time.Hour)
	require.Empty(t, f.again(t))
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "told"})
	require.NoError(t, err)
	require.Len(t, events, 1)
}

func (f *fixture) again(t *testing.T) []logout.Notice {
	t.Helper()
	all, err := f.ClaimNotices(t.Context(), 10, f.clock.now().Add(time.Minute))
	require.NoError(t, err)
	return all
}

func passwordChanges(t *testing.T, f *fixture) {
	f.told(t)
	alice := f.saveUser(t, "alice")
	login, err := f.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	for _, sid := range []string{"here", "there"} {
		f.browserSession(t, sid, alice)
		f.comesTo(t, "any", alice, sid, "openid")
	}
	offline := f.comesTo(t, "each", alice, "there", "offline_access")
	legacy := f.comesTo(t, "legacy", alice, "", "openid")
	change := func(hash string) *identity.PasswordChange {
		fresh := *login.Credential
		fresh.Hash, fresh.Scheme, fresh.Salt = hash, "", ""
		return &identity.PasswordChange{Old: *login.Credential, New: fresh, EndOthers: true, Keep: "here", Event: identity.Event{Kind: "password_changed", Subject: alice}}
	}
	won := 0
	for _, err := range parallel(50, func(i int) error { return f.ChangePassword(t.Context(), change(fmt.Sprint("$argon2id$", i))) }) {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
	}
	require.Equal(t, 1, won)
	after, err := f.FindLogin(t.Context(), "default", "alice")
	require.NoError(t, err)
	require.Equal(t, login.User.CredentialVersion+1, after.User.CredentialVersion)
	require.True(t, strings.HasPrefix(after.Credential.Hash, "$argon2id$"))
	require.True(t, f.live(t, "any-here-openid"))
	for _, id := range []string{"any-there-openid", offline, legacy} {
		require.False(t, f.live(t, id), id)
	}
	require.Equal(t, []string{"any " + alice + " there", "each " + alice + " there"}, f.notices(t))
	sessions, err := f.ListSessions(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, sessions, 1)
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "password_changed"})
	require.NoError(t, err)
	require.Len(t, events, 1)
}
