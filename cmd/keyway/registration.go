package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyway/provider/identity"
	"keyway/provider/registration"
)

const registrationOff = "off"

// registration is what the configuration says of clients that register
// themselves; its zero value lets none.
func (p *program) registration() registration.Options {
	r := p.cfg.Registration
	if r.Mode == registrationOff {
		return registration.Options{}
	}
	return registration.Options{
		Open: r.Mode == "open", PerSource: r.PerSource, Storage: p.store,
		Policy: registration.Policy{
			GrantTypes: r.GrantTypes, AuthMethods: r.AuthMethods, Scopes: append([]string{}, r.Scopes...), ApplicationTypes: r.ApplicationTypes,
			RedirectHosts: r.RedirectHosts, MaxClients: r.MaxClients,
		},
	}
}

func clientsInvite(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "invite", Short: "Make an initial access token, by which clients register themselves; it is shown once",
		Long: "Invite makes an initial access token (RFC 7591). Whoever has it can register clients at /oauth2/register,\n" +
			"within what the configuration's registration section allows.",
		Example: "  keyway clients invite --uses 50 --expires 720h --scope openid --scope email --note \"previews of the shop\"", Args: cobra.NoArgs,
	}
	i := &registration.Invitation{}
	f := c.Flags()
	f.IntVar(&i.MaxUses, "uses", 1, "how many clients may be registered by it")
	lives := f.Duration("expires", 24*time.Hour, "how long it may be used")
	f.StringSliceVar(&i.Scopes, "scope", nil, "the scopes that such a client may have; default: those of the configuration")
	f.StringVar(&i.Note, "note", "", "whom it is for")
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case i.MaxUses < 1 || i.MaxUses > 1_000_000:
			return usageError{errors.New("--uses takes a number from 1 to 1000000")}
		case *lives < time.Minute || *lives > 10*365*24*time.Hour:
			return usageError{errors.New("--expires takes from 1m to ten years, such as 720h")}
		case len(i.Note) > 200:
			return usageError{errors.New("--note takes at most 200 bytes")}
		}
		return withStore(cmd, *file, func(ctx context.Context, p *program) error { return p.invite(ctx, cmd, i, *lives) })
	}
	return c
}

func (p *program) invite(ctx context.Context, cmd *cobra.Command, i *registration.Invitation, lives time.Duration) error {
	for _, s := range i.Scopes {
		if !slices.Contains(p.cfg.Registration.Scopes, s) {
			return fmt.Errorf("scope %q is not one of registration.scopes (%s)", s, strings.Join(p.cfg.Registration.Scopes, ", "))
		}
	}
	if p.cfg.Registration.Mode == registrationOff {
		_, _ = fmt.Fprintln(cmd.ErrOrStderr(), "warning: registration.mode is off; nobody can use this until it is token")
	}
	i.CreatedAt = p.now().UTC()
	i.ExpiresAt = i.CreatedAt.Add(lives)
	token := registration.NewInvitation(i)
	if err := p.store.AddInvitation(ctx, i); err != nil {
		return err
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "id: %s\ninitial_access_token: %s\nregistration_endpoint: %s/oauth2/register\nexpires: %s\n"+
		"The token is shown only now. Keyway keeps a hash of it.\n", i.ID, token, p.cfg.Issuer, i.ExpiresAt.Format(time.RFC3339))
	return err
}

// invitationRow is how commands print an invitation. It has no token.
type invitationRow struct {
	ID        string    `json:"id"`
	Note      string    `json:"note,omitempty"`
	Scopes    []string  `json:"scopes,omitempty"`
	Uses      int       `json:"uses"`
	MaxUses   int       `json:"max_uses"`
	ExpiresAt time.Time `json:"expires_at"`
}

func clientsInvitations(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "invitations", Short: "List the invitations that have not expired", Example: "  keyway clients invitations -o json", Args: cobra.NoArgs,
	}
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			all, err := p.store.ListInvitations(ctx)
			if err != nil {
				return err
			}
			values, rows := []invitationRow{}, [][]string{}
			for _, i := range all {
				values = append(values, invitationRow{ID: i.ID, Note: i.Note, Scopes: i.Scopes, Uses: i.Uses, MaxUses: i.MaxUses, ExpiresAt: i.ExpiresAt})
				used := fmt.Sprintf("%d of %d", i.Uses, i.MaxUses)
				rows = append(rows, []string{i.ID, used, i.ExpiresAt.Format(time.RFC3339), strings.Join(i.Scopes, " "), i.Note})
			}
			return printRows(cmd.OutOrStdout(), *format, values, []string{"id", "used", "expires", "scopes", "note"}, rows)
		})
	}
	return c
}

func clientsUninvite(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "uninvite ID", Short: "Take an invitation back; the clients that it registered stay",
		Example: "  keyway clients uninvite inv_0f1e2d3c4b5a", Args: oneArg("ID"),
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			err := p.store.DeleteInvitation(ctx, args[0])
			if errors.Is(err, identity.ErrNotFound) {
				return fmt.Errorf("there is no invitation %q", args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "took back %s\n", args[0])
			return err
		})
	}
	return c
}
