package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func unlinkChecks() []check {
	return []check{
		{"what came by a connector ends when it is unlinked, and nothing else", unlinkEnds},
		{"the last way in is not unlinked, unless an administrator does", lastWayStays},
		{"of two last links, unlinked at once, one stays", lastWayRace},
	}
}

// linked links subject at a connector, under its name there.
func (f *fixture) linked(t *testing.T, subject, connector string) *identity.Unlinking {
	t.Helper()
	l := &identity.Link{Connector: connector, Issuer: "https://" + connector + ".example", UpstreamSubject: "u-" + subject, Subject: subject, Origin: identity.LinkProved}
	require.NoError(t, f.AddLink(t.Context(), l))
	return &identity.Unlinking{Issuer: l.Issuer, UpstreamSubject: l.UpstreamSubject, Subject: subject}
}

// grantBy stores a grant that came by a connector, "" for none.
func (f *fixture) grantBy(t *testing.T, id, subject, connector, sid string) {
	t.Helper()
	stored, err := (&provider.Session{ClientID: "any", Connector: connector}).Encode()
	require.NoError(t, err)
	now := f.clock.now()
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{
		GrantID: id, SID: sid, Tokens: f.tokens(id, "0"), NewGrant: &provider.GrantRecord{
			ID: id, ClientID: "any", Subject: subject, Scopes: []string{"offline_access"}, Session: stored, Connector: connector, CreatedAt: now, ExpiresAt: now.Add(24 * time.Hour),
		},
	}))
}

func unlinkEnds(t *testing.T, f *fixture) {
	f.told(t)
	alice := f.saveUser(t, "alice")
	gone := f.linked(t, alice, "corp")
	stays := f.linked(t, alice, "other")
	for _, connector := range []string{"corp", "other", ""} {
		b := f.browserSession(t, "session-"+connector, alice)
		b.Connector = connector
		require.NoError(t, f.StartSession(t.Context(), &provider.SessionStart{Session: b, Replaces: b.Hash, Event: identity.Event{Kind: "login"}}))
		f.grantBy(t, "offline-"+connector, alice, connector, "")
	}
	f.grantBy(t, "within-corp", alice, "corp", "session-corp")
	require.NoError(t, f.child(t, "child", "offline-corp", "any", alice))
	gone.Event = &identity.Event{Kind: "anything", Subject: alice, RequestID: "r1"}
	require.NoError(t, f.RemoveLink(t.Context(), gone))

	for name, lives := range map[string]bool{"corp": false, "other": true, "": true} {
		_, err := f.FindSession(t.Context(), hash("session-"+name))
		require.Equal(t, !lives, errors.Is(err, identity.ErrNotFound), name)
		require.Equal(t, lives, f.live(t, "offline-"+name), name)
	}
	require.False(t, f.live(t, "within-corp"))
	require.True(t, f.revoked(t, "child"), "what was made of it")
	require.Len(t, f.notices(t), 1)
	links, err := f.ListLinks(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, links, 1)
	require.Equal(t, stays.Issuer, links[0].Issuer)
	events, err := f.ListEvents(t.Context(), store.EventQuery{Subject: alice, Kind: "user_unlinked"})
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, []string{"corp", "r1"}, []string{events[0].Connector, events[0].RequestID})
}

func lastWayStays(t *testing.T, f *fixture) {
	alice, zoe := f.saveUser(t, "alice"), f.person(t, "zoe")
	for name, c := range map[string]struct {
		subject string
		others  []string
		more    string
		anyway  bool
		want    error
	}{
		"a password is another way":                 {subject: alice},
		"a link of another connector is":            {subject: zoe, others: []string{"corp", "other"}, more: "other"},
		"a link of a connector that is gone is not": {subject: zoe, others: []string{"corp"}, more: "gone", want: identity.ErrLastWay},
		"without either it stays":                   {subject: zoe, others: []string{"corp", "other"}, want: identity.ErrLastWay},
		"an administrator may":                      {subject: zoe, anyway: true},
	} {
		u := f.linked(t, c.subject, "corp")
		u.Others, u.Anyway = c.others, c.anyway
		if c.more != "" {
			f.linked(t, c.subject, c.more)
		}
		err := f.RemoveLink(t.Context(), u)
		require.Equal(t, c.want, err, name)
		if c.want != nil {
			_, err = f.FindLink(t.Context(), u.Issuer, u.UpstreamSubject)
			require.NoError(t, err, name)
		}
		all, err := f.ListLinks(t.Context(), c.subject)
		require.NoError(t, err)
		for _, l := range all {
			require.NoError(t, f.RemoveLink(t.Context(), &identity.Unlinking{Issuer: l.Issuer, UpstreamSubject: l.UpstreamSubject, Subject: l.Subject, Anyway: true}))
		}
	}
}

func lastWayRace(t *testing.T, f *fixture) {
	replicas := []*store.Store{f.Store, f.replica(t)}
	zoe := f.person(t, "zoe")
	both := []*identity.Unlinking{f.linked(t, zoe, "corp"), f.linked(t, zoe, "other")}
	refused := 0
	for _, err := range parallel(2, func(i int) error {
		both[i].Others = []string{"corp", "other"}
		return replicas[i].RemoveLink(t.Context(), both[i])
	}) {
		if errors.Is(err, identity.ErrLastWay) {
			refused++
		}
	}
	require.Equal(t, 1, refused)
}
