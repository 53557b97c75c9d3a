package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyway/adapter"
	"keyway/provider/apppassword"
	"keyway/provider/identity"
)

// appDesk makes app passwords for the systems.
func (p *program) appDesk(systems []adapter.Instance) (*apppassword.Desk, error) {
	o := apppassword.Options{Storage: p.store, Users: p.store, Now: p.now}
	titles := map[string]int{}
	for _, in := range systems {
		titles[in.System.Title]++
	}
	for _, in := range systems {
		s := apppassword.System{
			Name: in.Name, Title: in.System.Title, Accounts: in.Accounts, NeedAccount: in.System.Login.NeedAccount, Directories: in.Directories(),
		}
		if s.Accounts == "" {
			s.Accounts = in.System.Accounts
		}
		if s.Title == "" {
			s.Title = s.Name
		} else if titles[s.Title] > 1 {
			s.Title += " (" + s.Name + ")"
		}
		o.Systems = append(o.Systems, s)
	}
	return apppassword.New(o)
}

func appsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "apps", Short: "Make, list and remove app passwords: each opens one legacy system for one user",
		Example: "  keyway apps add alice --system faveo --name 'mail gateway'\n  keyway apps list alice\n  keyway apps remove alice 3f2a...",
	}
	file := configFlag(c)
	c.AddCommand(appsAdd(file), appsList(file), appsRemove(file))
	return c
}

// appRow is how commands print an app password. The password is there only
// when it was made.
type appRow struct {
	ID        string    `json:"id"`
	Subject   string    `json:"subject"`
	System    string    `json:"system"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	Networks  []string  `json:"networks,omitempty"`
	Password  string    `json:"password,omitempty"`
}

func appRowOf(p *identity.AppPassword) appRow {
	return appRow{
		ID: p.ID, Subject: p.Subject, System: p.System, Name: p.Name,
		CreatedAt: p.CreatedAt, UsedAt: p.UsedAt, ExpiresAt: p.ExpiresAt, Networks: p.Networks,
	}
}

func orDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}

func appsAdd(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "add LOGIN-NAME|SUBJECT", Short: "Make an app password; it is shown once",
		Example: "  keyway apps add alice --system faveo --name 'mail gateway' --days 365 --network 192.0.2.0/24", Args: oneArg("LOGIN-NAME|SUBJECT"),
	}
	var w apppassword.Wish
	directory := c.Flags().String("directory", "default", "the directory of the login name")
	c.Flags().StringVar(&w.System, "system", "", "the legacy system that it opens, by its name in the configuration")
	c.Flags().StringVar(&w.Name, "name", "", "what people know it by")
	c.Flags().IntVar(&w.Days, "days", 0, "how many days it works; 0 for ever")
	networks := c.Flags().StringSlice("network", nil, "an address or network from which alone it is taken; may be repeated")
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		w.Networks = strings.Join(*networks, " ")
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			u, err := p.findUser(ctx, *directory, args[0])
			if err != nil {
				return err
			}
			w.Subject = u.Subject
			made, err := p.makeApp(ctx, w)
			if err != nil {
				return err
			}
			row := appRowOf(&made.AppPassword)
			row.Password = made.Password
			return printRows(cmd.OutOrStdout(), *format, row, []string{"id", "system", "name", "expires", "password"},
				[][]string{{row.ID, row.System, row.Name, orDash(row.ExpiresAt), row.Password}})
		})
	}
	return c
}

func (p *program) makeApp(ctx context.Context, w apppassword.Wish) (*apppassword.Made, error) {
	systems, err := loadSystems(p.cfg)
	if err != nil {
		return nil, err
	}
	desk, err := p.appDesk(systems)
	if err != nil {
		return nil, err
	}
	made, err := desk.Make(ctx, w)
	var problem apppassword.Problem
	if errors.As(err, &problem) {
		return nil, appProblem(problem, w)
	}
	return made, err
}

// appProblem says what to do about a problem; only that of a missing system
// is not one of how the command was called.
func appProblem(problem apppassword.Problem, w apppassword.Wish) error {
	switch problem {
	case apppassword.ProblemName:
		return usageError{errors.New("--name must have 1 to 60 characters")}
	case apppassword.ProblemDays:
		return usageError{errors.New("--days must be 0 to 3650")}
	case apppassword.ProblemNetworks:
		return usageError{errors.New("--network must be an address or a network such as 192.0.2.0/24, at most 20 of them")}
	case apppassword.ProblemSystem:
		return fmt.Errorf("there is no system %q, or the user has no account or no login name there", w.System)
	default:
		return errors.New("the user has as many app passwords as anybody may have; remove one first")
	}
}

func appsList(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "list [LOGIN-NAME|SUBJECT]", Short: "List app passwords of a user, or of everybody", Example: "  keyway apps list -o json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("give at most one LOGIN-NAME|SUBJECT, not " + strconv.Itoa(len(args)))
			}
			return nil
		},
	}
	directory := c.Flags().String("directory", "default", "the directory of the login name")
	limit := c.Flags().Int("limit", 1000, "list at most so many")
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			subject := ""
			if len(args) == 1 {
				u, err := p.findUser(ctx, *directory, args[0])
				if err != nil {
					return err
				}
				subject = u.Subject
			}
			all, err := p.listApps(ctx, subject, *limit)
			if err != nil {
				return err
			}
			if len(all) > *limit {
				all = all[:*limit]
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "there are more than these %d; name a user, or raise --limit\n", *limit)
			}
			return printApps(cmd, *format, all)
		})
	}
	return c
}

func (p *program) listApps(ctx context.Context, subject string, limit int) ([]identity.AppPassword, error) {
	if subject != "" {
		return p.store.ListAppPasswords(ctx, subject)
	}
	return p.store.AllAppPasswords(ctx, limit+1)
}

func printApps(cmd *cobra.Command, format string, all []identity.AppPassword) error {
	values, rows := []appRow{}, [][]string{}
	for i := range all {
		r := appRowOf(&all[i])
		values = append(values, r)
		rows = append(rows, []string{r.ID, r.Subject, r.System, r.Name, orDash(r.CreatedAt), orDash(r.UsedAt), orDash(r.ExpiresAt), strings.Join(r.Networks, " ")})
	}
	return printRows(cmd.OutOrStdout(), format, values, []string{"id", "subject", "system", "name", "created", "used", "expires", "networks"}, rows)
}

func appsRemove(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "remove LOGIN-NAME|SUBJECT ID", Short: "Remove an app password, and revoke the user's tokens of its system",
		Example: "  keyway apps remove alice 3f2a9c51d24f684be7a0d31c95f2e8b6",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("give one LOGIN-NAME|SUBJECT and one ID, not %d arguments", len(args))
			}
			return nil
		},
	}
	directory := c.Flags().String("directory", "default", "the directory of the login name")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			u, err := p.findUser(ctx, *directory, args[0])
			if err != nil {
				return err
			}
			err = p.store.RemoveAppPassword(ctx, u.Subject, args[1])
			if errors.Is(err, identity.ErrNotFound) {
				return fmt.Errorf("%s has no app password with the id %q", args[0], args[1])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "removed %s\n", args[1])
			return err
		})
	}
	return c
}
