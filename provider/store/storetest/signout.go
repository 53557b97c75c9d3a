package storetest

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
)

// signOutRace lets codes be made from a session while it is signed out
// everywhere: none that was made may live afterwards.
func signOutRace(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	for round := range 5 {
		session := fmt.Sprintf("s%d", round)
		f.browserSession(t, session, alice)
		browser := hash(session)
		var making sync.WaitGroup
		made := make([]bool, 20)
		for i := range made {
			id := fmt.Sprintf("%s-g%d", session, i)
			making.Go(func() {
				err := f.Issue(t.Context(), codeFor(f, id, alice, &provider.Issue{Browser: &browser}))
				made[i] = err == nil
				if err != nil {
					require.ErrorIs(t, err, identity.ErrConflict)
				}
			})
		}
		require.NoError(t, f.endSessions(t.Context(), provider.SessionQuery{Subject: alice, Grants: true}))
		making.Wait()
		for i := range made {
			code, err := f.FindCode(t.Context(), hash(fmt.Sprintf("%s-g%d-code", session, i)))
			if !made[i] {
				require.ErrorIs(t, err, identity.ErrNotFound)
				continue
			}
			require.NoError(t, err)
			require.NotZero(t, code.Grant.RevokedAt, "a code survived the sign-out")
		}
	}
}

// withdrawnConsent makes codes from a consent that is remembered, and then is
// not.
func withdrawnConsent(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	given := &provider.Consent{Subject: alice, ClientID: "app", Scopes: []string{"openid"}, GivenAt: f.clock.now()}
	require.NoError(t, f.Issue(t.Context(), codeFor(f, "first", alice, &provider.Issue{Consent: given})))
	require.NoError(t, f.Issue(t.Context(), codeFor(f, "second", alice, &provider.Issue{Remembered: true})))
	require.NoError(t, f.RevokeConsent(t.Context(), alice, "app", nil))
	require.ErrorIs(t, f.Issue(t.Context(), codeFor(f, "third", alice, &provider.Issue{Remembered: true})), identity.ErrConflict)
}

// twoSignInsOfOneSession ask to go on under one public id, as a double click does.
func twoSignInsOfOneSession(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	f.browserSession(t, "old", alice)
	for _, fresh := range []string{"first", "second"} {
		err := f.StartSession(t.Context(), &provider.SessionStart{
			Replaces: hash("old"),
			Session:  provider.BrowserSession{Hash: hash(fresh), ID: "old", Subject: alice, ExpiresAt: noon().Add(time.Hour)},
		})
		require.NoError(t, err)
	}
	all, err := f.ListSessions(t.Context(), alice)
	require.NoError(t, err)
	require.Len(t, all, 1)
	require.Equal(t, hash("second"), all[0].Hash)
}

// codeFor completes x to a new grant with a code of a minute.
func codeFor(f *fixture, id, subject string, x *provider.Issue) *provider.Issue {
	now := f.clock.now()
	x.GrantID = id
	x.Code = &provider.CodeRecord{Hash: hash(id + "-code"), GrantID: id, Challenge: "c", IssuedAt: now, ExpiresAt: now.Add(time.Minute)}
	x.NewGrant = &provider.GrantRecord{
		ID: id, ClientID: "app", Subject: subject, Origin: "authorization_code", CreatedAt: now, ExpiresAt: now.Add(time.Minute),
	}
	return x
}
