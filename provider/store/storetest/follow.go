package storetest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/upstream"
)

func followChecks() []check {
	return []check{
		{"of 50 that ask about one person at once one may, and the others after its claim", claimRace},
		{"a claim that is over, or that a sign-in came before, keeps nothing", claimIsLost},
		{"whom an upstream goes on vouching for is brought up to date with their tokens", keepsFollowed},
		{"an upstream that gave no answer leaves its refresh token, and is asked later", releasedClaim},
		{"whom an upstream refuses loses what came by it, and clients are told", refusalEnds},
		{"a user who was made for an upstream and has no password here loses everything with it", refusalOfMade},
		{"an upstream ends its session or its person here, once", upstreamEnds},
		{"of 50 that bring one logout one is obeyed", upstreamEndsOnce},
	}
}

// federated makes a user for u1 at the upstream, and returns the subject.
func (f *fixture) federated(t *testing.T) string {
	t.Helper()
	res, err := f.SaveFederated(t.Context(), corp("u1", "ann"), true)
	require.NoError(t, err)
	return res.Subject
}

// claim is one that is due after five minutes.
func (f *fixture) claim(id string) *federation.Claim {
	now := f.clock.now()
	return &federation.Claim{ID: id, Issuer: "https://corp.example", Subject: "u1", Until: now.Add(30 * time.Second), Seen: now.Add(-5 * time.Minute)}
}

// claimed advances the clock until the link may be claimed, and claims it.
func (f *fixture) claimed(t *testing.T, id string) *federation.Claim {
	t.Helper()
	f.clock.advance(5 * time.Minute)
	c := f.claim(id)
	_, err := f.ClaimLink(t.Context(), c)
	require.NoError(t, err)
	return c
}

func claimRace(t *testing.T, f *fixture) {
	f.federated(t)
	_, err := f.ClaimLink(t.Context(), f.claim("early"))
	require.ErrorIs(t, err, identity.ErrConflict, "the upstream vouched for them a moment ago")
	f.clock.advance(5 * time.Minute)
	replicas := []*store.Store{f.Store, f.replica(t)}
	var winner atomic.Value
	for _, err := range parallel(50, func(i int) error {
		l, err := replicas[i%2].ClaimLink(t.Context(), f.claim(fmt.Sprint(i)))
		if err == nil && winner.CompareAndSwap(nil, fmt.Sprint(i)) && string(l.RefreshToken) == "upstream-refresh" && l.AskedBy == fmt.Sprint(i) {
			return nil
		}
		if err == nil {
			return fmt.Errorf("a second claim of the same link, or another link: %v", l)
		}
		return err
	}) {
		if err != nil {
			require.ErrorIs(t, err, identity.ErrConflict)
		}
	}
	require.NotNil(t, winner.Load())
	f.clock.advance(30 * time.Second)
	_, err = f.ClaimLink(t.Context(), f.claim("next"))
	require.NoError(t, err, "whoever had it may have died")
	unknown := f.claim("x")
	unknown.Subject = "u2"
	_, err = f.ClaimLink(t.Context(), unknown)
	require.ErrorIs(t, err, identity.ErrNotFound)
}

