package federation_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// without is the same provider after a connector was taken away.
func (j *journey) without(t *testing.T, id string) *journey {
	t.Helper()
	var left []federation.Connector
	for _, c := range j.Offered(nil) {
		if c.ID != id {
			left = append(left, c)
		}
	}
	after := *j
	var err error
	after.Federation, err = federation.New(federation.Options{
		Connectors: left, Storage: j.store, Links: j.store, Key: make([]byte, 32), Now: func() time.Time { return j.at },
	})
	require.NoError(t, err)
	return &after
}

// TestCVE202564717ADeactivatedConnectorLetsNobodyIn: neither does a trip end there that
// began before (ZITADEL CVE-2025-64717).
func TestCVE202564717ADeactivatedConnectorLetsNobodyIn(t *testing.T) {
	j := newJourney(t)
	_, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	answer := j.goes(t)
	gone := j.without(t, "corp")
	_, err = gone.Begin(t.Context(), federation.Departure{Trip: federation.Trip{Connector: "corp", Browser: browser}})
	require.Equal(t, upstream.Refused, upstream.KindOf(err))
	j.idp.Change(func() { delete(j.idp.Asked, "/token") })
	a, err := gone.comes(t, answer)
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	require.Empty(t, a.Subject)
	j.idp.Change(func() { require.NotContains(t, j.idp.Asked, "/token", "nobody is asked") })
	require.Nil(t, gone.ForName("alice@corp.example"))
	require.Nil(t, gone.Find("corp"))
}

// TestCVE202655670AnAddressThatSomebodyElseGotIsAnotherPerson: what an upstream gave to
// somebody else is nobody's identity (ZITADEL CVE-2026-55670).
func TestCVE202655670AnAddressThatSomebodyElseGotIsAnotherPerson(t *testing.T) {
	j := newJourney(t)
	first, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	j.idp.Lie = func(c map[string]any) { c["sub"] = "u2" }
	second, err := j.comes(t, j.goes(t))
	require.Equal(t, upstream.Collision, upstream.KindOf(err), "the name is somebody's")
	require.Empty(t, second.Subject)

	j.idp.Lie = func(c map[string]any) { c["email"] = "alice.new@corp.example" }
	again, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	require.Equal(t, first.Subject, again.Subject, "who gave it up stays who they are")
	j.idp.Lie = func(c map[string]any) { c["sub"] = "u2" }
	second, err = j.comes(t, j.goes(t))
	require.Equal(t, upstream.Collision, upstream.KindOf(err), "and known by it to others, until an administrator says otherwise")
	require.Empty(t, second.Subject)
}

func TestAttack19AnAddressThatChangesToSomebodysMakesThemNobodyElse(t *testing.T) {
	j := newJourney(t)
	first, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	saved, err := j.store.SaveRecords(t.Context(), []identity.Record{
		{User: identity.User{Email: "boss@corp.example", EmailVerified: true, LoginNames: []identity.LoginName{{Directory: "default", Name: "boss"}}}},
		{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "ceo@corp.example"}}}},
	})
	require.NoError(t, err)
	j.idp.Lie = func(c map[string]any) { c["email"] = "boss@corp.example" }
	a, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	require.Equal(t, first.Subject, a.Subject)
	require.NotEqual(t, saved[0].Subject, a.Subject)
	j.idp.Lie = func(c map[string]any) { c["email"] = "ceo@corp.example" }
	_, err = j.comes(t, j.goes(t))
	require.Equal(t, upstream.Collision, upstream.KindOf(err))
	u, err := j.store.FindUser(t.Context(), first.Subject)
	require.NoError(t, err)
	require.Equal(t, "boss@corp.example", u.Email, "nothing was changed")
}

// TestKeycloak53041WhatIsLinkedIsWhoCameBack: the proof of the other side is the subject
// that the upstream names at the end of this very trip, and no other.
func TestKeycloak53041WhatIsLinkedIsWhoCameBack(t *testing.T) {
	j := newJourney(t)
	saved, err := j.store.SaveRecords(t.Context(), []identity.Record{
		{User: identity.User{Email: "alice@corp.example", EmailVerified: true, LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}}},
	})
	require.NoError(t, err)
	linking := func(d *federation.Departure) { d.Trip.Subject, d.Trip.Session = saved[0].Subject, session }
	answer := j.goes(t, linking)
	j.idp.Lie = func(c map[string]any) { c["email_verified"] = false }
	a, err := j.comes(t, answer)
	require.NoError(t, err)
	require.Equal(t, saved[0].Subject, a.Subject)
	link, err := j.store.FindLink(t.Context(), j.idp.URL, "u1")
	require.NoError(t, err)
	require.Equal(t, []any{saved[0].Subject, identity.LinkProved}, []any{link.Subject, link.Origin})

	j.idp.Lie = func(c map[string]any) { c["sub"], c["email"] = "u2", "alice@corp.example" }
	other, err := j.comes(t, j.goes(t))
	require.NoError(t, err)
	require.NotEqual(t, saved[0].Subject, other.Subject, "the address that was linked by links nobody else")

	_, err = j.comes(t, answer)
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "the proof counts once")
	fresh := j.goes(t)
	_, err = j.Return(t.Context(), "corp", federation.Visitor{Browser: browser}, fresh)
	require.NoError(t, err, "a trip to sign in links nobody, and needs no session")
	links, err := j.store.ListLinks(t.Context(), saved[0].Subject)
	require.NoError(t, err)
	require.Len(t, links, 1)
}

// TestDex4928AndCVE202546815AnAnswerIsOfItsRequestAndTakenOnce: what comes back goes on
// with the request that left, in the browser that left with it, once (Dex #4928, ZITADEL
// CVE-2025-46815).
func TestDex4928AndCVE202546815AnAnswerIsOfItsRequestAndTakenOnce(t *testing.T) {
	j := newJourney(t)
	of := func(interaction string) func(*federation.Departure) {
		return func(d *federation.Departure) { d.Trip.Interaction = interaction }
	}
	mine, theirs := j.goes(t, of("mine")), j.goes(t, of("theirs"))
	swapped := map[string][]string{"code": mine["code"], "state": theirs["state"]}
	a, err := j.comes(t, swapped)
	require.NoError(t, err)
	require.Equal(t, "theirs", a.Trip.Interaction, "the state alone says where it goes on")
	j.idp.Nonce = "of another trip"
	_, err = j.comes(t, mine)
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err))
	_, err = j.comes(t, mine)
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "a trip that failed is over, too")
	require.NotEqual(t, mine.Get("state"), theirs.Get("state"))
}
