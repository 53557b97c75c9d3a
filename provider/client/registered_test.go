package client_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"keyway/provider/client"
)

func TestAClientThatRegisteredItselfHasNoRightsOfTheOperators(t *testing.T) {
	for name, right := range map[string]func(*client.Client){
		"introspecting every token": func(c *client.Client) { c.MayIntrospect = true },
		"ending legacy tokens":      func(c *client.Client) { c.MayRevokeLegacy = true },
		"exchanging tokens":         func(c *client.Client) { c.MayExchange = true },
		"no consent":                func(c *client.Client) { c.SkipConsent = true },
		"a legacy system":           func(c *client.Client) { c.System = "faveo" },
		"the adapter":               func(c *client.Client) { c.AuthMethod = client.AuthAdapter },
		"the JWT bearer grant":      func(c *client.Client) { c.GrantTypes = []string{client.GrantJWTBearer} },
		"the exchange grant":        func(c *client.Client) { c.GrantTypes = []string{client.GrantTokenExchange} },
		"the password grant":        func(c *client.Client) { c.GrantTypes = []string{client.GrantPassword} },
	} {
		t.Run(name, func(t *testing.T) {
			c := &client.Client{
				ID: "dyn_1", Source: client.SourceDynamic, AuthMethod: client.AuthSecretBasic, SecretHashes: []string{"sha256:x"},
				GrantTypes: []string{client.GrantCode}, RedirectURIs: []string{"https://app.example/cb"},
			}
			require.NoError(t, c.Check())
			right(c)
			require.Error(t, c.Check())
		})
	}
}
