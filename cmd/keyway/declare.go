package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"time"

	"keyway/config"
	"keyway/provider"
	"keyway/provider/client"
	"keyway/provider/identity"
)

const sourceConfig = client.SourceConfig

// declare applies what the configuration declares: clients, the internal
// client of each legacy system, and users. Applying it again changes nothing.
func (p *program) declare(ctx context.Context) error {
	declared := map[string]bool{}
	for _, c := range p.cfg.Clients {
		client, err := clientOf(c)
		if err != nil {
			return err
		}
		declared[client.ID] = true
		if err := p.provider.SaveClient(ctx, client); err != nil {
			return fmt.Errorf("client %s: %w", client.ID, err)
		}
	}
	for _, s := range p.cfg.Systems {
		client := internalClient(s)
		if declared[client.ID] {
			return fmt.Errorf("client %s: this id belongs to the legacy system %s", client.ID, s.Name)
		}
		declared[client.ID] = true
		if err := p.provider.SaveClient(ctx, client); err != nil {
			return fmt.Errorf("client %s: %w", client.ID, err)
		}
	}
	if err := p.reportOrphans(ctx, declared); err != nil {
		return err
	}
	if p.cfg.UsersFile == "" {
		return nil
	}
	summary, err := p.importUsers(ctx, p.cfg.UsersFile)
	if err != nil {
		return fmt.Errorf("users_file: %w", err)
	}
	for _, problem := range summary.Problems {
		p.log.Error("a line of users_file was not applied", slog.Int("line", problem.Line), slog.String("problem", problem.String()))
	}
	if summary.Created+summary.Updated > 0 {
		p.log.Info("users_file applied", slog.Int("created", summary.Created), slog.Int("updated", summary.Updated))
	}
	return nil
}

// reportOrphans warns of clients that were declared once and are not any
// more. They go on working: only the operator knows whether they should.
func (p *program) reportOrphans(ctx context.Context, declared map[string]bool) error {
	clients, err := p.store.ListClients(ctx)
	if err != nil {
		return err
	}
	for _, c := range clients {
		if c.Source == sourceConfig && !declared[c.ID] {
			p.log.Warn("a client is no longer declared and still works; to end it, run: keyway clients delete "+c.ID, slog.String("client", c.ID)) //nolint:sloglint // the command to copy
		}
	}
	return nil
}

// importUsers imports a file of the format of `keyway users import`.
func (p *program) importUsers(ctx context.Context, file string) (identity.ImportSummary, error) {
	saver, err := identity.NewSaver(identity.SaverOptions{Directory: p.store, Users: p.store, Hasher: p.hasher})
	if err != nil {
		return identity.ImportSummary{}, err
	}
	f, err := os.Open(file) //nolint:gosec // the operator names it
	if err != nil {
		return identity.ImportSummary{}, err
	}
	defer f.Close() //nolint:errcheck // only read from
	return saver.Import(ctx, f)
}

func clientOf(c config.Client) (*provider.Client, error) {
	out := &provider.Client{
		ID: c.ClientID, Name: c.Name, AuthMethod: provider.AuthMethod(c.AuthMethod), GrantTypes: c.GrantTypes,
		Scopes: c.Scopes, Audience: c.Audience, RedirectURIs: c.RedirectURIs,
		BackchannelLogoutURI: c.BackchannelLogoutURI, BackchannelLogoutSession: c.BackchannelLogoutSession,
		FrontchannelLogoutURI: c.FrontchannelLogoutURI, FrontchannelLogoutSession: c.FrontchannelLogoutSession,
		PostLogoutRedirectURIs: c.PostLogoutRedirectURIs, AccessTokenFormat: provider.TokenFormat(c.AccessTokenFormat),
		IDTokenAlg: c.IDTokenAlg, AccessTokenAlg: c.AccessTokenAlg,
		AccessLifetime: client.Duration(c.AccessLifetime), RefreshLifetime: client.Duration(c.RefreshLifetime),
		MayIntrospect: c.MayIntrospect, MayRevokeLegacy: c.MayRevokeLegacy, MayExchange: c.MayExchange,
		MayTakeUpstream: c.MayTakeUpstream, SkipConsent: c.SkipConsent, Disabled: c.Disabled, Source: sourceConfig,
	}
	bindClient(out, &c)
	out.Roles, out.RolesClaim = c.Roles, c.RolesClaim
	out.RequireSecondFactor = c.RequireSecondFactor
	out.PKCEOptional, out.RequirePushed, out.RequireRequestObject = c.PKCEOptional, c.RequirePushed, c.RequireRequestObject
	out.RequestObjectAlg, out.ResponseAlg, out.DetailTypes = c.RequestObjectAlg, c.ResponseAlg, c.DetailTypes
	out.JWKSURI, out.ClientURI, out.PolicyURI, out.TermsURI = c.JWKSURI, c.ClientURI, c.PolicyURI, c.TermsURI
	if c.DefaultMaxAge > 0 {
		seconds := int64(c.DefaultMaxAge / time.Second)
		out.DefaultMaxAge = &seconds
	}
	for _, grant := range c.GrantTypes {
		if grant == "authorization_code" {
			out.ResponseTypes = []string{"code"}
		}
	}
	if secret := c.Secret.Reveal(); secret != "" {
		out.SecretHashes = []string{client.HashSecret(secret)}
	}
	if c.JWKS != "" {
		keys, err := readLimited(c.JWKS, maxJWKS)
		if err != nil {
			return nil, fmt.Errorf("client %s: jwks: %w", c.ClientID, err)
		}
		out.JWKS = keys
	}
	return out, nil
}

// detailTypes are the types of authorization details of all declared clients.
func detailTypes(clients []config.Client) []string {
	var all []string
	for i := range clients {
		all = append(all, clients[i].DetailTypes...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// internalClient is the client that a legacy system's logins are granted to.
func internalClient(s config.System) *provider.Client {
	name := s.Name
	if s.Owner != "" {
		name += " (" + s.Owner + ")"
	}
	return &provider.Client{
		ID: internalClientID(s.Name), Name: name, AuthMethod: provider.AuthAdapter, GrantTypes: []string{"password"},
		Scopes: s.Scopes, Audience: s.Audience, System: s.Name, Source: sourceConfig,
	}
}

// findClient returns an error that says so where there is no such client.
func (p *program) findClient(ctx context.Context, id string) (*provider.Client, error) {
	c, err := p.store.FindClient(ctx, id)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, fmt.Errorf("there is no client %q", id)
	}
	return c, err
}

const maxJWKS = 1 << 20 // bytes

// readLimited reads a file of at most limit bytes.
func readLimited(file string, limit int64) (string, error) {
	f, err := os.Open(file) //nolint:gosec // the operator names it
	if err != nil {
		return "", err
	}
	defer f.Close() //nolint:errcheck // only read from
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes", file, limit)
	}
	return string(b), err
}