func claimIsLost(t *testing.T, f *fixture) {
	f.federated(t)
	all := func(c *federation.Claim) []error {
		return []error{
			f.KeepFollowed(t.Context(), &federation.Followed{Claim: c, Person: corp("u1", "changed")}),
			f.ReleaseLink(t.Context(), c, []byte("rotated"), time.Time{}),
			f.EndFollowed(t.Context(), &federation.Refusal{Claim: c, Connector: "corp", Subject: "nobody"}),
		}
	}
	over := f.claimed(t, "first")
	f.clock.advance(time.Minute)
	_, err := f.ClaimLink(t.Context(), f.claim("second"))
	require.NoError(t, err)
	for _, err := range all(over) {
		require.ErrorIs(t, err, identity.ErrNotFound)
	}
	second := f.claim("second")
	again := corp("u1", "ann")
	again.RefreshToken = []byte("of-a-sign-in")
	_, err = f.SaveFederated(t.Context(), again, false)
	require.NoError(t, err)
	for _, err := range all(second) {
		require.ErrorIs(t, err, identity.ErrNotFound)
	}
	l, err := f.FindLink(t.Context(), "https://corp.example", "u1")
	require.NoError(t, err)
	require.Equal(t, "of-a-sign-in", string(l.RefreshToken))
	require.Zero(t, l.AskAt)

	// A sign-in without a refresh token leaves the old one, and so the claim on it.
	third := f.claimed(t, "third")
	again.RefreshToken = nil
	_, err = f.SaveFederated(t.Context(), again, false)
	require.NoError(t, err)
	require.NoError(t, f.ReleaseLink(t.Context(), third, []byte("rotated"), time.Time{}))
}

func keepsFollowed(t *testing.T, f *fixture) {
	subject := f.federated(t)
	c := f.claimed(t, "c")
	next := corp("u1", "ann")
	next.Claims, next.Roles, next.RefreshToken = map[string]any{"name": "Ann B"}, []string{"boss"}, []byte("r2")
	next.AccessToken, next.AccessExpires = []byte("a2"), f.clock.now().Add(time.Hour)
	require.NoError(t, f.KeepFollowed(t.Context(), &federation.Followed{Claim: c, Person: next}))
	u, err := f.FindUser(t.Context(), subject)
	require.NoError(t, err)
	require.Equal(t, "Ann B", u.Claims["name"])
	want := identity.Link{
		Connector: "corp", Issuer: "https://corp.example", UpstreamSubject: "u1", Subject: subject, Origin: identity.LinkCreated,
		Roles: []string{"boss"}, RefreshToken: []byte("r2"), AccessToken: []byte("a2"), AccessExpires: next.AccessExpires,
		LinkedAt: noon(), SeenAt: f.clock.now(),
	}
	l, err := f.FindLink(t.Context(), "https://corp.example", "u1")
	require.NoError(t, err)
	require.Equal(t, want, *l)

	c = f.claimed(t, "d")
	silent := &identity.Federated{Connector: "corp", Issuer: c.Issuer, Subject: c.Subject, Roles: l.Roles, RefreshToken: []byte("r3")}
	require.NoError(t, f.KeepFollowed(t.Context(), &federation.Followed{Claim: c, Person: silent, Silent: true}))
	u, err = f.FindUser(t.Context(), subject)
	require.NoError(t, err)
	require.Equal(t, "Ann B", u.Claims["name"], "who is only vouched for stays as they are")

	f.person(t, "taken")
	c = f.claimed(t, "e")
	next.LoginName.Name, next.RefreshToken = "taken", []byte("r4")
	require.ErrorIs(t, f.KeepFollowed(t.Context(), &federation.Followed{Claim: c, Person: next}), identity.ErrConflict)
	l, err = f.FindLink(t.Context(), "https://corp.example", "u1")
	require.NoError(t, err)
	require.Equal(t, []string{"r3", "e"}, []string{string(l.RefreshToken), l.AskedBy}, "nothing is changed")
}

func releasedClaim(t *testing.T, f *fixture) {
	f.federated(t)
	c := f.claimed(t, "c")
	later := f.clock.now().Add(10 * time.Second)
	require.NoError(t, f.ReleaseLink(t.Context(), c, []byte("rotated"), later))
	_, err := f.ClaimLink(t.Context(), f.claim("d"))
	require.ErrorIs(t, err, identity.ErrConflict)
	f.clock.advance(10 * time.Second)
	l, err := f.ClaimLink(t.Context(), f.claim("d"))
	require.NoError(t, err)
	require.Equal(t, "rotated", string(l.RefreshToken))
	require.NoError(t, f.ReleaseLink(t.Context(), f.claim("d"), nil, time.Time{}))
	l, err = f.FindLink(t.Context(), c.Issuer, c.Subject)
	require.NoError(t, err)
	require.Equal(t, "rotated", string(l.RefreshToken))
}

