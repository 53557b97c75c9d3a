package identity_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

func (h *house) load(t *testing.T, lines ...string) identity.ImportSummary {
	t.Helper()
	sum, err := h.saver.Import(t.Context(), strings.NewReader(strings.Join(lines, "\n")))
	require.NoError(t, err)
	return sum
}

func TestImport(t *testing.T) {
	t.Parallel()
	const (
		hashed = `{"login_names":["alice"],"password_hash":"72db382c0766a1b238f8386c6b6f6608","hash_scheme":"ossn","hash_salt":"ab12cd34"}`
		clear  = `{"login_names":["bob"],"password":"right"}`
	)
	t.Run("a second run changes nothing", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		require.Equal(t, identity.ImportSummary{Created: 2}, h.load(t, hashed, clear))
		require.Equal(t, identity.ImportSummary{Unchanged: 2}, h.load(t, hashed, clear))
		a := h.local(t, nil)
		for name, password := range map[string]string{"alice": vectorPassword, "bob": "right"} {
			_, err := a.Authenticate(t.Context(), as(name, password))
			require.NoError(t, err)
		}
		require.Equal(t, identity.ImportSummary{Unchanged: 2}, h.load(t, hashed, clear), "after alice's hash was replaced")
		require.True(t, strings.HasPrefix(h.login(t, "alice").Credential.Hash, "$argon2id$"))
	})
	t.Run("another password is an update and a new credential version", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		h.load(t, clear)
		before := h.login(t, "bob")
		require.Equal(t, identity.ImportSummary{Updated: 1}, h.load(t, strings.Replace(clear, "right", "other", 1)))
		require.Greater(t, h.login(t, "bob").User.CredentialVersion, before.User.CredentialVersion)
		_, err := h.local(t, nil).Authenticate(t.Context(), as("bob", "other"))
		require.NoError(t, err)
	})
	t.Run("a plain password in a slot of its own", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		line := `{"login_names":["mp",{"directory":"ids","name":"DEMO","credential":"pass_code"}],"password":"1234",` +
			`"credentials":{"pass_code":{"password":"4321"}}}`
		require.Equal(t, identity.ImportSummary{Created: 1}, h.load(t, line))
		require.Equal(t, identity.ImportSummary{Unchanged: 1}, h.load(t, line))
		a := h.local(t, nil)
		for password, want := range map[string]identity.Reason{"4321": "", "1234": identity.ReasonWrongPassword} {
			_, err := a.Authenticate(t.Context(), identity.Credentials{Directory: "ids", Username: "demo", Password: password})
			require.Equal(t, want, identity.ReasonOf(err))
		}
	})
	t.Run("problems of lines and of records come in the order of the lines", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		sum := h.load(t, `{"login_names":["a","shared"]}`, `{`, `{"login_names":["b","shared"],"password":"p"}`, `{"login_names":["c"]}`, `{}`)
		require.Equal(t, 2, sum.Created)
		require.Len(t, sum.Problems, 3)
		for i, line := range []int{2, 3, 5} {
			require.Equal(t, line, sum.Problems[i].Line)
		}
	})
	t.Run("more than one batch", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		var lines []string
		for i := range 2500 {
			lines = append(lines, fmt.Sprintf(`{"login_names":["user%d"]}`, i))
		}
		lines[2200] = `{"login_names":["user1","user2"]}` // two people
		sum := h.load(t, lines...)
		require.Equal(t, 2499, sum.Created)
		require.Len(t, sum.Problems, 1)
		require.Equal(t, 2201, sum.Problems[0].Line)
	})
	t.Run("a database that is away ends the import", func(t *testing.T) {
		t.Parallel()
		h := newHouse(t)
		require.NoError(t, h.store.Close())
		_, err := h.saver.Import(t.Context(), strings.NewReader(hashed))
		require.Error(t, err)
	})
}

func TestTwoLinesOfOneNameDoNotOverwriteEachOther(t *testing.T) {
	w := newHouse(t)
	lines := `{"login_names":["Bob"],"status":"active","password":"first-password"}
{"login_names":["carol"],"status":"active","password":"first-password"}
{"login_names":["bob "],"status":"active","password":"second-password"}
`
	for range 2 {
		sum, err := w.saver.Import(t.Context(), strings.NewReader(lines))
		require.NoError(t, err)
		require.Len(t, sum.Problems, 1)
		require.Equal(t, 3, sum.Problems[0].Line)
		require.Contains(t, sum.Problems[0].String(), `is in line 1 already`)
		require.Zero(t, sum.Updated)
	}
}
