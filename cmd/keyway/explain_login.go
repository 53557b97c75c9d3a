package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"keyway/adapter"
	"keyway/provider/identity"
)

// explanation is what becomes of a login. It has no secret.
type explanation struct {
	System    string            `json:"system"`
	Directory string            `json:"directory"`
	From      string            `json:"from,omitempty"`
	Networks  []string          `json:"networks,omitempty"` // from which alone the system takes logins
	Rule      int               `json:"rule"`               // from 1; that behind those of the configuration is the standard one
	Steps     []explanationStep `json:"steps"`
	Subject   string            `json:"subject,omitempty"` // whom the name leads to
	Status    string            `json:"status,omitempty"`
	Account   string            `json:"account,omitempty"` // their account's id in the system
	Missing   bool              `json:"account_missing"`   // without an account there they are nobody in it
	Links     []string          `json:"links,omitempty"`   // the connectors that they are linked to
	Gate      string            `json:"gate"`              // "open", or why no password is looked at
	Outcome   *explanationEnd   `json:"outcome,omitempty"`
}

// explanationStep is one verifier, before and after it was asked.
type explanationStep struct {
	Verifier string   `json:"verifier"`
	Next     []string `json:"next"`              // the answers for which the next one is asked
	Answer   string   `json:"answer,omitempty"`  // "yes" or a reason; empty where it was not asked
	Because  string   `json:"because,omitempty"` // the cause, as the log has it
}

// explanationEnd is what came of the password.
type explanationEnd struct {
	Reason    string `json:"reason,omitempty"` // "" for a sign-in
	Because   string `json:"because,omitempty"`
	Subject   string `json:"subject,omitempty"`
	Account   string `json:"account,omitempty"`
	Connector string `json:"connector,omitempty"`
}

// explaining is one login of which an explanation is made.
type explaining struct {
	*program
	signIn      *identity.SignIn
	instance    *adapter.Instance // nil for the login page
	credentials identity.Credentials
	e           *explanation
}

func (x *explaining) explain(ctx context.Context, w explainWish) (*explanation, error) {
	x.credentials = identity.Credentials{Directory: w.directory, Username: w.username, Password: w.password, RequestID: "keyway explain"}
	if err := x.find(w); err != nil {
		return nil, err
	}
	if err := x.resolve(ctx); err != nil {
		return nil, err
	}
	x.describe(ctx)
	if w.password != "" {
		return x.e, x.signs(ctx)
	}
	return x.e, nil
}

// find finds the system, and how it reads logins.
func (x *explaining) find(w explainWish) error {
	i := slices.IndexFunc(x.systems, func(in adapter.Instance) bool { return in.Name == w.system })
	if i < 0 && w.system != browserSystem {
		return fmt.Errorf("there is no system %q", w.system)
	}
	c := &x.credentials
	directories := []string{identity.DefaultDirectory}
	if i >= 0 {
		x.instance = &x.systems[i]
		login := x.instance.System.Login
		directories = x.instance.Directories()
		c.System, c.Client = w.system, x.instance.Client
		c.StatusFirst, c.AllowUnverified = login.StatusFirst && !x.instance.UniformErrors, login.AllowUnverified
	}
	if c.Directory == "" {
		c.Directory = directories[0]
	}
	if strings.Contains(c.Directory, "{{") {
		return usageError{fmt.Errorf("%s makes the directory from the request, as %s; give --directory", w.system, c.Directory)}
	}
	return x.place(w)
}

func (x *explaining) place(w explainWish) (err error) {
	var networks []netip.Prefix
	for _, s := range x.cfg.Systems {
		if s.Name == x.credentials.System && s.Name != "" {
			networks = s.Networks
		}
	}
	if x.credentials.RemoteAddr, err = w.address(networks); err != nil {
		return err
	}
	x.e.Directory = x.credentials.Directory
	if x.credentials.RemoteAddr.IsValid() {
		x.e.From = x.credentials.RemoteAddr.String()
	}
	for _, n := range networks {
		x.e.Networks = append(x.e.Networks, n.String())
	}
	return nil
}

// resolve finds out whom the name leads to, as a login does.
func (x *explaining) resolve(ctx context.Context) error {
	c := &x.credentials
	l, err := c.Resolve(ctx, x.store)
	if err != nil {
		return err
	}
	needed := x.instance != nil && x.instance.System.Login.NeedAccount
	if c.Login = l; l == nil {
		c.Stranger, x.e.Missing = needed, needed
		return nil
	}
	x.e.Subject, x.e.Status = l.User.Subject, string(l.User.Status)
	if x.e.Account, err = x.account(ctx, l.User.Subject); err != nil {
		return err
	}
	x.e.Missing = needed && x.e.Account == ""
	c.Stranger = x.e.Missing
	links, err := x.store.ListLinks(ctx, l.User.Subject)
	for _, link := range links {
		x.e.Links = append(x.e.Links, link.Connector)
	}
	return err
}

