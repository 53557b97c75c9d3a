package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keyway/config"
	"keyway/provider/identity"
)

// linkRow is how commands print a link. It has no token of the upstream.
type linkRow struct {
	Connector string    `json:"connector"`
	Issuer    string    `json:"issuer"`
	Subject   string    `json:"subject"`
	Origin    string    `json:"origin"`
	Roles     []string  `json:"roles,omitempty"`
	LinkedAt  time.Time `json:"linked_at"`
	SeenAt    time.Time `json:"seen_at,omitzero"`
	RefusedAt time.Time `json:"refused_at,omitzero"`
}

func linkRowOf(l *identity.Link) linkRow {
	return linkRow{
		Connector: l.Connector, Issuer: l.Issuer, Subject: l.UpstreamSubject, Origin: string(l.Origin), Roles: l.Roles, LinkedAt: l.LinkedAt, SeenAt: l.SeenAt, RefusedAt: l.RefusedAt,
	}
}

// issuerOf is what people of a connector are of. Those of an issuer with tenants are of
// their tenant's, which nobody but the operator knows.
func issuerOf(c *config.Connector) (string, error) {
	switch {
	case c.Type == "oauth":
		o, err := oauthOptions(c)
		return o.Issuer, err
	case len(c.Tenants) > 0:
		return "", usageError{fmt.Errorf("connector %s has tenants; say by --issuer which the person is of, as it stands in their tokens", c.ID)}
	}
	return connectorIssuer(c), nil
}

// linkFlags say who somebody is at an upstream.
type linkFlags struct{ connector, subject, issuer, directory string }

func (f *linkFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.connector, "connector", "", "the connector's `ID`")
	c.Flags().StringVar(&f.subject, "subject", "", "who the person is at the upstream: `SUB`, never their e-mail address")
	c.Flags().StringVar(&f.directory, "directory", "default", "the directory of the login name")
}

func usersLink(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "link LOGIN-NAME|SUBJECT", Short: "Link a user to somebody at an upstream",
		Long: "Link lets a user in who is signed in at a connector's upstream as --subject, from their next sign-in on.\n" +
			"Nobody proves anything then: be sure that both are the same person. It also works before the connector\n" +
			"is enabled.",
		Example: "  keyway users link alice --connector corp --subject 248289761001", Args: oneArg("LOGIN-NAME|SUBJECT"),
	}
	var f linkFlags
	f.add(c)
	c.Flags().StringVar(&f.issuer, "issuer", "", "whose person it is, where the connector has tenants; else the connector's issuer")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if f.connector == "" || f.subject == "" {
			return usageError{errors.New("--connector and --subject are needed")}
		}
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			u, err := p.findUser(ctx, f.directory, args[0])
			if err != nil {
				return err
			}
			if err := p.link(ctx, u, f); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is linked to %s at %s\n", args[0], f.subject, f.connector)
			return err
		})
	}
	return c
}

func (p *program) link(ctx context.Context, u *identity.User, f linkFlags) error {
	connector, err := findConnector(p.cfg, f.connector)
	if err != nil {
		return err
	}
	if f.issuer == "" {
		if f.issuer, err = issuerOf(connector); err != nil {
			return err
		}
	}
	err = p.store.AddLink(ctx, &identity.Link{
		Connector: connector.ID, Issuer: f.issuer, UpstreamSubject: f.subject, Subject: u.Subject, Origin: identity.LinkByAdmin, LinkedAt: p.now(),
	})
	if !errors.Is(err, identity.ErrConflict) {
		return err
	}
	l, err := p.store.FindLink(ctx, f.issuer, f.subject)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s at %s is linked already, to the user %s", f.subject, l.Connector, p.nameOf(ctx, l.Subject))
}

// nameOf is what operators know a user by.
func (p *program) nameOf(ctx context.Context, subject string) string {
	u, err := p.store.FindUser(ctx, subject)
	if err != nil {
		return subject
	}
	return cmp.Or(rowOf(*u).names(), subject)
}

func usersUnlink(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "unlink LOGIN-NAME|SUBJECT", Short: "Unlink a user, and end what came by the connector",
		Long: "Unlink removes a user's link to an upstream, and ends the sessions and grants that came by its connector.\n" +
			"The only way in that a user has is not removed without --last.",
		Example: "  keyway users unlink alice --connector corp", Args: oneArg("LOGIN-NAME|SUBJECT"),
	}
	var f linkFlags
	f.add(c)
	last := c.Flags().Bool("last", false, "also where the user has no password and no other link")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if f.connector == "" {
			return usageError{errors.New("--connector is needed")}
		}
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			u, err := p.findUser(ctx, f.directory, args[0])
			if err != nil {
				return err
			}
			l, err := p.linkOf(ctx, u, f)
			if err != nil {
				return err
			}
			err = p.store.RemoveLink(ctx, &identity.Unlinking{
				Subject: u.Subject, Issuer: l.Issuer, UpstreamSubject: l.UpstreamSubject, Others: p.liveConnectors(), Anyway: *last,
			})
			if errors.Is(err, identity.ErrLastWay) {
				return fmt.Errorf("it is the only way in that %s has: there is no password, and no other link; --last unlinks it all the same", args[0])
			}
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is not linked to %s at %s any more\n", args[0], l.UpstreamSubject, l.Connector)
			return err
		})
	}
	return c
}

// linkOf finds the one link that is meant.
func (p *program) linkOf(ctx context.Context, u *identity.User, f linkFlags) (*identity.Link, error) {
	all, err := p.store.ListLinks(ctx, u.Subject)
	if err != nil {
		return nil, err
	}
	var found *identity.Link
	for i := range all {
		l := &all[i]
		if l.Connector != f.connector || f.subject != "" && l.UpstreamSubject != f.subject {
			continue
		}
		if found != nil {
			return nil, usageError{fmt.Errorf("there are several links of connector %s; say by --subject which, such as %s", f.connector, l.UpstreamSubject)}
		}
		found = l
	}
	if found == nil {
		return nil, fmt.Errorf("there is no such link; keyway users show %s shows all", u.Subject)
	}
	return found, nil
}

func (p *program) liveConnectors() []string {
	var ids []string
	for i := range p.cfg.Connectors {
		if c := &p.cfg.Connectors[i]; !c.Disabled {
			ids = append(ids, c.ID)
		}
	}
	return ids
}
