package main

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/upstream"
	"keyway/provider/upstream/mapping"
)

// atOnce is an upstream that costs nothing, so that what is left is our own.
type atOnce struct{}

func (atOnce) Verify(context.Context, *upstream.Login) (*upstream.Person, error) {
	return &upstream.Person{Issuer: "ldap://corp.example", Subject: "u1", Claims: map[string]any{
		"email": "u1@corp.example", "given_name": "Una", "family_name": "Corp", "groups": []any{"staff", "desk"},
	}}, nil
}

// BenchmarkLegacyLoginElsewhere is a login whose password an upstream judges: what it
// costs beside the question itself. One verified by LDAP may cost a millisecond.
func BenchmarkLegacyLoginElsewhere(b *testing.B) {
	p := benchProgram(b)
	c := config.Connector{ID: "corp", Type: "ldap", Directory: "default", Create: true}
	who, err := mapping.New(mapping.Options{
		Connector: "corp", Allow: `"staff" in claims.groups`, Roles: "claims.groups",
		Accounts: map[string]mapping.Account{"faveo": {ID: `"7001"`, Attributes: map[string]string{"user_name": "subject", "role": `"user"`}}},
	})
	require.NoError(b, err)
	asked, err := p.verifier(&c, &federation.Connector{ID: "corp", Verifier: atOnce{}, Mapper: who, Create: true})
	require.NoError(b, err)
	chain, err := identity.NewChain([]identity.Rule{{Steps: []identity.Step{{Name: "corp", Authenticator: asked, Upstream: true}}}})
	require.NoError(b, err)
	*p.chain = *chain
	benchCall(b, p, http.MethodPost, "/api/v1/authenticate", "username=u1%40corp.example&password=right")
}
