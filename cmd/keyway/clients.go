package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/identity"
)

func clientsCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "clients", Short: "Add, list and delete OAuth clients, and invite others to register themselves",
		Example: "  keyway clients add reports --grant client_credentials --scope reports.read\n  keyway clients list",
	}
	file := configFlag(c)
	c.AddCommand(clientsAdd(file), clientsList(file), clientsShow(file), clientsDelete(file),
		clientsInvite(file), clientsInvitations(file), clientsUninvite(file))
	return c
}

func clientsAdd(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "add CLIENT-ID", Short: "Add a client; its generated secret is shown once",
		Long: "Add makes a client with a generated secret, which is shown once. What has no flag here, such as keys,\n" +
			"certificates and pairwise subjects, is said in the configuration's clients section instead. To change a\n" +
			"client that was added, delete it and add it again; its tokens end, and it gets\nanother secret.",
		Example: "  keyway clients add reports --grant client_credentials --scope reports.read --introspect\n" +
			"  keyway clients add shop --grant authorization_code,refresh_token --scope openid,profile,offline_access --redirect-uri https://shop.example.com/callback",
		Args: oneArg("CLIENT-ID"),
	}
	added := &provider.Client{AuthMethod: provider.AuthSecretBasic, Source: "cli"}
	f := c.Flags()
	f.StringVar(&added.Name, "name", "", "what people are shown")
	f.StringSliceVar(&added.GrantTypes, "grant", []string{"client_credentials"}, "the grants it may use: client_credentials, refresh_token, authorization_code, "+client.GrantDevice)
	f.StringSliceVar(&added.Scopes, "scope", nil, "the scopes it may ask for")
	f.StringSliceVar(&added.Audience, "audience", nil, "the audiences it may ask for")
	f.StringSliceVar(&added.RedirectURIs, "redirect-uri", nil, "where it may be returned to")
	f.StringSliceVar(&added.PostLogoutRedirectURIs, "post-logout-redirect-uri", nil, "where a logout may return to")
	f.StringVar(&added.BackchannelLogoutURI, "backchannel-logout-uri", "", "where it is told that somebody is signed out")
	f.StringVar(&added.FrontchannelLogoutURI, "frontchannel-logout-uri", "", "what the browser loads when somebody signs out in it")
	f.StringSliceVar(&added.AllowedCORSOrigins, "cors-origin", nil, "the origins of its pages that call from a browser")
	f.BoolVar(&added.SkipConsent, "skip-consent", false, "people are not asked whether they may; for your own apps")
	f.BoolVar(&added.MayRevokeLegacy, "revoke-legacy", false, "it may revoke the tokens of legacy systems")
	f.BoolVar(&added.MayExchange, "exchange", false, "it may exchange tokens for narrower ones of its own")
	f.BoolVar(&added.MayIntrospect, "introspect", false, "it may introspect every token, not only its own")
	f.BoolVar(&added.PKCEOptional, "pkce-optional", false, "it may sign people in without PKCE, for a library that has none; not for a public client")
	public := f.Bool("public", false, "it cannot keep a secret: none is made")
	jwt := f.Bool("jwt", false, "its access tokens are JWTs (RFC 9068) instead of opaque")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		added.ID = args[0]
		if err := checkNewClient(added, *public); err != nil {
			return usageError{err}
		}
		if *jwt {
			added.AccessTokenFormat = provider.FormatATJWT
		}
		secret := ""
		switch {
		case *public:
			added.AuthMethod = provider.AuthNone
		default:
			var hash string
			secret, hash = client.NewSecret()
			added.SecretHashes = []string{hash}
		}
		if err := added.Check(); err != nil {
			return usageError{err}
		}
		return withStore(cmd, *file, func(ctx context.Context, p *program) error { return p.addClient(ctx, cmd, added, secret) })
	}
	return c
}

