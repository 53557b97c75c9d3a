package storetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
)

func tokenChecks() []check {
	return []check{
		{"every field of a grant and a token comes back", everyTokenField},
		{"a missing token is not found", missingToken},
		{"a token says what its user's status is", tokenUserStatus},
		{"an issue for a grant that is not there writes nothing", issueWithoutGrant},
		{"an issue that fails writes nothing", issueAtomic},
		{"an access token that is there already conflicts", issueTwice},
		{"an issue of nothing but an event needs a live grant", issueEvent},
		{"an issue replaces the session and extends the grant", issueExtends},
		{"a token with claims is found again while it lives", reusable},
	}
}

func everyTokenField(t *testing.T, f *fixture) {
	var g provider.GrantRecord
	var tok provider.TokenRecord
	fill(t, &g)
	fill(t, &tok)
	tok.GrantID, tok.Kind = g.ID, provider.KindRefresh
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{GrantID: g.ID, NewGrant: &g, Tokens: []provider.TokenRecord{tok}}))
	got, err := f.FindToken(t.Context(), tok.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&provider.StoredToken{Token: tok, Grant: g}, got))

	bare := provider.TokenRecord{Hash: hash("bare"), GrantID: "bare", Kind: provider.KindAccess}
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{
		GrantID: "bare", NewGrant: &provider.GrantRecord{ID: "bare"}, Tokens: []provider.TokenRecord{bare},
	}))
	got, err = f.FindToken(t.Context(), bare.Hash)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(&provider.StoredToken{Token: bare, Grant: provider.GrantRecord{ID: "bare"}}, got))
}

func missingToken(t *testing.T, f *fixture) {
	_, err := f.FindToken(t.Context(), hash("none"))
	require.ErrorIs(t, err, identity.ErrNotFound)
	require.Equal(t, identity.ErrNotFound, err)
}

func tokenUserStatus(t *testing.T, f *fixture) {
	subject := f.saveUser(t, "alice")
	f.issueGrant(t, "g", subject)
	got, err := f.FindToken(t.Context(), hash("g-access-0"))
	require.NoError(t, err)
	require.Equal(t, identity.StatusActive, got.UserStatus)
	require.NoError(t, f.SetStatus(t.Context(), subject, identity.StatusUnverified))
	got, err = f.FindToken(t.Context(), hash("g-access-0"))
	require.NoError(t, err)
	require.Equal(t, identity.StatusUnverified, got.UserStatus)
}

func issueWithoutGrant(t *testing.T, f *fixture) {
	err := f.Issue(t.Context(), &provider.Issue{GrantID: "gone", Tokens: f.tokens("gone", "0")})
	require.ErrorIs(t, err, identity.ErrNotFound)
	_, err = f.FindToken(t.Context(), hash("gone-access-0"))
	require.ErrorIs(t, err, identity.ErrNotFound)
}

func issueAtomic(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	tokens := f.tokens("new", "0")
	tokens = append(tokens, tokens[0]) // the same access token twice
	grant := &provider.GrantRecord{ID: "new", ExpiresAt: noon().Add(time.Hour)}
	errs := parallel(20, func(i int) error {
		if i == 7 {
			return f.Issue(t.Context(), &provider.Issue{GrantID: "new", NewGrant: grant, Tokens: tokens})
		}
		return f.RememberOnce(t.Context(), "neighbour", fmt.Sprint(i), noon().Add(time.Hour))
	})
	for i, err := range errs {
		if i == 7 {
			require.ErrorIs(t, err, identity.ErrConflict, "that is no outage")
			continue
		}
		require.NoError(t, err, "its neighbours in a batch do not suffer")
	}
	_, err := f.FindToken(t.Context(), hash("new-access-0"))
	require.ErrorIs(t, err, identity.ErrNotFound)
	require.NoError(t, f.Issue(t.Context(), &provider.Issue{GrantID: "new", NewGrant: grant}), "the grant is not there either")
}

