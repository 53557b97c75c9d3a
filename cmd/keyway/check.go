package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"keyway/adapter"
	"keyway/adapter/contract"
	"keyway/config"
	"keyway/provider/identity"
)

func checkCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "check", Short: "Check the configuration and every legacy system, and replay all examples",
		Long: "Check reads the configuration, loads every profile of every legacy system, built in or in\n" +
			"templates_dir, replays their recorded examples, and prints every problem. It opens no database\n" +
			"and listens nowhere.",
		Example: "  keyway check --config keyway.yaml\n  keyway check --templates ./systems",
		Args:    cobra.NoArgs,
	}
	file := configFlag(c)
	dir := c.Flags().String("templates", "", "check the legacy systems in this `FOLDER` and the built-in ones, without a configuration")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		var cfg *config.Config
		if *dir == "" {
			loaded, err := loadConfig(cmd, *file)
			if err != nil {
				return err
			}
			cfg = loaded
		} else {
			standard := config.Default()
			cfg = &standard
			cfg.TemplatesDir = *dir
		}
		return check(cmd.Context(), cfg, cmd.OutOrStdout())
	}
	return c
}

// check reports every problem of cfg's systems and of every example.
func check(ctx context.Context, cfg *config.Config, out io.Writer) error {
	f, err := openFolders(cfg.TemplatesDir)
	if err != nil {
		return err
	}
	var problems []error
	instances, err := loadSystems(cfg)
	if err != nil {
		problems = append(problems, err)
	} else if err := adapter.Check(instances); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, checkTLS(cfg.TLS), checkUsersFile(cfg.UsersFile), f.strays())
	if _, err := newPages(cfg); err != nil {
		problems = append(problems, err)
	}
	problems = append(problems, applyPresets(cfg), checkConnectors(cfg.Connectors))
	examples := 0
	names := f.names()
	for _, name := range names {
		tree, _ := f.of(name)
		r := contract.Replay(ctx, tree, name)
		examples += r.Examples
		if len(r.Problems) > 0 {
			problems = append(problems, r.Problems)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "ok: systems configured: %d, folders: %d, examples replayed: %d\n", len(cfg.Systems), len(names), examples)
	return err
}

// checkUsersFile reads a declared users file without saving anything.
func checkUsersFile(file string) error {
	if file == "" {
		return nil
	}
	f, err := os.Open(file) //nolint:gosec // the operator names it
	if err != nil {
		return fmt.Errorf("users_file: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read from
	problems, err := identity.ParseRecords(f, func(int, identity.Record) error { return nil })
	if err != nil {
		return fmt.Errorf("users_file: %w", err)
	}
	var all []error
	for _, p := range problems {
		all = append(all, fmt.Errorf("users_file %s: %s", file, p))
	}
	return errors.Join(all...)
}
