package roles_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/roles"
	"keyway/provider/store"
	"keyway/provider/store/storetest"
)

func TestOfWhichRolesAClientIsTold(t *testing.T) {
	now := func() time.Time { return time.Unix(1_800_000_000, 0) }
	db := storetest.Open(t, store.Options{DSN: storetest.SQLite(t), Now: now})
	saved, err := db.SaveRecords(t.Context(), []identity.Record{{User: identity.User{LoginNames: []identity.LoginName{{Directory: "default", Name: "alice"}}}}})
	require.NoError(t, err)
	subject := saved[0].Subject
	for connector, has := range map[string][]string{
		"corp": {"payroll-admin", "staff"}, "hobby": {"admin", "staff"}, "gone": {"root"}, "former": {"chief"},
	} {
		l := &identity.Link{
			Connector: connector, Issuer: "https://" + connector, UpstreamSubject: "u1", Subject: subject, Origin: identity.LinkProved, Roles: has, LinkedAt: now(), SeenAt: now(),
		}
		if connector == "former" { // which vouches for her no more
			l.RefusedAt = now()
		}
		require.NoError(t, db.AddLink(t.Context(), l))
	}
	teller, err := roles.New(roles.Options{Links: db, Live: func(c string) bool { return c != "gone" }})
	require.NoError(t, err)
	asked := []string{"openid", roles.Scope}
	for name, c := range map[string]struct {
		client  client.Client
		scopes  []string
		subject string
		as      string
		told    []string
	}{
		"all of every live connector":               {client.Client{}, asked, subject, "roles", []string{"admin", "payroll-admin", "staff"}},
		"none without the scope":                    {client.Client{}, []string{"openid"}, subject, "", nil},
		"none where there is no person":             {client.Client{}, asked, "", "", nil},
		"an empty list of who has none":             {client.Client{}, asked, "somebody", "roles", []string{}},
		"those that its filter lets through":        {client.Client{Roles: []string{"payroll-*", "staff"}}, asked, subject, "roles", []string{"payroll-admin", "staff"}},
		"under a name of its own":                   {client.Client{RolesClaim: "groups", Roles: []string{"staff"}}, asked, subject, "groups", []string{"staff"}},
		"of the connectors that it admits, no more": {client.Client{Connectors: []string{"corp"}}, asked, subject, "roles", []string{"payroll-admin", "staff"}},
		"none where it admits nobody from upstream": {client.Client{Connectors: []string{client.ConnectorLocal}}, asked, subject, "roles", []string{}},
		"none by a prefix that none has":            {client.Client{Roles: []string{"adm"}}, asked, subject, "roles", []string{}},
	} {
		as, told, err := teller.Tell(t.Context(), &c.client, c.subject, c.scopes)
		require.NoError(t, err, name)
		require.Equal(t, c.as, as, name)
		require.Equal(t, c.told, told, name)
	}
	var none *roles.Teller
	as, _, err := none.Tell(t.Context(), &client.Client{}, subject, asked)
	require.NoError(t, err)
	require.Empty(t, as, "where there are no connectors there are no roles")
	require.NoError(t, db.Close())
	_, _, err = teller.Tell(t.Context(), &client.Client{}, subject, asked)
	require.Error(t, err, "an outage is no empty list")
}

// TestCVE202429892NoClientCallsRolesWhatMeansSomethingElse: what an upstream says must
// not take the place of what the provider says (ZITADEL CVE-2024-29892).
func TestCVE202429892NoClientCallsRolesWhatMeansSomethingElse(t *testing.T) {
	c := client.Client{ID: "a", AuthMethod: client.AuthNone, GrantTypes: []string{client.GrantCode}}
	for _, name := range []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "acr", "amr", "azp", "auth_time", "at_hash", "c_hash", "sid", "scope", "client_id", "active", "cnf", "act", "may_act",
		"username", "token_type", "email", "email_verified", "phone_number_verified", "name", "two words", "",
	} {
		c.RolesClaim = name
		if err := c.Check(); name != "" {
			require.ErrorContains(t, err, "roles_claim", name)
		} else {
			require.NoError(t, err)
		}
	}
	for _, name := range []string{"roles", "groups", "https://corp.example/roles"} {
		c.RolesClaim = name
		require.NoError(t, c.Check(), name)
	}
}

func TestADocumentGetsTheRolesBesideItsMembers(t *testing.T) {
	text, err := roles.Beside(struct {
		Expires int64 `json:"exp"`
	}{1_800_000_000}, "groups", []string{"staff"})
	require.NoError(t, err)
	require.JSONEq(t, `{"exp":1800000000,"groups":["staff"]}`, string(text))
	text, err = roles.Beside(json.RawMessage(`{"active":false}`), "", nil)
	require.NoError(t, err)
	require.Equal(t, `{"active":false}`, string(text))
}
