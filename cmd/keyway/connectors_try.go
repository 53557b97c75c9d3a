package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"keyway/config"
	"keyway/provider/identity"
	"keyway/provider/upstream"
	"keyway/provider/upstream/codeflow"
	"keyway/provider/upstream/mapping"
)

const maxUpstreamAnswer = 256 << 10 // bytes

// tried is how connectors try prints what came of an answer.
type tried struct {
	Connector string          `json:"connector"`
	Issuer    string          `json:"issuer"`
	Subject   string          `json:"subject"`
	Outcome   string          `json:"outcome"` // allowed, or what kind of failure
	Why       string          `json:"why,omitempty"`
	User      *triedUser      `json:"user,omitempty"`
	Fields    []mapping.Trial `json:"fields"`
}

// triedUser is who somebody would be here.
type triedUser struct {
	Directory     string         `json:"directory"`
	LoginName     string         `json:"login_name"`
	LoginNames    []triedName    `json:"login_names,omitempty"` // in further directories
	Email         string         `json:"email,omitempty"`
	EmailVerified bool           `json:"email_verified"`
	Roles         []string       `json:"roles"`
	Claims        map[string]any `json:"claims"`
	Accounts      []triedAccount `json:"accounts"`
}

type triedName struct {
	Directory string `json:"directory"`
	Name      string `json:"name"`
}

type triedAccount struct {
	System     string         `json:"system"`
	ID         string         `json:"id"`
	Attributes map[string]any `json:"attributes,omitempty"`
}

func connectorsTry(file *string) *cobra.Command {
	c := &cobra.Command{
		Use: "try ID FILE", Short: "Show what a connector's mapping makes of an upstream's answer",
		Long: "Try reads an upstream's answer, a JSON object of claims or attributes, from FILE or with - from the\n" +
			"standard input, and prints what the connector's mapping makes of it: whether the person may come in,\n" +
			"their login name, e-mail address, roles, claims and accounts, and each expression that fails with its\n" +
			"own error. It asks nobody, and opens no database. Of a connector of type oauth the answer is what its\n" +
			"userinfo_url says, with email, email_verified, groups and group_ids beside it.",
		Example: "  keyway connectors try corp answer.json\n  echo '{\"sub\":\"1\",\"email\":\"a@corp.example\"}' | keyway connectors try corp - -o json",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return fmt.Errorf("give a connector's id and a file, or - for the standard input")
			}
			return nil
		},
	}
	format := outputFlag(c)
	subject := c.Flags().String("subject", "", "who the answer is about, where it has no `SUB`")
	c.RunE = func(cmd *cobra.Command, args []string) error {
		cfg, err := loadConfig(cmd, *file)
		if err != nil {
			return err
		}
		connector, err := findConnector(cfg, args[0])
		if err != nil {
			return err
		}
		claims, err := readAnswer(cmd.InOrStdin(), args[1])
		if err != nil {
			return err
		}
		p, err := personOf(connector, claims, *subject)
		if err != nil {
			return err
		}
		return tryMapping(cmd.OutOrStdout(), *format, connector, p)
	}
	return c
}

func readAnswer(in io.Reader, file string) (map[string]any, error) {
	if file != "-" {
		text, err := readLimited(file, maxUpstreamAnswer)
		if err != nil {
			return nil, err
		}
		return codeflow.Claims([]byte(text))
	}
	text, err := io.ReadAll(io.LimitReader(in, maxUpstreamAnswer+1))
	if err == nil && len(text) > maxUpstreamAnswer {
		err = errors.New("the answer is larger than 256 KiB")
	}
	if err != nil {
		return nil, err
	}
	return codeflow.Claims(text)
}

// personOf is the person whom a connector would make of an answer that holds.
func personOf(c *config.Connector, claims map[string]any, subject string) (*upstream.Person, error) {
	if c.Type == "oauth" {
		made, err := offlineOAuth(c)
		if err != nil {
			return nil, err
		}
		return made.Read(claims)
	}
	text := func(name string) string { s, _ := claims[name].(string); return s }
	p := &upstream.Person{
		Issuer: cmp.Or(text("iss"), connectorIssuer(c)), Subject: cmp.Or(subject, text("sub")), Claims: claims, ACR: text("acr"), SID: text("sid"),
	}
	methods, _ := claims["amr"].([]any)
	for _, m := range methods {
		if s, ok := m.(string); ok {
			p.AMR = append(p.AMR, s)
		}
	}
	if p.Subject == "" {
		return nil, usageError{errors.New("the answer has no sub; say by --subject who it is about")}
	}
	return p, nil
}

// tryMapping prints what the mapping makes of p. An expression that fails is a
// failure of the command, a person who is refused is not.
func tryMapping(out io.Writer, format string, c *config.Connector, p *upstream.Person) error {
	m, err := mapping.New(mappingOf(c))
	if err != nil {
		return fmt.Errorf("connector %s: mapping: %w", c.ID, err)
	}
	t := &tried{Connector: c.ID, Issuer: p.Issuer, Subject: p.Subject, Outcome: "allowed", Fields: m.Try(p)}
	who, err := m.Map(p)
	if err != nil {
		t.Outcome, t.Why = string(upstream.KindOf(err)), errors.Unwrap(err).Error()
	} else {
		t.User = userOf(who)
	}
	if err := t.print(out, format); err != nil {
		return err
	}
	if t.Outcome == string(upstream.Untrusted) {
		return fmt.Errorf("connector %s: %s", c.ID, t.Why)
	}
	return nil
}

func userOf(f *identity.Federated) *triedUser {
	u := &triedUser{
		Directory: f.LoginName.Directory, LoginName: f.LoginName.Name, Email: f.Email, EmailVerified: f.EmailVerified,
		Roles: f.Roles, Claims: f.Claims, Accounts: []triedAccount{},
	}
	for _, n := range f.Names {
		u.LoginNames = append(u.LoginNames, triedName{Directory: n.Directory, Name: n.Name})
	}
	for _, a := range f.Accounts {
		u.Accounts = append(u.Accounts, triedAccount{System: a.System, ID: a.ID, Attributes: a.Attributes})
	}
	return u
}

func (t *tried) print(out io.Writer, format string) error {
	rows := [][]string{{"outcome", t.Outcome, t.Why}, {"issuer", t.Issuer, ""}, {"subject", t.Subject, ""}}
	for _, f := range t.Fields {
		value := ""
		if f.Error == "" {
			text, err := json.Marshal(f.Value)
			if err != nil {
				return err
			}
			value = string(text)
		}
		rows = append(rows, []string{f.Field, value, f.Error})
	}
	return printRows(out, format, t, []string{"field", "value", "error"}, rows)
}
