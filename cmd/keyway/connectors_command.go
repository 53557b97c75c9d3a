package main

import (
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v3"
	"github.com/spf13/cobra"

	"keyway/config"
	"keyway/provider/upstream/oidc"
)

func connectorsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "connectors", Short: "See what connectors make of upstreams",
		Example: "  keyway connectors try corp answer.json\n  keyway connectors report corp people.jsonl\n  keyway connectors key corp",
	}
	file := configFlag(c)
	c.AddCommand(connectorsTry(file), connectorsReport(file), connectorsKey(file))
	return c
}

// findConnector returns an error that says so where there is no such connector.
func findConnector(cfg *config.Config, id string) (*config.Connector, error) {
	for i := range cfg.Connectors {
		if cfg.Connectors[i].ID == id {
			return &cfg.Connectors[i], nil
		}
	}
	return nil, fmt.Errorf("there is no connector %q", id)
}

func connectorsKey(file *string) *cobra.Command {
	return &cobra.Command{
		Use: "key ID", Short: "Print the public half of this provider's key at an upstream",
		Long: "Key prints a JWK set (RFC 7517) with the public half of a connector's key, to be registered at the\n" +
			"upstream, so that this provider can authenticate there by private_key_jwt.",
		Example: "  keyway connectors key corp > corp-jwks.json", Args: oneArg("connector's id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(cmd, *file)
			if err != nil {
				return err
			}
			c, err := findConnector(cfg, args[0])
			if err != nil {
				return err
			}
			if c.Key.IsZero() {
				return fmt.Errorf("connector %s has no key", c.ID)
			}
			key, err := oidc.ParseKey(c.Key.Reveal())
			if err != nil {
				return fmt.Errorf("connector %s: %w", c.ID, err)
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			return e.Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
		},
	}
}
