package identity

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

// GuardedOptions configures a [Guarded]. Zero values mean the defaults.
type GuardedOptions struct {
	Name          string
	Authenticator Authenticator
	Timeout       time.Duration // of one question; default 5 s
	Parallel      int           // questions at a time; default 64
	Wait          time.Duration // for a place among them; default Timeout
	Failures      int           // one after the other that open the breaker; default 5
	Rest          time.Duration // in which nobody is asked then; default 10 s
	Log           *slog.Logger
}

// ErrNotAsked is in the cause of what an authenticator says without asking anybody:
// that is no sign that whom it asks is there.
var ErrNotAsked = errors.New("nobody was asked")

// Guarded keeps an authenticator that asks others from taking us along when
// they are slow or away: each question has its time, only so many are asked at
// once, and after some failures in a row nobody is asked for a while, so that
// callers get their answer at once. Whatever holds it up is unavailable, and
// says nothing about the password.
type Guarded struct {
	authenticator Authenticator
	timeout       time.Duration
	places        *pool
	breaker       *gobreaker.CircuitBreaker[*Identity]
}

var _ LoginAuthenticator = (*Guarded)(nil)

// NewGuarded returns a Guarded.
func NewGuarded(o GuardedOptions) (*Guarded, error) {
	if o.Authenticator == nil || o.Log == nil || o.Timeout < 0 || o.Parallel < 0 || o.Failures < 0 || o.Rest < 0 || o.Wait < 0 {
		return nil, errors.New("guarded: Authenticator and Log are needed, and nothing may be negative")
	}
	defaultTo(&o.Timeout, 5*time.Second)
	defaultTo(&o.Wait, o.Timeout)
	defaultTo(&o.Rest, 10*time.Second)
	defaultTo(&o.Parallel, 64)
	defaultTo(&o.Failures, 5)
	breaker := gobreaker.NewCircuitBreaker[*Identity](gobreaker.Settings{
		Name: o.Name, Timeout: o.Rest, MaxRequests: 1,
		ReadyToTrip:  func(c gobreaker.Counts) bool { return int(c.ConsecutiveFailures) >= o.Failures },
		IsSuccessful: func(err error) bool { return !away(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, ErrNotAsked) },
		OnStateChange: func(name string, _, to gobreaker.State) {
			o.Log.LogAttrs(context.Background(), slog.LevelWarn, "breaker of a password verifier",
				slog.String("verifier", name), slog.String("state", to.String()))
		},
	})
	return &Guarded{
		authenticator: o.Authenticator, timeout: o.Timeout, breaker: breaker, places: newPool(o.Parallel, 16*o.Parallel, o.Wait),
	}, nil
}

func defaultTo[T int | time.Duration](v *T, def T) {
	if *v == 0 {
		*v = def
	}
}

// away reports whether there was no answer to the question.
func away(err error) bool {
	switch ReasonOf(err) {
	case ReasonUnavailable, ReasonInternal, ReasonRateLimited:
		return true
	default:
		return false
	}
}

// Authenticate implements [Authenticator].
func (g *Guarded) Authenticate(ctx context.Context, c Credentials) (*Identity, error) {
	return g.guard(ctx, func(ctx context.Context) (*Identity, error) { return g.authenticator.Authenticate(ctx, c) })
}

// AuthenticateLogin implements [LoginAuthenticator].
func (g *Guarded) AuthenticateLogin(ctx context.Context, c Credentials, l *Login) (*Identity, error) {
	return g.guard(ctx, func(ctx context.Context) (*Identity, error) { return ask(ctx, g.authenticator, c, l) })
}

// ask hands l to an authenticator that can be told.
func ask(ctx context.Context, a Authenticator, c Credentials, l *Login) (*Identity, error) {
	if told, ok := a.(LoginAuthenticator); ok {
		return told.AuthenticateLogin(ctx, c, l)
	}
	return a.Authenticate(ctx, c)
}

func (g *Guarded) guard(ctx context.Context, question func(context.Context) (*Identity, error)) (*Identity, error) {
	if g.breaker.State() == gobreaker.StateOpen {
		return nil, Fail(ReasonUnavailable, gobreaker.ErrOpenState) // before waiting for a place
	}
	if err := g.places.acquire(ctx); err != nil {
		return nil, Failf(ReasonUnavailable, "verifier: %w", err)
	}
	defer func() { <-g.places.slots }()
	// Once asked, who hangs up must not take their guess back.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), g.timeout)
	defer cancel()
	id, err := g.breaker.Execute(func() (*Identity, error) { return question(ctx) })
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) || ctx.Err() != nil && away(err) {
		return nil, Fail(ReasonUnavailable, err)
	}
	return id, err
}
