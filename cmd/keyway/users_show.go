package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyway/provider/identity"
)

// userRow is how commands print a user. It has no secret.
type userRow struct {
	Subject       string         `json:"subject"`
	Status        string         `json:"status"`
	Email         string         `json:"email,omitempty"`
	EmailVerified bool           `json:"email_verified"`
	LoginNames    []nameRow      `json:"login_names"`
	Claims        map[string]any `json:"claims,omitempty"`
	Accounts      []accountRow   `json:"accounts,omitempty"`
	Links         []linkRow      `json:"links,omitempty"`
	Factors       []factorRow    `json:"second_factors,omitempty"`
}

type nameRow struct {
	Directory string `json:"directory"`
	Name      string `json:"name"`
}

type accountRow struct {
	System     string         `json:"system"`
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

func rowOf(u identity.User) userRow {
	r := userRow{
		Subject: u.Subject, Status: string(u.Status), Email: u.Email, EmailVerified: u.EmailVerified,
		Claims: u.Claims, LoginNames: []nameRow{},
	}
	for _, n := range u.LoginNames {
		r.LoginNames = append(r.LoginNames, nameRow{Directory: n.Directory, Name: n.Name})
	}
	return r
}

func (r userRow) names() string {
	names := make([]string, 0, len(r.LoginNames))
	for _, n := range r.LoginNames {
		if n.Directory == "default" {
			names = append(names, n.Name)
			continue
		}
		names = append(names, n.Directory+":"+n.Name)
	}
	return strings.Join(names, " ")
}

func usersList(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "list", Short: "List users", Example: "  keyway users list --match example.com -o json", Args: cobra.NoArgs,
	}
	match := c.Flags().String("match", "", "only users whose login name, e-mail address or subject contains this")
	limit := c.Flags().Int("limit", 1000, "list at most so many")
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			users, err := p.store.ListUsers(ctx, *match, "", *limit+1)
			if err != nil {
				return err
			}
			if len(users) > *limit {
				users = users[:*limit]
				_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "there are more than these %d; narrow with --match, or raise --limit\n", *limit)
			}
			values, rows := []userRow{}, [][]string{}
			for _, u := range users {
				r := rowOf(u)
				values, rows = append(values, r), append(rows, []string{r.Subject, r.Status, r.Email, r.names()})
			}
			return printRows(cmd.OutOrStdout(), *format, values, []string{"subject", "status", "e-mail", "login names"}, rows)
		})
	}
	return c
}

// findUser finds a user by subject, or by login name in directory.
func (p *program) findUser(ctx context.Context, directory, name string) (*identity.User, error) {
	login, err := p.store.FindLogin(ctx, directory, name)
	if err == nil {
		return &login.User, nil
	}
	if !errors.Is(err, identity.ErrNotFound) {
		return nil, err
	}
	u, err := p.store.FindUser(ctx, name)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, fmt.Errorf("there is no user with the login name %q in directory %q, nor with that subject", name, directory)
	}
	return u, err
}

func usersShow(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "show LOGIN-NAME|SUBJECT", Short: "Show a user with all accounts, links and second factors", Example: "  keyway users show alice", Args: oneArg("LOGIN-NAME|SUBJECT"),
	}
	directory := c.Flags().String("directory", "default", "the directory of the login name")
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			u, err := p.findUser(ctx, *directory, args[0])
			if err != nil {
				return err
			}
			accounts, err := p.store.ListAccounts(ctx, u.Subject)
			if err != nil {
				return err
			}
			r := rowOf(*u)
			rows := [][]string{{"subject", r.Subject}, {"status", r.Status}, {"e-mail", r.Email}, {"login names", r.names()}}
			for _, a := range accounts {
				r.Accounts = append(r.Accounts, accountRow{System: a.System, ID: a.ID, Attributes: a.Attributes})
				rows = append(rows, []string{"account", a.System + " " + a.ID})
			}
			linked, err := p.linkRows(ctx, u.Subject, &r)
			if err != nil {
				return err
			}
			rows = append(rows, linked...)
			more, err := p.factorRows(ctx, u.Subject, &r)
			if err != nil {
				return err
			}
			return printRows(cmd.OutOrStdout(), *format, r, []string{"what", "value"}, append(rows, more...))
		})
	}
	return c
}

// linkRows adds to r whom upstreams know the user as.
func (p *program) linkRows(ctx context.Context, subject string, r *userRow) ([][]string, error) {
	links, err := p.store.ListLinks(ctx, subject)
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for i := range links {
		l := linkRowOf(&links[i])
		r.Links = append(r.Links, l)
		text := fmt.Sprintf("%s %s, %s at %s", l.Connector, l.Subject, l.Origin, l.LinkedAt.Format(time.RFC3339))
		if !l.RefusedAt.IsZero() {
			text += ", refused there since " + l.RefusedAt.Format(time.RFC3339)
		}
		rows = append(rows, []string{"link", text})
	}
	return rows, nil
}

func usersStatus(file *string, use, short string, to identity.Status) *cobra.Command {
	c := &cobra.Command{
		Use: use + " LOGIN-NAME|SUBJECT", Short: short, Example: "  keyway users " + use + " alice", Args: oneArg("LOGIN-NAME|SUBJECT"),
	}
	directory := c.Flags().String("directory", "default", "the directory of the login name")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			u, err := p.findUser(ctx, *directory, args[0])
			if err != nil {
				return err
			}
			if err := p.store.SetStatus(ctx, u.Subject, to); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is %s\n", args[0], to)
			return err
		})
	}
	return c
}
