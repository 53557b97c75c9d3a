package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyway/provider/identity"
)

func usersCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "users", Short: "Add, import, list, show, link and disable users",
		Example: "  keyway users import people.jsonl\n  keyway users list --match alice\n  keyway users disable alice",
	}
	file := configFlag(c)
	c.AddCommand(usersAdd(file), usersImport(file), usersList(file), usersShow(file), usersLink(file), usersUnlink(file),
		usersStatus(file, "disable", "Disable a user and revoke all of the user's tokens", identity.StatusDisabled),
		usersResetFactor(file),
		usersStatus(file, "enable", "Let a disabled or unverified user sign in again", identity.StatusActive))
	return c
}

// withStore opens the configured database for one command.
func withStore(cmd *cobra.Command, file string, do func(ctx context.Context, p *program) error) error {
	cfg, err := loadConfig(cmd, file)
	if err != nil {
		return err
	}
	p := &program{cfg: cfg, log: newLog(cfg.Log, cmd.ErrOrStderr()), now: time.Now}
	defer p.close()
	if err := p.openStore(cmd.Context()); err != nil {
		return err
	}
	if p.hasher, err = newHasher(cfg.Passwords); err != nil {
		return err
	}
	tune(cfg.Passwords, p.hasher.Workers())
	return do(cmd.Context(), p)
}

func usersImport(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "import FILE", Short: "Import users from JSON Lines; a second run changes nothing",
		Long: "Import reads one user a line, as JSON. Bad lines are reported with their number and the good\n" +
			"ones are kept; then the exit code is 1. FILE may be - for standard input.",
		Example: `  keyway users import people.jsonl
  echo '{"directory":"default","login_names":["bob"],"status":"active","password":"…"}' | keyway users import -`,
		Args: oneArg("FILE"),
	}
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			begin := time.Now()
			summary, err := p.importFrom(ctx, args[0], cmd.InOrStdin())
			if err != nil {
				return err
			}
			for _, problem := range summary.Problems {
				_, _ = fmt.Fprintln(cmd.ErrOrStderr(), problem)
			}
			row := []string{
				fmt.Sprint(summary.Created), fmt.Sprint(summary.Updated), fmt.Sprint(summary.Unchanged),
				fmt.Sprint(len(summary.Problems)), time.Since(begin).Round(time.Millisecond).String(),
			}
			if err := printRows(cmd.OutOrStdout(), *format, summary, []string{"created", "updated", "unchanged", "bad lines", "took"}, [][]string{row}); err != nil {
				return err
			}
			if n := len(summary.Problems); n > 0 {
				return fmt.Errorf("%d lines were not imported", n)
			}
			return nil
		})
	}
	return c
}

func (p *program) importFrom(ctx context.Context, file string, stdin io.Reader) (identity.ImportSummary, error) {
	if file != "-" {
		return p.importUsers(ctx, file)
	}
	saver, err := identity.NewSaver(identity.SaverOptions{Directory: p.store, Users: p.store, Hasher: p.hasher})
	if err != nil {
		return identity.ImportSummary{}, err
	}
	return saver.Import(ctx, stdin)
}

func usersAdd(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "add LOGIN-NAME", Short: "Add a user; the password is read from standard input",
		Example: "  printf %s \"$PASSWORD\" | keyway users add bob --email bob@example.com --account faveo=12",
		Args:    oneArg("LOGIN-NAME"),
	}
	directory := c.Flags().String("directory", "default", "the directory of the login name")
	email := c.Flags().String("email", "", "the e-mail address; also a login name")
	accounts := c.Flags().StringToString("account", nil, "an account in a legacy system, as `SYSTEM=ID`; may be repeated")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		password, err := io.ReadAll(io.LimitReader(cmd.InOrStdin(), 1<<16))
		if err != nil {
			return err
		}
		secret := strings.TrimSuffix(strings.TrimSuffix(string(password), "\n"), "\r")
		if secret == "" {
			return usageError{errors.New("no password on standard input")}
		}
		rec := identity.Record{
			User: identity.User{
				Status: identity.StatusActive, Email: *email, LoginNames: []identity.LoginName{{Directory: *directory, Name: args[0]}},
				Claims: map[string]any{"preferred_username": args[0]},
			},
			Credentials: []identity.RecordCredential{{Credential: identity.Credential{Slot: identity.SlotPassword}, Password: secret}},
		}
		if *email != "" && !strings.EqualFold(*email, args[0]) {
			rec.User.LoginNames = append(rec.User.LoginNames, identity.LoginName{Directory: *directory, Name: *email})
		}
		for system, id := range *accounts {
			rec.Accounts = append(rec.Accounts, identity.Account{System: system, ID: id})
		}
		return withStore(cmd, *file, func(ctx context.Context, p *program) error { return p.addUser(ctx, cmd, rec) })
	}
	return c
}

func (p *program) addUser(ctx context.Context, cmd *cobra.Command, rec identity.Record) error {
	name := rec.User.LoginNames[0]
	if _, err := p.store.FindLogin(ctx, name.Directory, name.Name); err == nil {
		return fmt.Errorf("the login name %q is taken in directory %q", name.Name, name.Directory)
	} else if !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	saver, err := identity.NewSaver(identity.SaverOptions{Directory: p.store, Users: p.store, Hasher: p.hasher})
	if err != nil {
		return err
	}
	results, err := saver.Save(ctx, []identity.Record{rec})
	if err != nil {
		return err
	}
	if results[0].Err != nil {
		return results[0].Err
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "added %s, subject %s\n", name.Name, results[0].Subject)
	return err
}
