package identity_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/sony/gobreaker/v2"
	"github.com/stretchr/testify/require"

	"keyway/provider/identity"
)

// answers is a verifier elsewhere.
type answers struct {
	asked atomic.Int32
	say   func(context.Context, identity.Credentials) (*identity.Identity, error)
}

func (a *answers) Authenticate(ctx context.Context, c identity.Credentials) (*identity.Identity, error) {
	a.asked.Add(1)
	return a.say(ctx, c)
}

func saying(r identity.Reason) *answers {
	return &answers{say: func(context.Context, identity.Credentials) (*identity.Identity, error) {
		if r == "" {
			return &identity.Identity{User: identity.User{Subject: "s1"}}, nil
		}
		return nil, identity.Failf(r, "said so")
	}}
}

func TestAChainAsksOneAfterTheOther(t *testing.T) {
	t.Parallel()
	const unknown, wrong, away, disabled = identity.ReasonUnknownUser, identity.ReasonWrongPassword, identity.ReasonUnavailable, identity.ReasonDisabled
	for name, c := range map[string]struct {
		first, second identity.Reason
		next          []identity.Reason
		want          identity.Reason
		asked         int32 // how often the second one is
	}{
		"yes is the last answer":                              {first: "", second: wrong, want: "", asked: 0},
		"whom the first does not know the second is asked":    {first: unknown, second: "", want: "", asked: 1},
		"a wrong password stops":                              {first: wrong, second: "", want: wrong, asked: 0},
		"a wrong password goes on where it may":               {first: wrong, second: "", next: []identity.Reason{unknown, wrong}, want: "", asked: 1},
		"an outage stops":                                     {first: away, second: "", want: away, asked: 0},
		"an outage goes on where it may, and stays an outage": {first: away, second: unknown, next: []identity.Reason{away}, want: away, asked: 1},
		"wrong says more than unknown elsewhere":              {first: wrong, second: unknown, next: []identity.Reason{wrong}, want: wrong, asked: 1},
		"disabled is not overruled":                           {first: disabled, second: "", want: disabled, asked: 0},
		"an empty list never goes on":                         {first: unknown, second: "", next: []identity.Reason{}, want: unknown, asked: 0},
	} {
		t.Run(name, func(t *testing.T) {
			first, second := saying(c.first), saying(c.second)
			chain, err := identity.NewChain([]identity.Rule{{Steps: []identity.Step{
				{Name: "first", Authenticator: first, Next: c.next}, {Name: "second", Authenticator: second},
			}}})
			require.NoError(t, err)
			_, err = chain.Authenticate(t.Context(), identity.Credentials{Username: "alice"})
			require.Equal(t, c.want, identity.ReasonOf(err))
			require.Equal(t, c.asked, second.asked.Load())
		})
	}
}

func TestTheFirstRuleThatFitsCounts(t *testing.T) {
	t.Parallel()
	step := func(name string) []identity.Step { return []identity.Step{{Name: name, Authenticator: saying("")}} }
	chain, err := identity.NewChain([]identity.Rule{
		{Systems: []string{"faveo"}, Domains: []string{"corp.example", "sales.example"}, Steps: step("ldap")},
		{Directories: []string{"crmcom/X"}, Steps: step("crm")},
		{Steps: step("local")},
	})
	require.NoError(t, err)
	for _, c := range []struct {
		want  string
		login identity.Credentials
	}{
		{"ldap", identity.Credentials{System: "faveo", Username: "alice@evil.example@CORP.example"}},
		{"ldap", identity.Credentials{System: "faveo", Username: "alice@corp.example  "}}, // all of them are one name
		{"ldap", identity.Credentials{System: "faveo", Username: "alice@\u017fales.example"}},
		{"crm", identity.Credentials{System: "faveo", Directory: "crmcom/X", Username: "alice"}},
		{"local", identity.Credentials{System: "ossn", Username: "alice@corp.example"}},
	} {
		var trace identity.Trace
		_, err := chain.Authenticate(identity.WithTrace(t.Context(), &trace), c.login)
		require.NoError(t, err)
		require.Equal(t, c.want, trace.Steps[0].Verifier, c.login.Username)
	}
}