func checkNewClient(c *provider.Client, public bool) error {
	if slices.Equal(c.GrantTypes, []string{"refresh_token"}) {
		return errors.New("refresh_token alone never gets a token; add the grant that the first token comes from")
	}
	if strings.HasPrefix(c.ID, internalClientID("")) {
		return fmt.Errorf("client ids that begin with %q belong to legacy systems", internalClientID(""))
	}
	for _, g := range c.GrantTypes {
		switch g {
		case "client_credentials":
			if public {
				return errors.New("a public client cannot use client_credentials")
			}
		case "refresh_token", client.GrantDevice:
		case "authorization_code":
			if len(c.RedirectURIs) == 0 {
				return errors.New("authorization_code needs a --redirect-uri")
			}
			c.ResponseTypes = []string{"code"}
		default:
			return fmt.Errorf("--grant takes client_credentials, refresh_token, authorization_code and %s, not %q", client.GrantDevice, g)
		}
	}
	return nil
}

func (p *program) addClient(ctx context.Context, cmd *cobra.Command, c *provider.Client, secret string) error {
	if _, err := p.store.FindClient(ctx, c.ID); err == nil {
		return fmt.Errorf("there is a client %q already", c.ID)
	} else if !errors.Is(err, identity.ErrNotFound) {
		return err
	}
	if err := c.Check(); err != nil {
		return err
	}
	if err := p.store.SaveClient(ctx, c); err != nil {
		return err
	}
	out := cmd.OutOrStdout()
	if secret == "" {
		_, err := fmt.Fprintf(out, "client_id: %s\n", c.ID)
		return err
	}
	_, err := fmt.Fprintf(out, "client_id: %s\nclient_secret: %s\nThe secret is shown only now. Keyway keeps a hash of it.\n", c.ID, secret)
	return err
}

// clientRow is how commands print a client. It has no secret.
type clientRow struct {
	ID         string   `json:"client_id"`
	Name       string   `json:"client_name,omitempty"`
	AuthMethod string   `json:"token_endpoint_auth_method"`
	GrantTypes []string `json:"grant_types"`
	Scopes     []string `json:"scopes"`
	System     string   `json:"system,omitempty"`
	Source     string   `json:"source"`
	Disabled   bool     `json:"disabled"`
}

func clientsList(file *string) *cobra.Command {
	c := &cobra.Command{Use: "list", Short: "List clients, those of legacy systems too", Example: "  keyway clients list -o json", Args: cobra.NoArgs}
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, _ []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			clients, err := p.store.ListClients(ctx)
			if err != nil {
				return err
			}
			values, rows := []clientRow{}, [][]string{}
			for _, c := range clients {
				values = append(values, clientRow{
					ID: c.ID, Name: c.Name, AuthMethod: string(c.AuthMethod), GrantTypes: c.GrantTypes, Scopes: c.Scopes,
					System: c.System, Source: c.Source, Disabled: c.Disabled,
				})
				rows = append(rows, []string{c.ID, string(c.AuthMethod), strings.Join(c.GrantTypes, " "), strings.Join(c.Scopes, " "), c.Source})
			}
			return printRows(cmd.OutOrStdout(), *format, values, []string{"client", "authentication", "grants", "scopes", "source"}, rows)
		})
	}
	return c
}

func clientsDelete(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "delete CLIENT-ID", Short: "Delete a client and revoke all of its tokens", Example: "  keyway clients delete reports", Args: oneArg("CLIENT-ID"),
	}
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			client, err := p.findClient(ctx, args[0])
			if err != nil {
				return err
			}
			for _, s := range p.cfg.Systems {
				if client.ID == internalClientID(s.Name) {
					return fmt.Errorf("%s is the client of the legacy system %s; remove that from the configuration first", client.ID, s.Name)
				}
			}
			for _, declared := range p.cfg.Clients {
				if client.ID == declared.ClientID {
					return fmt.Errorf("%s is declared in the configuration, and the next start would bring it back; remove it there first", client.ID)
				}
			}
			if err := p.store.DeleteClient(ctx, client.ID); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "deleted %s\n", client.ID)
			return err
		})
	}
	return c
}
