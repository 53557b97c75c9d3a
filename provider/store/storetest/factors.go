package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/factor"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func factorChecks() []check {
	return []check{
		{"every field of an enrolment is kept", everyEnrolmentField},
		{"a time step that many want to use is used once, and none before it afterwards", stepRace},
		{"a passkey that counts no signatures is used again, and one that counts them never goes back", countersGrow},
		{"nobody has more than ten enrolments, however many they make at once, and one first", enrolmentsAreBounded},
		{"a passkey is one person's", passkeyOfOnePerson},
		{"a recovery code that many want to use is used once", recoveryRace},
		{"recovery codes go with the last enrolment, and are replaced all at once", recoveryCodesGo},
		{"every field of a challenge is kept, and it is taken once", challengeRace},
		{"one person has twenty open challenges at most, and none after their time", challengesAreBounded},
		{"resetting takes away everything, and ends the browser sessions", factorsAreReset},
	}
}

func everyEnrolmentField(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	var e factor.Enrolment
	fill(t, &e)
	e.Subject, e.Kind = alice, factor.KindPasskey
	first, err := f.AddEnrolment(t.Context(), &e, nil)
	require.NoError(t, err)
	require.True(t, first)
	all, err := f.ListEnrolments(t.Context(), alice)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]factor.Enrolment{e}, all))

	e.Secret, e.Counter, e.UsedAt = []byte("newer"), e.Counter+1, e.UsedAt.Add(time.Hour)
	require.NoError(t, f.UseEnrolment(t.Context(), &e, identity.Event{ClientID: "app"}))
	all, err = f.ListEnrolments(t.Context(), alice)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff([]factor.Enrolment{e}, all))
	events, err := f.ListEvents(t.Context(), store.EventQuery{Subject: alice, Kind: "passkey_used"})
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, "app", events[0].ClientID)
	e.Subject = "nobody"
	_, err = f.AddEnrolment(t.Context(), &e, nil)
	require.ErrorIs(t, err, identity.ErrNotFound)
}

// enrolled adds an authenticator app of the person.
func (f *fixture) enrolled(t *testing.T, subject, id string, codes ...[32]byte) *factor.Enrolment {
	t.Helper()
	e := &factor.Enrolment{ID: id, Subject: subject, Kind: factor.KindTOTP, Name: "phone", Secret: []byte("key"), CreatedAt: f.clock.now()}
	_, err := f.AddEnrolment(t.Context(), e, codes)
	require.NoError(t, err)
	return e
}

// once has 50 callers do something on two replicas, and wants one of them to win.
func once(t *testing.T, f *fixture, lost error, do func(s *store.Store) error) {
	t.Helper()
	replicas := []*store.Store{f.Store, f.replica(t)}
	won := 0
	for _, err := range parallel(50, func(i int) error { return do(replicas[i%2]) }) {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, lost)
	}
	require.Equal(t, 1, won)
}

func stepRace(t *testing.T, f *fixture) {
	e := f.enrolled(t, f.person(t, "alice"), "f1")
	use := func(s *store.Store, step int64) error {
		used := *e
		used.Counter = step
		return s.UseEnrolment(t.Context(), &used, identity.Event{})
	}
	once(t, f, identity.ErrConflict, func(s *store.Store) error { return use(s, 1000) })
	require.ErrorIs(t, use(f.Store, 999), identity.ErrConflict)
	require.NoError(t, use(f.Store, 1001))
	require.ErrorIs(t, use(f.Store, 0), identity.ErrConflict)
}

func countersGrow(t *testing.T, f *fixture) {
	e := f.enrolled(t, f.person(t, "alice"), "f1")
	require.NoError(t, f.UseEnrolment(t.Context(), e, identity.Event{}))
	require.NoError(t, f.UseEnrolment(t.Context(), e, identity.Event{}))
	e.Counter = 7
	require.NoError(t, f.UseEnrolment(t.Context(), e, identity.Event{}))
	for _, back := range []int64{7, 6, 0} {
		e.Counter = back
		require.ErrorIs(t, f.UseEnrolment(t.Context(), e, identity.Event{}), identity.ErrConflict)
	}
	e.Counter, e.Subject = 8, f.person(t, "bob")
	require.ErrorIs(t, f.UseEnrolment(t.Context(), e, identity.Event{}), identity.ErrConflict, "somebody else's")
}

func enrolmentsAreBounded(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	made, firsts := 0, make([]bool, 30)
	for _, err := range parallel(30, func(i int) (err error) {
		firsts[i], err = f.AddEnrolment(t.Context(), &factor.Enrolment{
			ID: fmt.Sprint("f", i), Subject: alice, Kind: factor.KindTOTP, Secret: []byte("key"),
		}, [][32]byte{hash("a"), hash("b")})
		return err
	}) {
		if err == nil {
			made++
			continue
		}
		require.True(t, errors.Is(err, identity.ErrConflict), "%v", err)
	}
	require.Equal(t, 10, made)
	n := 0
	for _, first := range firsts {
		if first {
			n++
		}
	}
	require.Equal(t, 1, n)
	left, err := f.CountRecoveryCodes(t.Context(), alice)
	require.NoError(t, err)
	require.Equal(t, 2, left)
}