// cameBy makes a session and grants of a subject that came by a connector.
func (f *fixture) cameBy(t *testing.T, subject, connector string) []string {
	t.Helper()
	now, sid := f.clock.now(), "sid-"+connector
	require.NoError(t, f.StartSession(t.Context(), &provider.SessionStart{Session: provider.BrowserSession{
		Hash: hash(sid), ID: sid, Subject: subject, Connector: connector, ExpiresAt: now.Add(time.Hour), CreatedAt: now, SeenAt: now,
		Upstream: identity.Vouching{Issuer: "https://corp.example", Subject: "u-" + subject, SID: "up-" + connector},
	}}))
	var ids []string
	for _, x := range []struct{ sid, scope string }{{sid, "openid"}, {sid, "offline_access"}, {"", "device"}} {
		id := "g-" + connector + "-" + x.scope
		require.NoError(t, f.Issue(t.Context(), &provider.Issue{
			GrantID: id, SID: x.sid, Tokens: f.tokens(id, "0"), NewGrant: &provider.GrantRecord{
				ID: id, ClientID: "any", Subject: subject, Connector: connector, Scopes: []string{x.scope}, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
			},
		}))
		ids = append(ids, id)
	}
	return ids
}

func refusalEnds(t *testing.T, f *fixture) {
	f.told(t)
	alice := f.person(t, "alice")
	require.NoError(t, f.AddLink(t.Context(), &identity.Link{
		Connector: "corp", Issuer: "https://corp.example", UpstreamSubject: "u1", Subject: alice, Origin: identity.LinkProved,
		RefreshToken: []byte("r"), AccessToken: []byte("a"), SeenAt: f.clock.now(), LinkedAt: f.clock.now(),
	}))
	c := f.claimed(t, "c")
	gone, stays := f.cameBy(t, alice, "corp"), append(f.cameBy(t, alice, "other"), f.cameBy(t, alice, "")...)
	require.NoError(t, f.EndFollowed(t.Context(), &federation.Refusal{
		Claim: c, Connector: "corp", Subject: alice, Event: identity.Event{Kind: "upstream_ended", Subject: alice, Connector: "corp"},
	}))
	for _, id := range gone {
		require.False(t, f.live(t, id), id)
	}
	for _, id := range stays {
		require.True(t, f.live(t, id), id)
	}
	_, err := f.FindSession(t.Context(), hash("sid-corp"))
	require.ErrorIs(t, err, identity.ErrNotFound)
	require.Equal(t, []string{"any " + alice + " sid-corp"}, f.notices(t))
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "upstream_ended"})
	require.NoError(t, err)
	require.Len(t, events, 1)
	l, err := f.FindLink(t.Context(), c.Issuer, c.Subject)
	require.NoError(t, err)
	require.Nil(t, l.RefreshToken)
	require.Nil(t, l.AccessToken)
	require.Equal(t, f.clock.now(), l.RefusedAt)
	f.clock.advance(time.Hour)
	_, err = f.ClaimLink(t.Context(), f.claim("again"))
	require.ErrorIs(t, err, identity.ErrConflict, "nobody asks about who was refused")
	_, err = f.SaveFederated(t.Context(), corp("u1", "ann"), false)
	require.NoError(t, err)
	l, err = f.FindLink(t.Context(), c.Issuer, c.Subject)
	require.NoError(t, err)
	require.Zero(t, l.RefusedAt, "until they sign in there again")
}

