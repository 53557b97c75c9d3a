package provider_test

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/store/storetest"
)

func TestGrantPassword(t *testing.T) {
	onEach(t, func(t *testing.T, w *world) {
		t.Run("a good login is a grant whose token is an OAuth access token", func(t *testing.T) {
			g, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			require.Equal(t, w.alice, g.User.Subject)
			require.Equal(t, "7", g.Account.ID)
			require.Equal(t, w.clock.Now().Add(time.Hour), g.ExpiresAt)
			require.Equal(t, http.StatusOK, w.userinfo(g.AccessToken).status)
			a := w.introspect(g.AccessToken)
			require.Equal(t, []any{"pwd"}, a.body["amr"])
			require.Equal(t, "urn:keyway:legacy:faveo", a.str("acr"))
			require.Equal(t, "openid profile email", a.str("scope"))
		})
		t.Run("a refresh token is made only with policy (regression 12)", func(t *testing.T) {
			g, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			require.Equal(t, g.ExpiresAt, w.token(t, g.AccessToken).Grant.ExpiresAt)
			c := provider.Client{
				ID: "long", AuthMethod: provider.AuthAdapter, GrantTypes: []string{"password"},
				Scopes: []string{"openid", "offline_access"},
			}
			grant := login()
			grant.Client = "long"
			require.NoError(t, w.SaveClient(t.Context(), &c))
			g, err = w.GrantPassword(t.Context(), grant)
			require.NoError(t, err)
			require.Equal(t, []string{"openid"}, g.Scopes)
			c.GrantTypes = append(c.GrantTypes, "refresh_token")
			require.NoError(t, w.SaveClient(t.Context(), &c))
			g, err = w.GrantPassword(t.Context(), grant)
			require.NoError(t, err)
			require.Equal(t, 30*24*time.Hour, w.token(t, g.AccessToken).Grant.ExpiresAt.Sub(w.clock.Now()))
		})
		t.Run("revoking the grant kills the token everywhere", func(t *testing.T) {
			g, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			q := provider.TokenQuery{Client: legacyID, Token: g.AccessToken, AccountSystem: "faveo"}
			got, err := w.InspectGrant(t.Context(), q)
			require.NoError(t, err)
			require.Equal(t, g.ID, got.ID)
			require.Equal(t, "7", got.Account.ID)
			require.NoError(t, w.RevokeGrant(t.Context(), q))
			_, err = w.InspectGrant(t.Context(), q)
			require.ErrorIs(t, err, provider.ErrRevoked)
			require.ErrorIs(t, w.RevokeGrant(t.Context(), q), provider.ErrRevoked)
			require.Equal(t, false, w.introspect(g.AccessToken).body["active"])
			wantError(t, w.userinfo(g.AccessToken), 401, "invalid_token")
		})
		t.Run("another system's token is unknown here", func(t *testing.T) {
			refresh, _ := w.session(t, "app")
			for _, token := range []string{w.refresh("app", refresh).str("access_token"), "nope", ""} {
				_, err := w.InspectGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: token})
				require.Equal(t, identity.ReasonInvalidToken, identity.ReasonOf(err))
				require.NotErrorIs(t, err, provider.ErrRevoked)
			}
		})
		t.Run("an expired token is told from an unknown one", func(t *testing.T) {
			g, err := w.GrantPassword(t.Context(), login())
			require.NoError(t, err)
			w.clock.add(time.Hour)
			_, err = w.InspectGrant(t.Context(), provider.TokenQuery{Client: legacyID, Token: g.AccessToken})
			require.Equal(t, identity.ReasonExpiredToken, identity.ReasonOf(err))
		})
	})
}

func TestGrantPasswordRefusals(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	for _, c := range []struct {
		name   string
		change func(*provider.PasswordGrant)
		want   identity.Reason
	}{
		{"a wrong password", func(g *provider.PasswordGrant) { g.Credentials.Password = "no" }, identity.ReasonWrongPassword},
		{"an unknown user", func(g *provider.PasswordGrant) { g.Credentials.Username = "bob" }, identity.ReasonUnknownUser},
		{"an empty password", func(g *provider.PasswordGrant) { g.Credentials.Password = "" }, identity.ReasonWrongPassword},
		{"an unknown client", func(g *provider.PasswordGrant) { g.Client = "nobody" }, identity.ReasonInvalidClient},
		{"a client that is not internal", func(g *provider.PasswordGrant) { g.Client = "app" }, identity.ReasonInvalidClient},
		{"a user without the account that is needed", func(g *provider.PasswordGrant) {
			g.AccountSystem, g.NeedAccount = "crmcom", true
		}, identity.ReasonUnknownUser},
		{"an account attribute that differs", func(g *provider.PasswordGrant) { g.Match = map[string]string{"role": "admin"} }, identity.ReasonUnknownUser},
		{"an attribute list without the value", func(g *provider.PasswordGrant) { g.Match = map[string]string{"units": "c"} }, identity.ReasonUnknownUser},
		{"a missing attribute", func(g *provider.PasswordGrant) { g.Match = map[string]string{"org": "x"} }, identity.ReasonUnknownUser},
		{"a token format that is none", func(g *provider.PasswordGrant) { g.Token.Format = "magic" }, identity.ReasonInternal},
		{"a JWT without a secret", func(g *provider.PasswordGrant) { g.Token.Format = provider.FormatJWTHS256 }, identity.ReasonInternal},
	} {
		t.Run(c.name+" is refused with its reason", func(t *testing.T) {
			g := login()
			c.change(&g)
			got, err := w.GrantPassword(t.Context(), g)
			require.Nil(t, got)
			var f *identity.Failure
			require.True(t, errors.As(err, &f), "%v", err)
			require.Equal(t, c.want, f.Reason, "%v", err)
		})
	}
	t.Run("attributes that match are no obstacle", func(t *testing.T) {
		g := login()
		g.Match = map[string]string{"role": "agent", "units": "b"}
		_, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
	})
	t.Run("an unverified user that the system lets in opens userinfo too", func(t *testing.T) {
		require.NoError(t, w.store.SetStatus(t.Context(), w.alice, identity.StatusUnverified))
		g := login()
		_, err := w.GrantPassword(t.Context(), g)
		require.Equal(t, identity.ReasonUnverified, identity.ReasonOf(err))
		g.Credentials.AllowUnverified = true
		got, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, w.userinfo(got.AccessToken).status)
	})
}

