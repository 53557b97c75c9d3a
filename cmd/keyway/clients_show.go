package main

import (
	"context"
	"encoding/json"

	"github.com/spf13/cobra"

	"keyway/provider/client"
)

// shownClient is a client without its hashes.
type shownClient struct {
	*client.Client

	SecretHashes    *struct{} `json:"secret_hashes,omitempty"`
	AccessTokenHash *struct{} `json:"registration_token_hash,omitempty"`
	Secrets         int       `json:"secrets"` // how many there are
}

func clientsShow(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "show CLIENT-ID", Short: "Show all that is known of a client but its secrets", Example: "  keyway clients show reports", Args: oneArg("CLIENT-ID"),
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			found, err := p.findClient(ctx, args[0])
			if err != nil {
				return err
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			e.SetEscapeHTML(false)
			return e.Encode(shownClient{Client: found, Secrets: len(found.SecretHashes)})
		})
	}
	return c
}