func passkeyOfOnePerson(t *testing.T, f *fixture) {
	add := func(who string) error {
		_, err := f.AddEnrolment(t.Context(), &factor.Enrolment{
			ID: who, Subject: f.person(t, who), Kind: factor.KindPasskey, Secret: []byte("key"), Credential: []byte("same"),
		}, nil)
		return err
	}
	require.NoError(t, add("alice"))
	require.ErrorIs(t, add("bob"), identity.ErrConflict)
}

func recoveryRace(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	f.enrolled(t, alice, "f1", hash("code"), hash("other"))
	has, err := f.HasRecoveryCode(t.Context(), alice, hash("code"))
	require.NoError(t, err)
	require.True(t, has)
	once(t, f, identity.ErrConflict, func(s *store.Store) error {
		return s.UseRecoveryCode(t.Context(), alice, hash("code"), identity.Event{})
	})
	has, err = f.HasRecoveryCode(t.Context(), alice, hash("code"))
	require.NoError(t, err)
	require.False(t, has)
	has, err = f.HasRecoveryCode(t.Context(), f.person(t, "bob"), hash("other"))
	require.NoError(t, err)
	require.False(t, has, "somebody else's")
}

func recoveryCodesGo(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	count := func(want int) {
		t.Helper()
		n, err := f.CountRecoveryCodes(t.Context(), alice)
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.ErrorIs(t, f.ReplaceRecoveryCodes(t.Context(), alice, [][32]byte{hash("a")}), identity.ErrNotFound)
	f.enrolled(t, alice, "f1", hash("a"), hash("b"))
	f.enrolled(t, alice, "f2", hash("c"))
	count(2)
	require.NoError(t, f.ReplaceRecoveryCodes(t.Context(), alice, [][32]byte{hash("d"), hash("e"), hash("f")}))
	count(3)
	require.NoError(t, f.RemoveEnrolment(t.Context(), alice, "f1"))
	require.ErrorIs(t, f.RemoveEnrolment(t.Context(), alice, "f1"), identity.ErrNotFound)
	require.ErrorIs(t, f.RemoveEnrolment(t.Context(), f.person(t, "bob"), "f2"), identity.ErrNotFound)
	count(3)
	has, err := f.HasEnrolment(t.Context(), alice, "")
	require.NoError(t, err)
	require.True(t, has)
	require.NoError(t, f.RemoveEnrolment(t.Context(), alice, "f2"))
	count(0)
	has, err = f.HasEnrolment(t.Context(), alice, "")
	require.NoError(t, err)
	require.False(t, has)
}

func challengeRace(t *testing.T, f *fixture) {
	var c factor.Challenge
	fill(t, &c)
	c.ExpiresAt = f.clock.now().Add(time.Minute)
	require.NoError(t, f.AddChallenge(t.Context(), &c))
	found, err := f.TakeChallenge(t.Context(), c.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&c, found))
	require.NoError(t, f.AddChallenge(t.Context(), &c))
	once(t, f, identity.ErrNotFound, func(s *store.Store) error {
		_, err := s.TakeChallenge(t.Context(), c.Hash)
		return err
	})
}

func challengesAreBounded(t *testing.T, f *fixture) {
	for i := range 25 {
		require.NoError(t, f.AddChallenge(t.Context(), &factor.Challenge{
			Hash: hash(fmt.Sprint("c", i)), Subject: "alice", Secret: []byte("s"), ExpiresAt: f.clock.now().Add(time.Minute + time.Duration(i)*time.Second),
		}))
	}
	for id, want := range map[string]error{"c4": identity.ErrNotFound, "c5": nil, "c24": nil} {
		_, err := f.TakeChallenge(t.Context(), hash(id))
		require.ErrorIs(t, err, want, id)
	}
	f.clock.advance(time.Hour)
	_, err := f.TakeChallenge(t.Context(), hash("c6"))
	require.ErrorIs(t, err, identity.ErrNotFound)
	n, err := f.Sweep(t.Context())
	require.NoError(t, err)
	require.Equal(t, 18, n)
}

func factorsAreReset(t *testing.T, f *fixture) {
	alice := f.person(t, "alice")
	f.enrolled(t, alice, "f1", hash("a"))
	f.enrolled(t, alice, "f2")
	now := f.clock.now()
	require.NoError(t, f.StartSession(t.Context(), &provider.SessionStart{Session: provider.BrowserSession{
		Hash: hash("cookie"), ID: "s1", Subject: alice, FactorAt: now, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour),
	}}))
	n, err := f.ResetFactors(t.Context(), alice)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	has, err := f.HasRecoveryCode(t.Context(), alice, hash("a"))
	require.NoError(t, err)
	require.False(t, has)
	_, err = f.FindSession(t.Context(), hash("cookie"))
	require.ErrorIs(t, err, identity.ErrNotFound)
	events, err := f.ListEvents(t.Context(), store.EventQuery{Subject: alice, Kind: "factors_reset"})
	require.NoError(t, err)
	require.Len(t, events, 1)
	_, err = f.ResetFactors(t.Context(), "nobody")
	require.ErrorIs(t, err, identity.ErrNotFound)
}