// TestParity guards GrantPassword against drifting from what fosite does with
// a request to the token endpoint.
func TestParity(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.OpenPassword()
	hash := client.HashSecret("parity")
	w.secrets["parity"] = "parity"
	scopes := []string{"openid", "email", "offline_access"}
	open := provider.Client{
		ID: "parity", AuthMethod: provider.AuthSecretBasic, SecretHashes: []string{hash},
		GrantTypes: []string{"password", "refresh_token"}, Scopes: scopes, Audience: []string{"https://api"}, IDTokenAlg: "ES256",
	}
	require.NoError(t, w.store.SaveClient(t.Context(), &open)) // SaveClient of the provider would refuse it
	inside := open
	inside.ID, inside.AuthMethod, inside.SecretHashes = "inside", provider.AuthAdapter, nil
	require.NoError(t, w.SaveClient(t.Context(), &inside))

	t.Run("the token endpoint and GrantPassword produce equal grants (regression 18)", func(t *testing.T) {
		a := w.post("/oauth2/token", "parity", url.Values{
			"grant_type": {"password"}, "username": {"alice"}, "password": {password}, "client_id": {"parity"},
		})
		require.Equal(t, http.StatusOK, a.status, a.raw)
		g := login()
		g.Client, g.Credentials.System, g.AccountSystem, g.Token.Lifetime = "inside", "", "", 0
		b, err := w.GrantPassword(t.Context(), g)
		require.NoError(t, err)
		over, within := w.token(t, a.str("access_token")), w.token(t, b.AccessToken)
		ignore := cmp.Options{
			cmpopts.IgnoreFields(provider.GrantRecord{}, "ID", "ClientID", "Session"),
			cmpopts.IgnoreFields(provider.TokenRecord{}, "Hash", "GrantID"),
		}
		require.Empty(t, cmp.Diff(over, within, ignore))
		require.JSONEq(t, strings.ReplaceAll(string(over.Grant.Session), "parity", "inside"), string(within.Grant.Session))
	})
	t.Run("the ID token of a password grant has sub, auth_time, amr and at_hash (regression 12)", func(t *testing.T) {
		a := w.post("/oauth2/token", "parity", url.Values{
			"grant_type": {"password"}, "username": {"alice"}, "password": {password}, "client_id": {"parity"},
		})
		claims, err := w.Decode(t.Context(), a.str("id_token"))
		require.NoError(t, err)
		require.Equal(t, w.alice, claims["sub"])
		require.Equal(t, issuer, claims["iss"])
		require.Equal(t, []any{"parity"}, claims["aud"])
		require.Equal(t, []any{"pwd"}, claims["amr"])
		require.EqualValues(t, w.clock.Now().Unix(), claims["auth_time"])
		sum := sha256.Sum256([]byte(a.str("access_token")))
		require.Equal(t, base64.RawURLEncoding.EncodeToString(sum[:16]), claims["at_hash"])
		require.Equal(t, http.StatusOK, w.refresh("parity", a.str("refresh_token")).status)
	})
	t.Run("a wrong password is invalid_grant and says no more", func(t *testing.T) {
		for _, name := range []string{"alice", "nobody"} {
			a := w.post("/oauth2/token", "parity", url.Values{
				"grant_type": {"password"}, "username": {name}, "password": {"no"}, "client_id": {"parity"},
			})
			wantError(t, a, 400, "invalid_grant")
			require.NotContains(t, a.raw, "password")
		}
	})
}

// TestCanaryPassword searches the log and the database for what must never be there.
func TestCanaryPassword(t *testing.T) {
	dsn := storetest.SQLite(t)
	w := newWorld(t, dsn)
	g, err := w.GrantPassword(t.Context(), login())
	require.NoError(t, err)
	wrong := login()
	wrong.Credentials.Password = "another canary password"
	_, err = w.GrantPassword(t.Context(), wrong)
	require.Error(t, err)
	require.NotContains(t, err.Error(), "canary")
	refresh, _ := w.session(t, "app")
	issued := w.refresh("app", refresh)
	w.post("/oauth2/token", "app", url.Values{"grant_type": {"password"}, "username": {"alice"}, "password": {password}})
	w.userinfo(g.AccessToken)
	w.introspect(issued.str("access_token"))
	require.NoError(t, w.store.Close())
	files, err := filepath.Glob(dsn + "*")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	haystacks := []string{w.log.text()}
	for _, f := range files {
		b, err := os.ReadFile(f)
		require.NoError(t, err)
		haystacks = append(haystacks, string(b))
	}
	for _, secret := range []string{
		"canary", g.AccessToken, refresh, issued.str("access_token"), issued.str("refresh_token"), w.secrets["app"],
	} {
		for _, h := range haystacks {
			require.NotContains(t, h, secret)
		}
	}
}