// account is the id of somebody's account in the system; "" for none.
func (x *explaining) account(ctx context.Context, subject string) (string, error) {
	if x.instance == nil {
		return "", nil
	}
	system := x.instance.Accounts
	if system == "" {
		system = x.instance.System.Accounts
	}
	a, err := x.store.FindAccount(ctx, system, subject)
	if errors.Is(err, identity.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return a.ID, nil
}

// describe says who would be asked, and asks the gate, which counts nothing then.
func (x *explaining) describe(ctx context.Context) {
	c := &x.credentials
	rule, steps := x.chain.Rule(*c)
	x.e.Rule = rule
	for _, s := range steps {
		one := explanationStep{Verifier: s.Name, Next: []string{string(identity.ReasonUnknownUser)}}
		if s.Next != nil {
			one.Next = []string{}
		}
		for _, r := range s.Next {
			one.Next = append(one.Next, string(r))
		}
		x.e.Steps = append(x.e.Steps, one)
	}
	q := identity.Question{
		Moment: identity.MomentTry, Directory: c.Directory, Name: c.Username, System: c.System, RemoteAddr: c.RemoteAddr,
		StatusFirst: c.StatusFirst, AllowUnverified: c.AllowUnverified,
	}
	if c.Login != nil && !c.Stranger {
		q.Subject, q.Status = c.Login.User.Subject, c.Login.User.Status
	}
	x.e.Gate = "open"
	if err := x.gate.Ask(ctx, q); err != nil {
		x.e.Gate = err.Error()
	}
}

// signs signs in, by the one way that there is.
func (x *explaining) signs(ctx context.Context) error {
	end := &explanationEnd{}
	x.e.Outcome = end
	c := x.credentials
	c.Admit = func(ctx context.Context, who *identity.Identity) (err error) {
		if end.Account, err = x.account(ctx, who.User.Subject); err == nil && end.Account == "" && x.instance != nil && x.instance.System.Login.NeedAccount {
			err = identity.Failf(identity.ReasonUnknownUser, "no account in the system")
		}
		return err
	}
	var trace identity.Trace
	who, err := x.signIn.Authenticate(identity.WithTrace(ctx, &trace), c)
	for i, s := range trace.Steps[:min(len(trace.Steps), len(x.e.Steps))] {
		answer := string(s.Reason)
		if answer == "" {
			answer = "yes"
		}
		x.e.Steps[i].Answer, x.e.Steps[i].Because = answer, s.Cause
	}
	if err != nil {
		var f *identity.Failure
		if end.Reason = string(identity.ReasonOf(err)); errors.As(err, &f) && f.Err != nil {
			end.Because = f.Err.Error()
		}
		return nil
	}
	end.Subject, end.Connector = who.User.Subject, who.Connector
	return x.store.RecordEvent(ctx, identity.Event{
		At: x.now(), Kind: "login_explained", Subject: end.Subject, Directory: c.Directory, System: c.System,
		Connector: who.Connector, Verifier: who.Verifier, RequestID: c.RequestID,
	})
}

func (e *explanation) rows() [][]string {
	rows := [][]string{{"system", e.System}, {"directory", e.Directory}, {"from", orNone(e.From)}, {"networks", orNone(strings.Join(e.Networks, " "))}}
	rows = append(rows, []string{"user", orNone(strings.TrimSpace(e.Subject + " " + e.Status))})
	account := orNone(e.Account)
	if e.Missing {
		account = "none, and without one nobody comes in"
	}
	rows = append(rows, []string{"account", account}, []string{"linked to", orNone(strings.Join(e.Links, " "))}, []string{"gate", e.Gate}, []string{"rule", fmt.Sprint(e.Rule)})
	for i, s := range e.Steps {
		text := s.Verifier
		if i < len(e.Steps)-1 {
			text += ", the next one on " + orNone(strings.Join(s.Next, " "))
		}
		if s.Answer != "" {
			text += ": " + strings.TrimSuffix(s.Answer+", "+s.Because, ", ")
		}
		rows = append(rows, []string{fmt.Sprintf("verifier %d", i+1), text})
	}
	if end := e.Outcome; end != nil {
		rows = append(rows, []string{"outcome", end.text()})
	}
	return rows
}

func (e *explanationEnd) text() string {
	if e.Reason != "" {
		return strings.TrimSuffix(e.Reason+", "+e.Because, ", ")
	}
	text := "signed in as " + e.Subject
	if e.Account != "" {
		text += ", account " + e.Account
	}
	if e.Connector != "" {
		text += ", by the word of " + e.Connector
	}
	return text
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
