package identity

import (
	"context"
	"errors"
)

// FactorState is what there is of somebody's second factor.
type FactorState string

// The states of a second factor.
const (
	FactorLater   FactorState = "" // whoever asks sees to it afterwards, as the login page does
	FactorMissing FactorState = "missing"
	FactorProved  FactorState = "proved"
)

// FactorPolicy says who needs a second factor. Errors are [*Failure].
type FactorPolicy interface {
	// NeedsFactor is about the Subject of q, its System and its Connector.
	NeedsFactor(ctx context.Context, q Question) (bool, error)
}

var errFactorMissing = errors.New("a second factor is needed")

func askClientFactor(q *Question) error {
	if q.NeedFactor && q.Factor == FactorMissing && q.Subject != "" {
		return Fail(ReasonSecondFactor, errFactorMissing)
	}
	return nil
}

func (g *Gate) askFactor(ctx context.Context, q *Question) error {
	if q.Factor != FactorMissing || q.Subject == "" {
		return nil
	}
	if err := askClientFactor(q); err != nil || g.factors == nil {
		return err
	}
	needed, err := g.factors.NeedsFactor(ctx, *q)
	if err != nil {
		return storageFailure(err)
	}
	if needed {
		return Fail(ReasonSecondFactor, errFactorMissing)
	}
	return nil
}

// Look looks at a second factor without using it up, and says how to use it. A
// wrong one is [ReasonSecondFactor].
type Look func(ctx context.Context) (use func(context.Context) error, err error)

// Prove lets the subject of q try a second factor, and counts how that ended as
// [SignIn] does with passwords: while there were too many wrong ones none is looked
// at, and those that were under way when the lock fell are answered as locked,
// whether right or wrong. A failure is stored as e, whose reason is set here; look may change its
// kind. Errors are [*Failure].
func (g *Gate) Prove(ctx context.Context, q Question, e *Event, look Look) error {
	q.Moment, q.Code = MomentTry, true
	if _, err := g.ask(ctx, &q); err != nil {
		return g.refuseCode(ctx, q, e, err)
	}
	use, err := look(ctx)
	ctx, cancel := outliving(ctx) // it was looked at
	defer cancel()
	if err != nil {
		return g.unlessCodeLocked(ctx, q, g.refuseCode(ctx, q, e, err))
	}
	enter := q
	enter.Moment = MomentEnter
	failed, err := g.ask(ctx, &enter)
	if err != nil {
		return g.refuseCode(ctx, enter, e, err)
	}
	if err := use(ctx); err != nil {
		return g.unlessCodeLocked(ctx, q, g.refuseCode(ctx, q, e, err))
	}
	if failed {
		return g.Report(ctx, q, Event{})
	}
	return nil
}

// refuseCode counts and records a failure, and returns it.
func (g *Gate) refuseCode(ctx context.Context, q Question, e *Event, cause error) error {
	reason := ReasonOf(cause)
	if reason == ReasonUnavailable || reason == ReasonInternal {
		return storageFailure(cause)
	}
	if errors.Is(cause, errSourceLocked) {
		q.Subject = ""
	}
	e.Reason = reason
	if err := g.Report(ctx, q, *e); err != nil {
		return err
	}
	return cause
}

// unlessCodeLocked returns failed, which is counted already, or the lock that fell
// before it.
func (g *Gate) unlessCodeLocked(ctx context.Context, q Question, failed error) error {
	if ReasonOf(failed) != ReasonSecondFactor {
		return failed
	}
	if _, err := g.askLockout(ctx, &q, 1); err != nil {
		return err
	}
	return failed
}
