package identity

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Step is one verifier of a [Rule].
type Step struct {
	Name          string
	Authenticator Authenticator
	// Next are the reasons for which the next step is asked; every other answer is
	// the last. Nil means [ReasonUnknownUser] alone: whom one verifier knows, no
	// other one is asked about.
	Next []Reason
	// Upstream says that an upstream is asked, which may know whom nobody here does.
	Upstream bool
}

// Rule says whom to ask about which logins. An empty list fits every login.
type Rule struct {
	Systems     []string // legacy systems' instances
	Directories []string
	Domains     []string // what stands behind the last @ of the login name, in any case
	Steps       []Step   // in their order, at least one
}

// Chain asks verifiers one after the other. The first rule that fits a login
// says which.
type Chain struct{ rules []Rule }

var _ LoginAuthenticator = (*Chain)(nil)

// NewChain returns a Chain. The last rule must fit every login, so that there is
// none that nobody is asked about.
func NewChain(rules []Rule) (*Chain, error) {
	for i, r := range rules {
		if len(r.Steps) == 0 {
			return nil, fmt.Errorf("verifiers: rule %d has no step", i+1)
		}
		for _, s := range r.Steps {
			if s.Name == "" || s.Authenticator == nil {
				return nil, fmt.Errorf("verifiers: rule %d has a step without a name or a verifier", i+1)
			}
		}
	}
	if n := len(rules); n == 0 || len(rules[n-1].Systems)+len(rules[n-1].Directories)+len(rules[n-1].Domains) > 0 {
		return nil, errors.New("verifiers: the last rule must fit every login")
	}
	return &Chain{rules: rules}, nil
}

// Trace is what a [Chain] did for one login, for who has to explain it.
type Trace struct {
	Rule  int // from 1
	Steps []TraceStep
}

// TraceStep is what one verifier said.
type TraceStep struct {
	Verifier string
	Reason   Reason // "" for yes
	Cause    string // for operators, never for the wire; "" for none
}

// answered is the verifier whose answer it was; "" where none was asked. Where the
// last one said yes, it is that one, whoever refused its person then.
func (t *Trace) answered(reason Reason) string {
	last := len(t.Steps) - 1
	if last < 0 {
		return ""
	}
	for i := last; i >= 0 && t.Steps[last].Reason != ""; i-- {
		if t.Steps[i].Reason == reason {
			return t.Steps[i].Verifier
		}
	}
	return t.Steps[last].Verifier
}

type traceKey struct{}

// WithTrace makes every chain that is asked under the returned context write
// into t.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// traced returns the trace of ctx, or a new one.
func traced(ctx context.Context) (context.Context, *Trace) {
	if t, ok := ctx.Value(traceKey{}).(*Trace); ok {
		return ctx, t
	}
	t := new(Trace)
	return WithTrace(ctx, t), t
}

// Rule returns the number of the rule that fits a login, from 1, and its
// verifiers.
func (c *Chain) Rule(login Credentials) (number int, steps []Step) {
	for i, r := range c.rules {
		if r.fits(login) {
			return i + 1, r.Steps
		}
	}
	return 0, nil // NewChain saw to it that the last one fits
}

// beyond reports whether an upstream may be asked about a login.
func (c *Chain) beyond(login Credentials) bool {
	_, steps := c.Rule(login)
	return slices.ContainsFunc(steps, func(s Step) bool { return s.Upstream })
}

func (r *Rule) fits(c Credentials) bool {
	return among(r.Systems, c.System) && among(r.Directories, c.Directory) && (len(r.Domains) == 0 || among(r.Domains, domainOf(c.Username)))
}

func among(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }

// domainOf is "" for a name without one. Domains of rules are in lower case. A name
// is read as it is looked up, or another spelling of it would come under another rule.
func domainOf(name string) string {
	_, domain, _ := cutLast(FoldName(name), "@")
	return domain
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// Authenticate implements [Authenticator]. The name is looked up by the steps
// that need it.
func (c *Chain) Authenticate(ctx context.Context, login Credentials) (*Identity, error) {
	return c.walk(ctx, login, func(ctx context.Context, a Authenticator) (*Identity, error) { return a.Authenticate(ctx, login) })
}

// AuthenticateLogin implements [LoginAuthenticator].
func (c *Chain) AuthenticateLogin(ctx context.Context, login Credentials, l *Login) (*Identity, error) {
	return c.walk(ctx, login, func(ctx context.Context, a Authenticator) (*Identity, error) { return ask(ctx, a, login, l) })
}

// walk returns the first answer that is the last, else the weightiest: that a
// verifier is away must not look like a judgement, and that a password was wrong
// says more than that a name was unknown elsewhere.
func (c *Chain) walk(ctx context.Context, login Credentials, question func(context.Context, Authenticator) (*Identity, error)) (*Identity, error) {
	number, steps := c.Rule(login)
	trace, _ := ctx.Value(traceKey{}).(*Trace)
	if trace != nil {
		trace.Rule = number
	}
	var worst error
	for _, s := range steps {
		id, err := question(ctx, s.Authenticator)
		reason := ReasonOf(err)
		if trace != nil {
			trace.Steps = append(trace.Steps, TraceStep{Verifier: s.Name, Reason: reason, Cause: causeOf(err)})
		}
		if err == nil {
			id.Verifier = s.Name
			return id, nil
		}
		if weight(reason) > weight(ReasonOf(worst)) || worst == nil {
			worst = err
		}
		if !s.goesOn(err) {
			break
		}
	}
	return nil, worst
}

// goesOn reports whether the next one is asked. Who has no password here is as good
// as unknown.
func (s *Step) goesOn(err error) bool {
	next := s.Next
	if next == nil {
		next = []Reason{ReasonUnknownUser}
	}
	return slices.Contains(next, ReasonOf(err)) || errors.Is(err, errNoCredential) && slices.Contains(next, ReasonUnknownUser)
}

func causeOf(err error) string {
	var f *Failure
	if errors.As(err, &f) && f.Err != nil {
		return f.Err.Error()
	}
	return ""
}

func weight(r Reason) int {
	switch r {
	case ReasonUnavailable, ReasonInternal, ReasonRateLimited:
		return 3
	case ReasonUnknownUser:
		return 1
	default:
		return 2
	}
}
