package mapping_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"keyway/provider/upstream/mapping"
)

func TestEveryExpressionIsTriedByItself(t *testing.T) {
	m, err := mapping.New(mapping.Options{
		Connector: "corp", Allow: "claims.employee > 100", LoginName: "claims.groups", Email: "claims.name.first", Roles: "[claims.employee]",
		Claims: map[string]string{"nickname": "claims.name"},
		Accounts: map[string]mapping.Account{
			"faveo": {When: `"helpdesk" in claims.groups`, ID: "claims.employee", Attributes: map[string]string{"id": "claims.groups[9]", "n": "claims.employee + 1"}},
		},
	})
	require.NoError(t, err)
	tried := m.Try(person())
	byField := map[string]string{}
	for i, one := range tried {
		byField[one.Field] = one.Error
		tried[i].Error = ""
	}
	require.Empty(t, cmp.Diff([]mapping.Trial{
		{Field: "allow", Value: false},
		{Field: "login_name"},
		{Field: "email"},
		{Field: "email_verified", Value: true},
		{Field: "roles"},
		{Field: "claims.nickname", Value: "Ann"},
		{Field: "accounts.faveo.when", Value: true},
		{Field: "accounts.faveo.id", Value: "42"},
		{Field: "accounts.faveo.attributes.id"},
		{Field: "accounts.faveo.attributes.n", Value: 43},
	}, tried), "those after one that fails, or that refuses, are tried, too")
	for field, why := range map[string]string{
		"login_name": "not a text", "email": "int(string)", "roles": "not a list of texts", "accounts.faveo.attributes.id": "out of range",
	} {
		require.Contains(t, byField[field], why, field)
	}
	require.Empty(t, byField["allow"]+byField["claims.nickname"])
}
