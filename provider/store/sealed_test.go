package store_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/identity"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

// TestWhatUpstreamsGaveIsSealed reads the files of a database as a thief does.
func TestWhatUpstreamsGaveIsSealed(t *testing.T) {
	dsn := storetest.SQLite(t)
	db := storetest.Open(t, store.Options{DSN: dsn})
	res, err := db.SaveFederated(t.Context(), &identity.Federated{
		Connector: "corp", Issuer: "https://corp.example", Subject: "u1", LoginName: identity.LoginName{Directory: "default", Name: "to-be-found"},
		RefreshToken: []byte("secret-refresh"), AccessToken: []byte("secret-access"),
	}, true)
	require.NoError(t, err)
	require.NoError(t, db.StartSession(t.Context(), &provider.SessionStart{Session: provider.BrowserSession{
		Hash: provider.HashToken("s"), ID: "s", Subject: res.Subject, ExpiresAt: time.Now().Add(time.Hour),
		Upstream: identity.Vouching{Issuer: "https://corp.example", Subject: "u1", IDToken: []byte("secret-hint")},
	}}))
	files, err := filepath.Glob(dsn + "*")
	require.NoError(t, err)
	var all []byte
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		all = append(all, b...)
	}
	require.True(t, bytes.Contains(all, []byte("to-be-found")), "the files are those of the database")
	for _, secret := range []string{"secret-refresh", "secret-access", "secret-hint"} {
		require.False(t, bytes.Contains(all, []byte(secret)), secret)
	}
	s, err := db.FindSession(t.Context(), provider.HashToken("s"))
	require.NoError(t, err)
	require.Equal(t, "secret-hint", string(s.Upstream.IDToken))
}