func issueTwice(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	issue := func(id string) error {
		x := provider.Issue{GrantID: id, NewGrant: &provider.GrantRecord{ID: id, ExpiresAt: noon()}, Tokens: f.tokens("g", "0")[:1]}
		x.Tokens[0].GrantID = id
		return f.Issue(t.Context(), &x)
	}
	won := 0
	require.Equal(t, identity.ErrConflict, issue("h"))
	_, err := f.Revoke(t.Context(), provider.RevokeQuery{GrantID: "g"})
	require.NoError(t, err)
	require.Equal(t, identity.ErrConflict, issue("h"), "revoked or not")
	for _, err := range parallel(20, func(i int) error {
		id := fmt.Sprint("n", i)
		return f.Issue(t.Context(), &provider.Issue{
			GrantID: id, NewGrant: &provider.GrantRecord{ID: id, ExpiresAt: noon()},
			Tokens: []provider.TokenRecord{{Hash: hash("new"), GrantID: id, Kind: provider.KindAccess, ExpiresAt: noon()}},
		})
	}) {
		if err == nil {
			won++
			continue
		}
		require.Equal(t, identity.ErrConflict, err)
	}
	require.Equal(t, 1, won)
}

func issueEvent(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	x := provider.Issue{GrantID: "g", Events: []identity.Event{{At: noon(), Kind: "login", GrantID: "g"}}}
	require.NoError(t, f.Issue(t.Context(), &x))
	_, err := f.Revoke(t.Context(), provider.RevokeQuery{GrantID: "g"})
	require.NoError(t, err)
	require.Equal(t, identity.ErrNotFound, f.Issue(t.Context(), &x))
	events, err := f.ListEvents(t.Context(), store.EventQuery{Kind: "login"})
	require.NoError(t, err)
	require.Len(t, events, 1)
}

func issueExtends(t *testing.T, f *fixture) {
	f.issueGrant(t, "g", "")
	later, sooner := noon().Add(48*time.Hour), noon().Add(time.Hour)
	for _, x := range []provider.Issue{{Session: []byte("two"), Extend: later}, {Extend: sooner}, {}} {
		x.GrantID = "g"
		require.NoError(t, f.Issue(t.Context(), &x))
		got, err := f.FindToken(t.Context(), hash("g-access-0"))
		require.NoError(t, err)
		require.Equal(t, "two", string(got.Grant.Session))
		require.Equal(t, later, got.Grant.ExpiresAt)
	}
}

func reusable(t *testing.T, f *fixture) {
	claim := func(id string, issued time.Time, claims string) {
		tok := provider.TokenRecord{
			Hash: hash(id), GrantID: id, Kind: provider.KindAccess, IssuedAt: issued, ExpiresAt: noon().Add(time.Hour),
		}
		if claims != "" {
			tok.Claims = []byte(claims)
		}
		require.NoError(t, f.Issue(t.Context(), &provider.Issue{
			GrantID:  id,
			NewGrant: &provider.GrantRecord{ID: id, ClientID: "payhub", Subject: "alice", ExpiresAt: noon().Add(time.Hour)},
			Tokens:   []provider.TokenRecord{tok},
		}))
	}
	claim("old", noon().Add(-3*time.Minute), `{"n":1}`)
	claim("new", noon().Add(-2*time.Minute), `{"n":2}`)
	claim("plain", noon().Add(-1*time.Minute), "")

	got, err := f.FindReusable(t.Context(), "payhub", "alice", noon())
	require.NoError(t, err)
	require.Equal(t, `{"n":2}`, string(got.Token.Claims), "the one issued last that has claims")

	_, err = f.Revoke(t.Context(), provider.RevokeQuery{GrantID: "new", At: noon()})
	require.NoError(t, err)
	got, err = f.FindReusable(t.Context(), "payhub", "alice", noon())
	require.NoError(t, err)
	require.Equal(t, "old", got.Grant.ID, "a revoked one is out")

	for _, q := range []struct {
		client, subject string
		at              time.Time
	}{{"other", "alice", noon()}, {"payhub", "bob", noon()}, {"payhub", "alice", noon().Add(time.Hour)}} {
		_, err = f.FindReusable(t.Context(), q.client, q.subject, q.at)
		require.ErrorIs(t, err, identity.ErrNotFound, q)
	}
}
