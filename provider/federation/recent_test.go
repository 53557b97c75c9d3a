package federation_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// saying is a verifier that says the same of everybody, as a test changes it.
type saying struct{ person upstream.Person }

func (s *saying) Verify(context.Context, *upstream.Login) (*upstream.Person, error) {
	p := s.person
	return &p, nil
}

func TestWhatAnUpstreamSaysAgainIsNotWrittenAgainForAMinute(t *testing.T) {
	v := &saying{upstream.Person{Issuer: corp, Subject: "u1", Claims: map[string]any{"email": "alice@corp.example"}}}
	o := newOffice(t, func(c *federation.Connector) { c.Verifier = v })
	logsIn := func() (*identity.Link, *identity.Identity) {
		t.Helper()
		who, err := o.signIn.Authenticate(t.Context(), as("alice", "right"))
		require.NoError(t, err)
		link, err := o.store.FindLink(t.Context(), corp, "u1")
		require.NoError(t, err)
		return link, who
	}
	written := func() bool {
		t.Helper()
		o.at = o.at.Add(10 * time.Second)
		link, _ := logsIn()
		return link.SeenAt.Equal(o.at)
	}
	first, who := logsIn()
	require.True(t, officeOpens.Equal(first.SeenAt))
	require.False(t, written())
	v.person.Claims = map[string]any{"email": "alice@corp.example", "given_name": "Alice"}
	require.True(t, written(), "what is new is written at once")
	_, now := logsIn()
	require.Equal(t, "Alice", now.User.Claims["given_name"])
	require.False(t, written())
	v.person.RefreshToken = "r1"
	require.True(t, written(), "a token, too")
	require.True(t, written(), "and each time")
	v.person.RefreshToken = ""
	require.True(t, written())
	require.False(t, written())
	o.at = o.at.Add(time.Minute)
	require.True(t, written(), "after a minute it is")

	o.at = o.at.Add(time.Second)
	claim := &federation.Claim{ID: "x", Issuer: corp, Subject: "u1", Until: o.at.Add(time.Second), Seen: o.at}
	_, err := o.store.ClaimLink(t.Context(), claim)
	require.NoError(t, err)
	require.NoError(t, o.store.EndFollowed(t.Context(), &federation.Refusal{
		Claim: claim, Connector: "corp", Subject: who.User.Subject, Event: identity.Event{Kind: "upstream_ended"},
	}))
	require.True(t, written(), "whom it vouches for again lives on")

	require.NoError(t, o.store.RemoveLink(t.Context(), &identity.Unlinking{Issuer: corp, UpstreamSubject: "u1", Subject: who.User.Subject, Anyway: true}))
	_, err = o.signIn.Authenticate(t.Context(), as("alice@corp.example", "right"))
	require.Equal(t, identity.ReasonUnknownUser, identity.ReasonOf(err), "who was unlinked is not let in from memory")
}
