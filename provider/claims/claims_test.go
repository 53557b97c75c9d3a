package claims_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/claims"
	"keyway/provider/identity"
)

func TestOfUser(t *testing.T) {
	u := &identity.User{
		Subject: "s", Email: "alice@example.com", LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}},
		Claims: map[string]any{"given_name": "Alice", "phone_number": "+1555", "secret_note": "no claim"},
	}
	t.Run("no scope tells the subject only", func(t *testing.T) {
		require.Equal(t, map[string]any{"sub": "s"}, claims.OfUser(u, []string{claims.OpenID, "read"}))
	})
	t.Run("a scope opens its own claims", func(t *testing.T) {
		require.Equal(t, map[string]any{"sub": "s", "email": "alice@example.com", "email_verified": false}, claims.OfUser(u, []string{claims.Email}))
		require.Equal(t, map[string]any{"sub": "s", "given_name": "Alice", "preferred_username": "alice"}, claims.OfUser(u, []string{claims.Profile}))
	})
	t.Run("a name tells that claim and no other", func(t *testing.T) {
		require.Equal(t, map[string]any{"phone_number": "+1555"}, claims.Named(u, []string{"phone_number", "address", "secret_note"}))
		require.Empty(t, claims.Named(u, nil))
	})
	t.Run("every claim that a scope opens leads back to it", func(t *testing.T) {
		for _, s := range claims.PersonalScopes() {
			for _, name := range claims.StoredUnder(s) {
				require.Equal(t, s, claims.ScopeOf(name))
			}
		}
		require.Empty(t, claims.ScopeOf("sub"))
	})
}

func TestLeft(t *testing.T) {
	names := []string{"email", "name", "phone_number"}
	granted := []string{claims.OpenID, claims.Email, claims.Profile}
	require.Equal(t, names, claims.Left(names, granted, granted))
	require.Equal(t, []string{"name", "phone_number"}, claims.Left(names, granted, []string{claims.OpenID, claims.Profile}),
		"the e-mail address went with its scope; nobody took back the phone number, which no scope was asked for")
	require.Equal(t, []string{"phone_number"}, claims.Left(names, granted, []string{claims.OpenID}))
	require.Equal(t, []string{"email", "name", "phone_number"}, names, "as they were")
}

func TestParameter(t *testing.T) {
	t.Run("names, subject and acr are read", func(t *testing.T) {
		p, err := claims.Parse(`{"id_token":{"email":null,"acr":{"essential":true,"values":["a","b"]},"sub":{"value":"s"}},"userinfo":{"name":{"essential":true},"secret_note":null}}`)
		require.NoError(t, err)
		require.Equal(t, []string{"email"}, claims.Allowed(p.IDToken, []string{claims.Email}))
		require.Empty(t, claims.Allowed(p.IDToken, []string{claims.Profile}), "the scope is not the client's")
		require.Equal(t, []string{"name"}, claims.Allowed(p.Userinfo, claims.PersonalScopes()))
		subject, err := p.Subject()
		require.NoError(t, err)
		require.Equal(t, "s", subject)
		require.True(t, p.Accepts("b"))
		require.False(t, p.Accepts("c"))
	})
	t.Run("nothing asks for nothing", func(t *testing.T) {
		p, err := claims.Parse("")
		require.NoError(t, err)
		require.True(t, p.Accepts("anything"))
		subject, err := p.Subject()
		require.NoError(t, err)
		require.Empty(t, subject)
	})
	for name, text := range map[string]string{
		"text": `x`, "a list": `[]`, "a name that is no object": `{"id_token":{"email":1}}`, "members that are no objects": `{"userinfo":"name"}`,
	} {
		t.Run(name+" is malformed", func(t *testing.T) {
			_, err := claims.Parse(text)
			require.ErrorIs(t, err, claims.ErrMalformed)
		})
	}
	t.Run("two subjects are malformed", func(t *testing.T) {
		p, err := claims.Parse(`{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}`)
		require.NoError(t, err)
		_, err = p.Subject()
		require.ErrorIs(t, err, claims.ErrMalformed)
	})
}

func FuzzParse(f *testing.F) {
	f.Add(`{"id_token":{"acr":{"essential":true,"values":["a"]},"sub":{"value":"s"}}}`)
	f.Add(`{"userinfo":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		p, err := claims.Parse(text)
		if err != nil {
			require.ErrorIs(t, err, claims.ErrMalformed)
			return
		}
		_, _ = p.Subject()
		p.Accepts("a")
		for _, name := range claims.Allowed(p.Userinfo, claims.PersonalScopes()) {
			require.NotEmpty(t, claims.ScopeOf(name))
		}
	})
}
