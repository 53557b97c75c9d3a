package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"keyway/provider/identity"
)

// explainWish is what is to be explained.
type explainWish struct {
	system, username, directory, from string
	password                          string // "" for none
}

func explainCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "explain SYSTEM USERNAME", Short: "Say what becomes of a login: who is asked about the password, and why",
		Long: "Explain says which rule fits a login at a legacy system (or at the login page, as browser), which\n" +
			"verifiers it asks, and which user and account the name leads to. It changes nothing and asks nobody.\n\n" +
			"With --password-stdin it signs in, and says what each verifier answered and who came of it. That counts as\n" +
			"any login does, and is recorded; it makes no token.",
		Example: "  keyway explain faveo alice@corp.example.com\n  printf %s \"$PASSWORD\" | keyway explain faveo alice --password-stdin -o json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("give one SYSTEM and one USERNAME, not %d arguments", len(args))
			}
			return nil
		},
	}
	var w explainWish
	file := configFlag(c)
	c.Flags().StringVar(&w.directory, "directory", "", "the directory of the login name, where the system makes it from the request")
	c.Flags().StringVar(&w.from, "from", "", "the `ADDRESS` that the login comes from; without, one of the system's networks")
	ask := c.Flags().Bool("password-stdin", false, "sign in with the password on standard input")
	format := outputFlag(c)
	c.RunE = func(cmd *cobra.Command, args []string) (err error) {
		w.system, w.username = args[0], args[1]
		if *ask {
			if w.password, err = readPassword(cmd.InOrStdin()); err != nil {
				return err
			}
		}
		return withStore(cmd, *file, func(ctx context.Context, p *program) error {
			signIn, err := p.openVerifiers() //nolint:contextcheck // a breaker logs for nobody's request
			if err != nil {
				return err
			}
			x := &explaining{program: p, signIn: signIn, e: &explanation{System: w.system}}
			e, err := x.explain(ctx, w)
			if err != nil {
				return err
			}
			return printRows(cmd.OutOrStdout(), *format, e, []string{"what", "which"}, e.rows())
		})
	}
	return c
}

// readPassword reads one line, whose end is not part of it.
func readPassword(r io.Reader) (string, error) {
	const most = 1 << 16
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return "", err
	}
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	if password == "" {
		return "", usageError{errors.New("no password on standard input")}
	}
	return password, nil
}

// openVerifiers makes what judges passwords, without the rest of the provider.
func (p *program) openVerifiers() (signIn *identity.SignIn, err error) {
	if err := applyPresets(p.cfg); err != nil {
		return nil, err
	}
	if p.systems, err = loadSystems(p.cfg); err != nil {
		return nil, err
	}
	calls, err := p.newCalls()
	if err != nil {
		return nil, err
	}
	upstreams, err := p.newFederation(calls)
	if err != nil {
		return nil, err
	}
	signIn, p.gate, err = p.newSignIn(upstreams)
	return signIn, err
}

// address is where the login comes from: as said, else from within the first of
// the system's networks.
func (w *explainWish) address(networks []netip.Prefix) (netip.Addr, error) {
	if w.from != "" {
		a, err := netip.ParseAddr(w.from)
		if err != nil {
			return a, usageError{errors.New("--from must be an address such as 192.0.2.7")}
		}
		return a, nil
	}
	if len(networks) > 0 {
		return networks[0].Addr(), nil
	}
	return netip.Addr{}, nil
}
