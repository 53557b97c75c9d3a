package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"keyway/provider/factor"
	"keyway/provider/identity"
)

// product is what authenticator apps show beside the codes.
const product = "Keyway"

// factorPolicy decides who needs a second factor.
func (p *program) factorPolicy() (*factor.Policy, error) {
	o := factor.PolicyOptions{
		Mode: factor.Mode(p.cfg.SecondFactor.Mode), Roles: p.cfg.SecondFactor.Roles, Links: p.store, Holders: p.store,
		Connectors: map[string]factor.Upstream{}, Systems: map[string]factor.Legacy{},
	}
	for _, c := range p.cfg.Connectors {
		o.Connectors[c.ID] = factor.Upstream{Trust: c.TrustSecondFactor, ACRs: c.FactorACR, Require: c.RequireSecondFactor}
	}
	for _, s := range p.cfg.Systems {
		o.Systems[s.Name] = factor.Legacy(s.SecondFactor)
	}
	return factor.NewPolicy(o)
}

// newFactors lets people enrol and prove second factors.
func (p *program) newFactors(policy *factor.Policy, gate *identity.Gate) (err error) {
	passkeys, err := factor.NewPasskeys(p.cfg.Issuer, product)
	if err != nil {
		return err
	}
	p.factors.Policy = policy
	p.factors.Desk, err = factor.New(factor.Options{
		Storage: p.store, Recovery: p.store, Challenges: p.store, Gate: gate, Product: product, Passkeys: passkeys, Now: p.now,
	})
	return err
}

// factorRow is how commands print what somebody has enrolled. It has no secret.
type factorRow struct {
	Kind      string    `json:"kind"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UsedAt    time.Time `json:"used_at"`
}

// factorRows adds what the user has enrolled to r, and returns it as rows.
func (p *program) factorRows(ctx context.Context, subject string, r *userRow) (rows [][]string, err error) {
	held, err := p.store.ListEnrolments(ctx, subject)
	for i := range held {
		e := &held[i]
		r.Factors = append(r.Factors, factorRow{Kind: string(e.Kind), Name: e.Name, CreatedAt: e.CreatedAt, UsedAt: e.UsedAt})
		rows = append(rows, []string{"second factor", fmt.Sprintf("%s %q, used at %s", e.Kind, e.Name, e.UsedAt.Format(time.RFC3339))})
	}
	return rows, err
}

func usersResetFactor(file *string) *cobra.Command {
	c := &cobra.Command{
		Use:   "reset-factor LOGIN-NAME|SUBJECT",
		Short: "Remove a user's second factors and recovery codes, and sign the user's browsers out",
		Long: "Reset-factor is for somebody who has lost what they sign in with. Make sure that it is they who ask:\n" +
			"afterwards the password alone lets them in, or leads them to set up a new second factor.",
		Example: "  keyway users reset-factor alice", Args: oneArg("LOGIN-NAME|SUBJECT"),
	}
	directory := c.Flags().String("directory", "default", "the directory of the login name")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			u, err := p.findUser(ctx, *directory, args[0])
			if err != nil {
				return err
			}
			n, err := p.store.ResetFactors(ctx, u.Subject)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "removed %d second factor(s) of %s\n", n, args[0])
			return err
		})
	}
	return c
}
