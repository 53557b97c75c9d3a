package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// usageError is a mistake in how a command was called.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run is the whole program, for main and for tests.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand() //nolint:contextcheck // each command has the context of its execution
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	at, err := root.ExecuteContextC(ctx)
	var usage usageError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		_, _ = fmt.Fprintf(stderr, "keyway: %v\nSee '%s --help'.\n", err, at.CommandPath())
		return exitUsage
	default:
		_, _ = fmt.Fprintf(stderr, "keyway: %v\n", err)
		return exitFailed
	}
}

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "keyway",
		Short: "Keep old login calls alive on top of an OpenID provider",
		Long: "Keyway answers the login calls of old applications byte for byte as they always were,\n" +
			"and makes each of them an OAuth 2.0 grant of an OpenID provider with the same users.",
		Example:       "  keyway demo\n  keyway check --config keyway.yaml\n  keyway serve --config keyway.yaml",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(serveCommand(), demoCommand(), checkCommand(), usersCommand(), clientsCommand(), keysCommand(), appsCommand(), explainCommand(), connectorsCommand())
	wantUsage(root)
	return root
}

// wantUsage makes every mistake in a command's arguments a usage error.
func wantUsage(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	if c.HasSubCommands() && c.RunE == nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usageError{fmt.Errorf("unknown command %q for %q", args[0], cmd.CommandPath())}
			}
			return nil
		}
		c.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	}
	for _, sub := range c.Commands() {
		wantUsage(sub)
	}
}

// oneArg wants exactly one argument and says what it is.
func oneArg(name string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		if len(args) != 1 {
			return fmt.Errorf("give one %s, not %d", name, len(args))
		}
		return nil
	}
}

// configFlag adds --config to a command.
func configFlag(c *cobra.Command) *string {
	return c.PersistentFlags().String("config", "keyway.yaml", "the configuration `FILE`")
}

// outputFlag adds -o to a command that prints a table.
func outputFlag(c *cobra.Command) *string {
	format := outputFormat("table")
	c.PersistentFlags().VarP(&format, "output", "o", "how to print: table or json")
	return (*string)(&format)
}

// outputFormat is the value of -o.
type outputFormat string

var _ pflag.Value = (*outputFormat)(nil)

// String implements [pflag.Value].
func (f *outputFormat) String() string { return string(*f) }

// Type implements [pflag.Value].
func (*outputFormat) Type() string { return "FORMAT" }

// Set implements [pflag.Value].
func (f *outputFormat) Set(s string) error {
	if s != "table" && s != "json" {
		return errors.New("must be table or json")
	}
	*f = outputFormat(s)
	return nil
}