func TestATraceTellsWhatWasAskedAndSaid(t *testing.T) {
	t.Parallel()
	chain, err := identity.NewChain([]identity.Rule{{Steps: []identity.Step{
		{Name: "local", Authenticator: saying(identity.ReasonUnknownUser)}, {Name: "ldap", Authenticator: saying("")},
	}}})
	require.NoError(t, err)
	var trace identity.Trace
	_, err = chain.AuthenticateLogin(identity.WithTrace(t.Context(), &trace), identity.Credentials{}, nil)
	require.NoError(t, err)
	require.Empty(t, cmp.Diff(identity.Trace{Rule: 1, Steps: []identity.TraceStep{
		{Verifier: "local", Reason: identity.ReasonUnknownUser, Cause: "said so"}, {Verifier: "ldap"},
	}}, trace))
}

func TestRulesThatLeaveALoginToNobodyAreRefused(t *testing.T) {
	t.Parallel()
	step := []identity.Step{{Name: "local", Authenticator: saying("")}}
	for _, rules := range [][]identity.Rule{
		nil, {{Systems: []string{"faveo"}, Steps: step}}, {{}}, {{Steps: []identity.Step{{Name: "local"}}}},
	} {
		_, err := identity.NewChain(rules)
		require.Error(t, err)
	}
}

func guarded(t *testing.T, a identity.Authenticator, change func(*identity.GuardedOptions)) *identity.Guarded {
	t.Helper()
	o := identity.GuardedOptions{Name: "ldap", Authenticator: a, Log: slog.New(slog.DiscardHandler)}
	change(&o)
	g, err := identity.NewGuarded(o)
	require.NoError(t, err)
	return g
}

func TestABreakerOpensAlthoughSomeAreToldWithoutAQuestion(t *testing.T) {
	t.Parallel()
	dead := &answers{say: func(_ context.Context, c identity.Credentials) (*identity.Identity, error) {
		if c.Password == "" {
			return nil, identity.Failf(identity.ReasonWrongPassword, "%w: it is empty", identity.ErrNotAsked)
		}
		return nil, identity.Fail(identity.ReasonUnavailable, nil)
	}}
	g := guarded(t, dead, func(o *identity.GuardedOptions) { o.Failures, o.Rest = 3, 20*time.Millisecond })
	try := func(password string) error {
		_, err := g.Authenticate(t.Context(), identity.Credentials{Password: password})
		return err
	}
	for range 3 {
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(try("")))
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(try("x")))
	}
	require.ErrorIs(t, try(""), gobreaker.ErrOpenState)
	time.Sleep(40 * time.Millisecond)
	require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(try("")), "nor does it end the rest")
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(try("x")))
	require.ErrorIs(t, try("x"), gobreaker.ErrOpenState)
}

func TestABreakerSparesCallersAndTheVerifier(t *testing.T) {
	t.Parallel()
	broken := saying(identity.ReasonUnavailable)
	g := guarded(t, broken, func(o *identity.GuardedOptions) { o.Failures, o.Rest = 3, 50*time.Millisecond })
	for range 10 {
		_, err := g.Authenticate(t.Context(), identity.Credentials{})
		require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))
	}
	require.Equal(t, int32(3), broken.asked.Load())

	broken.say = saying("").say
	require.Eventually(t, func() bool {
		_, err := g.Authenticate(t.Context(), identity.Credentials{})
		return err == nil
	}, 5*time.Second, 10*time.Millisecond, "it closes when the verifier is back")

	wrong := saying(identity.ReasonWrongPassword)
	g = guarded(t, wrong, func(o *identity.GuardedOptions) { o.Failures = 3 })
	for range 10 {
		_, err := g.Authenticate(t.Context(), identity.Credentials{})
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
	}
	require.Equal(t, int32(10), wrong.asked.Load(), "wrong passwords open no breaker, or anybody could lock everybody out")
}

func TestABulkheadBoundsWhoIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	var now, most atomic.Int32
	slow := &answers{say: func(ctx context.Context, _ identity.Credentials) (*identity.Identity, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
		return &identity.Identity{}, nil
	}}
	g := guarded(t, slow, func(o *identity.GuardedOptions) { o.Parallel = 4 })
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			_, err := g.Authenticate(t.Context(), identity.Credentials{})
			if err != nil {
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	require.LessOrEqual(t, most.Load(), int32(4))
}

func TestASlowVerifierIsAnOutage(t *testing.T) {
	t.Parallel()
	slow := &answers{say: func(ctx context.Context, _ identity.Credentials) (*identity.Identity, error) {
		<-ctx.Done()
		return nil, errors.New("gave up")
	}}
	g := guarded(t, slow, func(o *identity.GuardedOptions) { o.Timeout = 5 * time.Millisecond })
	_, err := g.Authenticate(t.Context(), identity.Credentials{})
	require.Equal(t, identity.ReasonUnavailable, identity.ReasonOf(err))

	t.Run("what was found at the last moment counts", func(t *testing.T) {
		late := &answers{say: func(ctx context.Context, _ identity.Credentials) (*identity.Identity, error) {
			<-ctx.Done()
			return nil, identity.Fail(identity.ReasonWrongPassword, nil)
		}}
		_, err := guarded(t, late, func(o *identity.GuardedOptions) { o.Timeout = 5 * time.Millisecond }).Authenticate(t.Context(), identity.Credentials{})
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
	})
	t.Run("who hangs up does not take the guess back", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		found := &answers{say: func(ctx context.Context, _ identity.Credentials) (*identity.Identity, error) {
			cancel()
			return nil, errors.Join(ctx.Err(), identity.Fail(identity.ReasonWrongPassword, nil))
		}}
		_, err := guarded(t, found, func(*identity.GuardedOptions) {}).Authenticate(ctx, identity.Credentials{})
		require.Equal(t, identity.ReasonWrongPassword, identity.ReasonOf(err))
	})
}

func TestWhoHasNoPasswordHereIsAskedAboutElsewhere(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.user(t, identity.StatusActive, identity.RecordCredential{}, "passwordless")
	h.user(t, identity.StatusActive, plain("right"), "alice")
	for name, c := range map[string]struct {
		elsewhere identity.Reason
		next      []identity.Reason
		want      identity.Reason
		asked     int32
	}{
		"passwordless":                {elsewhere: "", want: "", asked: 1},
		"passwordless, wrong":         {elsewhere: identity.ReasonWrongPassword, want: identity.ReasonWrongPassword, asked: 1},
		"passwordless, nobody":        {elsewhere: identity.ReasonUnknownUser, want: identity.ReasonWrongPassword, asked: 1},
		"passwordless, and nobody is": {next: []identity.Reason{}, want: identity.ReasonWrongPassword},
		"alice":                       {elsewhere: "", want: identity.ReasonWrongPassword},
	} {
		elsewhere := saying(c.elsewhere)
		chain, err := identity.NewChain([]identity.Rule{{Steps: []identity.Step{
			{Name: "local", Authenticator: h.local(t, nil), Next: c.next}, {Name: "ldap", Authenticator: elsewhere},
		}}})
		require.NoError(t, err)
		user, _, _ := strings.Cut(name, ",")
		_, err = chain.Authenticate(t.Context(), as(user, "guess"))
		require.Equal(t, c.want, identity.ReasonOf(err), name)
		require.Equal(t, c.asked, elsewhere.asked.Load(), name)
	}
}