func refusalOfMade(t *testing.T, f *fixture) {
	subject := f.federated(t)
	c := f.claimed(t, "c")
	gone, stays := append(f.cameBy(t, subject, "corp"), f.cameBy(t, subject, "")...), f.cameBy(t, subject, "other")
	require.NoError(t, f.EndFollowed(t.Context(), &federation.Refusal{Claim: c, Connector: "corp", Subject: subject, Made: true}))
	for _, id := range gone {
		require.False(t, f.live(t, id), id)
	}
	for _, id := range stays {
		require.True(t, f.live(t, id), id)
	}

	_, err := f.SaveFederated(t.Context(), corp("u1", "ann"), false)
	require.NoError(t, err)
	results, err := f.SaveRecords(t.Context(), []identity.Record{{
		User:        identity.User{Subject: subject, Email: "ann@corp.example", LoginNames: []identity.LoginName{{Directory: "default", Name: "ann@corp.example", Slot: identity.SlotPassword}}},
		Credentials: []identity.RecordCredential{{Credential: identity.Credential{Slot: identity.SlotPassword, Hash: "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}}},
	}})
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	f.issueGrant(t, "by-own-password", subject)
	require.NoError(t, f.EndFollowed(t.Context(), &federation.Refusal{Claim: f.claimed(t, "d"), Connector: "corp", Subject: subject, Made: true}))
	require.True(t, f.live(t, "by-own-password"), "who has a password here does not depend on the upstream")
}

func upstreamEnds(t *testing.T, f *fixture) {
	f.told(t)
	alice, bob := f.person(t, "alice"), f.person(t, "bob")
	grants := f.cameBy(t, alice, "corp")
	f.cameBy(t, bob, "other")
	there := func(connector string) bool {
		_, err := f.FindSession(t.Context(), hash("sid-"+connector))
		return err == nil
	}
	n := 0
	logout := func(issuer, subject, sid string) int {
		n++
		ended, err := f.EndUpstream(t.Context(), &upstream.Logout{
			Issuer: issuer, Subject: subject, SID: sid, ID: fmt.Sprint(n), Expires: f.clock.now().Add(time.Hour),
		}, identity.Event{Kind: "upstream_logout", Connector: "corp"})
		require.NoError(t, err)
		return ended
	}
	require.Zero(t, logout("https://evil.example", "", "up-corp"))
	require.Zero(t, logout("https://corp.example", "", "up-unknown"))
	require.Zero(t, logout("https://corp.example", "u-"+bob, "up-corp"), "a session of somebody else")
	require.Zero(t, logout("https://corp.example", "u-unknown", ""))
	require.True(t, there("corp"))
	require.Equal(t, 1, logout("https://corp.example", "u-"+alice, "up-corp"))
	require.False(t, there("corp"))
	require.Equal(t, []bool{false, true, true}, []bool{f.live(t, grants[0]), f.live(t, grants[1]), f.live(t, grants[2])}, "as at our own logout")
	require.Equal(t, []string{"any " + alice + " sid-corp"}, f.notices(t))
	require.True(t, there("other"))
	require.Equal(t, 1, logout("https://corp.example", "u-"+bob, ""))
	require.False(t, there("other"))
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "upstream_logout"})
	require.NoError(t, err)
	require.Equal(t, []string{alice, bob}, []string{events[0].Subject, events[1].Subject})
}

func upstreamEndsOnce(t *testing.T, f *fixture) {
	f.cameBy(t, f.person(t, "alice"), "corp")
	replicas := []*store.Store{f.Store, f.replica(t)}
	l := &upstream.Logout{Issuer: "https://corp.example", SID: "up-corp", ID: "j", Expires: f.clock.now().Add(time.Hour)}
	obeyed := 0
	for _, err := range parallel(50, func(i int) error {
		_, err := replicas[i%2].EndUpstream(t.Context(), l, identity.Event{Kind: "upstream_logout"})
		return err
	}) {
		if err == nil {
			obeyed++
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
	}
	require.Equal(t, 1, obeyed)
}
