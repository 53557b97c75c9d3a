package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"keyway/config"
	"keyway/provider/federation"
	"keyway/provider/upstream/codeflow"
	"keyway/provider/upstream/mapping"
)

// reported is how connectors report prints what would become of somebody.
type reported struct {
	Line      int    `json:"line"`
	Issuer    string `json:"issuer,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Outcome   string `json:"outcome"` // a fate, or bad for a line that cannot be read
	LoginName string `json:"login_name,omitempty"`
	User      string `json:"user,omitempty"` // ours: whom they are, or collide with
	Why       string `json:"why,omitempty"`
}

func connectorsReport(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "report ID FILE", Short: "Show whom a connector would link, make or refuse, before it is switched on",
		Long: "Report reads people of an upstream from FILE or with - from the standard input, JSON Lines of claims as\n" +
			"connectors try reads them, and prints what the sign-in of each would come to, in this order:\n" +
			"linked (they are a user), created (a user would be made), collision (the login name or an account is\n" +
			"somebody else's), unknown (nobody is linked, and the connector makes no users), refused (the mapping does\n" +
			"not let them in), untrusted (the mapping fails), bad (the line cannot be read). Nothing is changed, and the\n" +
			"upstream is not asked. The connector may be disabled.",
		Example: "  keyway connectors report corp people.jsonl\n  keyway connectors report corp people.jsonl -o json | jq '.[] | select(.outcome == \"collision\")'",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return errors.New("give a connector's id and a file, or - for the standard input")
			}
			return nil
		},
	}
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) error {
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			connector, err := findConnector(p.cfg, args[0])
			if err != nil {
				return err
			}
			in := cmd.InOrStdin()
			if args[1] != "-" {
				f, err := os.Open(args[1])
				if err != nil {
					return err
				}
				defer func() { _ = f.Close() }()
				in = f
			}
			all, err := p.report(ctx, connector, in)
			if err != nil {
				return err
			}
			return printReport(cmd, *format, all)
		})
	}
	return c
}

// report judges every line. It stops only where the file or the database cannot be
// read.
func (p *program) report(ctx context.Context, c *config.Connector, in io.Reader) ([]reported, error) {
	m, err := mapping.New(mappingOf(c))
	if err != nil {
		return nil, fmt.Errorf("connector %s: mapping: %w", c.ID, err)
	}
	forecast := federation.NewForecast(m, p.store, c.Create)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxUpstreamAnswer)
	all := []reported{}
	for n := 1; lines.Scan(); n++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		r, err := p.reportLine(ctx, c, forecast, lines.Bytes())
		if err != nil {
			return nil, err
		}
		r.Line = n
		all = append(all, *r)
	}
	return all, lines.Err()
}

func (p *program) reportLine(ctx context.Context, c *config.Connector, f *federation.Forecast, line []byte) (*reported, error) {
	claims, err := codeflow.Claims(line)
	if err != nil {
		return &reported{Outcome: "bad", Why: err.Error()}, nil //nolint:nilerr // the report says so
	}
	person, err := personOf(c, claims, "")
	if err != nil {
		return &reported{Outcome: "bad", Why: err.Error()}, nil //nolint:nilerr // the report says so
	}
	r := &reported{Issuer: person.Issuer, Subject: person.Subject}
	if c.Type == "oidc" && len(c.Tenants) == 0 && person.Issuer != c.Issuer {
		r.Outcome, r.Why = string(federation.FateRefused), "they are of another issuer than the connector's"
		return r, nil
	}
	seen, err := f.Judge(ctx, person)
	if err != nil {
		return nil, err
	}
	r.Outcome, r.LoginName, r.Why = string(seen.Fate), seen.LoginName.Name, seen.Why
	if seen.Subject != "" {
		r.User = p.nameOf(ctx, seen.Subject)
	}
	if seen.Fate == federation.FateCollision {
		r.Why = collisionText(seen)
	}
	return r, nil
}

func collisionText(seen *federation.Foreseen) string {
	what := "the login name"
	if seen.On != "login_name" {
		what = "the account in " + seen.On
	}
	if seen.Earlier != "" {
		return what + " would be that of " + seen.Earlier + ", who comes before"
	}
	return what + " is that user's; keyway users link links both where they are one person"
}

// printReport ends with how many there are of each, beside the table. A line that cannot
// be read is a failure of the command.
func printReport(cmd *cobra.Command, format string, all []reported) error {
	counts, rows := map[string]int{}, make([][]string, 0, len(all))
	for i := range all {
		r := &all[i]
		counts[r.Outcome]++
		rows = append(rows, []string{strconv.Itoa(r.Line), cmp.Or(r.Subject, "-"), r.Outcome, cmp.Or(r.LoginName, "-"), cmp.Or(r.User, "-"), r.Why})
	}
	if err := printRows(cmd.OutOrStdout(), format, all, []string{"line", "subject", "outcome", "login name", "user", "why"}, rows); err != nil {
		return err
	}
	for _, outcome := range []string{"linked", "created", "collision", "unknown", "refused", "untrusted", "bad"} {
		if n := counts[outcome]; n > 0 {
			_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d\n", outcome, n)
		}
	}
	if n := counts["bad"]; n > 0 {
		return fmt.Errorf("%d lines could not be read", n)
	}
	return nil
}
