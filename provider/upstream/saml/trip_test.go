package saml_test

import (
	"encoding/base64"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/federation"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
	"keyway/provider/upstream"
	"keyway/provider/upstream/mapping"
	"keyway/provider/upstream/saml"
)

// TestATripToAnIdentityProvider goes there and back through federation and a real
// database, where the id of the request is found again by the state alone.
func TestATripToAnIdentityProvider(t *testing.T) {
	s := newIDP(t)
	db := storetest.Open(t, store.Options{DSN: storetest.SQLite(t), Now: s.now})
	m, err := mapping.New(mapping.Options{Connector: "corp", Email: "claims.mail", EmailVerified: "true", LoginName: "claims.mail", Roles: "claims.groups"})
	require.NoError(t, err)
	f, err := federation.New(federation.Options{
		Connectors: []federation.Connector{{ID: "corp", Upstream: s.connector(t, func(o *saml.Options) { o.Remember = db.RememberOnce }), Mapper: m, Create: true, Posted: true}},
		Storage:    db, Links: db, Key: make([]byte, 32), Now: s.now,
	})
	require.NoError(t, err)
	visitor := federation.Visitor{Browser: [32]byte{1}}
	// goes returns the state, and the id of the request.
	goes := func() (state, id string) {
		to, err := f.Begin(t.Context(), federation.Departure{Trip: federation.Trip{Connector: "corp", Browser: visitor.Browser}})
		require.NoError(t, err)
		r, u := request(t, to)
		return u.Query().Get("RelayState"), r.SelectAttrValue("ID", "")
	}
	comes := func(state, id string) (*federation.Arrival, error) {
		d := s.signed(t, "assertion", func(a *said) { a.Answers, a.ID = id, "_a"+id })
		return f.Return(t.Context(), "corp", visitor, url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString(text(t, d))}, "RelayState": {state}})
	}
	state, id := goes()
	a, err := comes(state, id)
	require.NoError(t, err)
	require.True(t, a.Created)
	require.Equal(t, []string{"admins", "staff"}, a.Roles)
	_, err = comes(state, id)
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "a trip is over when it is over")

	_, first := goes()
	second, _ := goes()
	_, err = comes(second, first)
	require.ErrorContains(t, err, "InResponseTo", "an answer to one trip's request does not end another")
	_, err = comes("chosen-by-somebody", first)
	require.Equal(t, upstream.Untrusted, upstream.KindOf(err), "nobody asked for it")

	state, id = goes()
	again, err := comes(state, id)
	require.NoError(t, err)
	require.Equal(t, a.Subject, again.Subject)
	require.False(t, again.Created)
}
