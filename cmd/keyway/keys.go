package main

import (
	"context"
	"fmt"
	"time"

	"keyway/provider/keys"

	"github.com/spf13/cobra"
)

func keysCommand() *cobra.Command {
	c := &cobra.Command{Use: "keys", Short: "List and rotate signing keys", Example: "  keyway keys list\n  keyway keys rotate"}
	file := configFlag(c)
	c.AddCommand(keysList(file), keysRotate(file))
	return c
}

// keyRow is how commands print a signing key: without its private part.
type keyRow struct {
	KID       string    `json:"kid"`
	Algorithm string    `json:"alg"`
	State     string    `json:"state"`
	CreatedAt time.Time `json:"created_at"`
	ActiveAt  time.Time `json:"active_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

func keysList(file *string) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List signing keys", Example: "  keyway keys list -o json", Args: cobra.NoArgs}
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error { return p.printKeys(ctx, cmd, *format) })
	}
	return c
}

func (p *program) printKeys(ctx context.Context, cmd *cobra.Command, format string) error {
	keys, err := p.store.ListKeys(ctx)
	if err != nil {
		return err
	}
	values, rows := []keyRow{}, [][]string{}
	for _, k := range keys {
		r := keyRow{KID: k.KID, Algorithm: k.Algorithm, State: string(k.State), CreatedAt: k.CreatedAt, ActiveAt: k.ActiveAt, ExpiresAt: k.ExpiresAt}
		values = append(values, r)
		expires := "-"
		if !k.ExpiresAt.IsZero() {
			expires = k.ExpiresAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{k.KID, k.Algorithm, r.State, k.ActiveAt.Format(time.RFC3339), expires})
	}
	return printRows(cmd.OutOrStdout(), format, values, []string{"kid", "alg", "state", "active", "expires"}, rows)
}

func keysRotate(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "rotate", Short: "Sign with new keys from now on; running replicas follow within seconds",
		Long: "Rotate makes the next keys the active ones at once and publishes further ones. The old keys stay\n" +
			"published for verification.",
		Example: "  keyway keys rotate", Args: cobra.NoArgs,
	}
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			if err := keys.Rotate(ctx, p.store, keys.Policy{RotateEvery: p.cfg.Tokens.KeyRotation}, time.Now()); err != nil {
				return fmt.Errorf("rotating the keys: %w", err)
			}
			return p.printKeys(ctx, cmd, *format)
		})
	}
	return c
}
