package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

const grace = 10 * time.Second

func rotationChecks() []check {
	return []check{
		{"a refresh token is rotated once and ends its access token", rotateOnce},
		{"a used refresh token works again within the grace while its successor is unused", rotateAgain},
		{"without a grace a used refresh token conflicts at once", rotateNoGrace},
		{"an expired refresh token conflicts", rotateExpired},
		{"a refresh token is not rotated for another grant, nor an access token at all", rotateForeign},
		{"of 50 that rotate one token to different successors one wins", rotateRace},
		{"of 50 that rotate one token to one successor within the grace three win, and one access token lives", rotateGraceRace},
		{"a revocation that races a rotation leaves no live token", revokeRace},
	}
}

func (f *fixture) rotate(t testing.TB, id, from, to string, within time.Duration) error {
	t.Helper()
	old := hash(id + "-refresh-" + from)
	return f.Issue(t.Context(), &provider.Issue{GrantID: id, Rotate: &old, Grace: within, Tokens: f.tokens(id, to)})
}

func rotateOnce(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	f.clock.advance(time.Minute)
	require.NoError(t, f.rotate(t, "g", "0", "1", grace))

	old, err := f.FindToken(t.Context(), hash("g-refresh-0"))
	require.NoError(t, err, "a used refresh token stays, so that its reuse is seen")
	require.True(t, old.Token.Used)
	require.Equal(t, noon().Add(time.Minute), old.Token.FirstUsedAt)
	fresh, err := f.FindToken(t.Context(), hash("g-refresh-1"))
	require.NoError(t, err)
	require.False(t, fresh.Token.Used)
	require.Equal(t, hash("g-access-1"), fresh.Token.Pair)
	_, err = f.FindToken(t.Context(), hash("g-access-0"))
	require.ErrorIs(t, err, identity.ErrNotFound, "the access token went with it")
	_, err = f.FindToken(t.Context(), hash("g-access-1"))
	require.NoError(t, err)
}

func rotateAgain(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	again := func(access string) error {
		tokens := f.tokens("g", "1")
		tokens[0].Hash = hash(access)
		tokens[1].Pair = hash(access)
		old := hash("g-refresh-0")
		return f.Issue(t.Context(), &provider.Issue{
			GrantID: "g", Rotate: &old, Grace: grace, Tokens: tokens, Repeated: &identity.Event{Kind: "refresh_repeated", GrantID: "g"},
		})
	}
	repeats := func() int {
		events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "refresh_repeated"})
		require.NoError(t, err)
		return len(events)
	}
	require.NoError(t, again("first"))
	require.Zero(t, repeats())
	f.clock.advance(grace - time.Millisecond)
	require.NoError(t, again("second"))
	next, err := f.FindToken(t.Context(), hash("g-refresh-1"))
	require.NoError(t, err)
	require.Equal(t, noon(), next.Token.IssuedAt, "the successor is left as it was")
	require.Equal(t, hash("second"), next.Token.Pair, "but for its access token")
	_, err = f.FindToken(t.Context(), hash("first"))
	require.ErrorIs(t, err, identity.ErrNotFound, "the access token that it came with has ended")
	require.Equal(t, 1, repeats())
	old, err := f.FindToken(t.Context(), hash("g-refresh-0"))
	require.NoError(t, err)
	require.Equal(t, noon(), old.Token.FirstUsedAt, "the grace does not slide")
	_, err = f.FindToken(t.Context(), hash("second"))
	require.NoError(t, err)

	require.ErrorIs(t, f.rotate(t, "g", "0", "other", grace), identity.ErrConflict, "no second chain")
	require.NoError(t, again("third"))
	require.ErrorIs(t, again("fourth"), identity.ErrConflict, "that is too often")
	_, err = f.FindToken(t.Context(), hash("third"))
	require.NoError(t, err)
	require.Equal(t, 2, repeats())
	f.clock.advance(time.Millisecond)
	require.ErrorIs(t, again("fifth"), identity.ErrConflict, "the grace is over")

	f.issueGrant(t, "h", "")
	require.NoError(t, f.rotate(t, "h", "0", "1", grace))
	require.NoError(t, f.rotate(t, "h", "1", "2", grace))
	require.ErrorIs(t, f.rotate(t, "h", "0", "1", grace), identity.ErrConflict, "the successor was used")
}

func rotateNoGrace(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	require.NoError(t, f.rotate(t, "g", "0", "1", 0))
	require.ErrorIs(t, f.rotate(t, "g", "0", "1", 0), identity.ErrConflict)
}

func rotateExpired(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	f.clock.advance(24 * time.Hour)
	require.ErrorIs(t, f.rotate(t, "g", "0", "1", grace), identity.ErrConflict)
	_, err := f.FindToken(t.Context(), hash("g-access-1"))
	require.ErrorIs(t, err, identity.ErrNotFound)
}

func rotateForeign(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	f.issueGrant(t, "h", "")
	for _, name := range []string{"h-refresh-0", "g-access-0", "nothing"} {
		old := hash(name)
		err := f.Issue(t.Context(), &provider.Issue{GrantID: "g", Rotate: &old, Tokens: f.tokens("g", "1")})
		require.ErrorIs(t, err, identity.ErrNotFound, name)
	}
	got, err := f.FindToken(t.Context(), hash("h-refresh-0"))
	require.NoError(t, err)
	require.False(t, got.Token.Used)
}

func rotateRace(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	errs := parallel(50, func(i int) error { return f.rotate(t, "g", "0", fmt.Sprint("next", i), grace) })
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
			continue
		}
		require.ErrorIs(t, err, identity.ErrConflict)
	}
	require.Equal(t, 1, won)
}

func rotateGraceRace(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	errs := parallel(50, func(i int) error {
		old, tokens := hash("g-refresh-0"), f.tokens("g", "1")
		tokens[0].Hash = hash(fmt.Sprint("access", i))
		tokens[1].Pair = tokens[0].Hash
		return f.Issue(t.Context(), &provider.Issue{GrantID: "g", Rotate: &old, Grace: grace, Tokens: tokens})
	})
	won, live := 0, 0
	for i, err := range errs {
		if err == nil {
			won++
		} else {
			require.ErrorIs(t, err, identity.ErrConflict)
		}
		if _, missing := f.FindToken(t.Context(), hash(fmt.Sprint("access", i))); missing == nil {
			live++
			require.NoError(t, err)
		}
	}
	require.Equal(t, 3, won)
	require.Equal(t, 1, live)
}

func revokeRace(t *testing.T, f *fixture) {
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		f.issueGrant(t, id, "alice")
		errs := parallel(10, func(i int) error {
			if i == 5 {
				_, err := f.Revoke(t.Context(), provider.RevokeQuery{GrantID: id, At: noon()})
				return err
			}
			return f.rotate(t, id, "0", fmt.Sprint("1-", i), grace)
		})
		require.NoError(t, errs[5])
		for i, err := range errs {
			got, missing := f.FindToken(t.Context(), hash(id+"-refresh-"+fmt.Sprint("1-", i)))
			if i == 5 || err != nil {
				require.ErrorIs(t, missing, identity.ErrNotFound)
				continue
			}
			require.NoError(t, missing)
			require.Equal(t, noon(), got.Grant.RevokedAt)
		}
		require.ErrorIs(t, f.rotate(t, id, "0", "2", grace), identity.ErrNotFound, "the grant is revoked")
	}
}
