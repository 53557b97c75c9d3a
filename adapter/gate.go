package adapter

import (
	"context"

	"keyway/provider/identity"
)

// Gate is what the adapter sees of [identity.Gate]: it asks for the networks
// of a system on every route, and tells it who guesses a system's key. Whatever
// is about a user, the [Granter] asks. Errors are [*identity.Failure].
type Gate interface {
	Ask(ctx context.Context, q identity.Question) error
	// Report says how a proof failed, which is e.Reason.
	Report(ctx context.Context, q identity.Question, e identity.Event) error
}

var _ Gate = (*identity.Gate)(nil)

func (x *exchange) question(m identity.Moment) identity.Question {
	return identity.Question{Moment: m, System: x.m.name, Client: x.m.client, RemoteAddr: x.from}
}

// admit asks whether the system may be called from where the request comes.
// The outcome is "" when it may.
func (a *Adapter) admit(ctx context.Context, x *exchange) Outcome {
	moment := identity.MomentStay // costs no query, but lets who has no address pass
	if !x.from.IsValid() {
		moment = identity.MomentTry
	}
	err := a.gate.Ask(ctx, x.question(moment))
	switch {
	case err == nil:
		return ""
	case x.route.Action == ActionLogin:
		return a.refuse(ctx, x, "login", err)
	default:
		return a.refuse(ctx, x, "system_call", err)
	}
}

// refuse has the gate record a refusal and count it against the source, where
// that is due, and returns its outcome.
func (a *Adapter) refuse(ctx context.Context, x *exchange, kind string, cause error) Outcome {
	if ours(cause) {
		return x.failed(cause) // it says nothing about the caller
	}
	e := identity.Event{
		At: x.view.Now, Kind: kind, Reason: identity.ReasonOf(cause),
		System: x.m.name, ClientID: x.m.client, RequestID: x.view.Request.ID,
	}
	if x.from.IsValid() {
		e.RemoteAddr = x.from.Unmap().String()
	}
	if err := a.gate.Report(ctx, x.question(identity.MomentTry), e); err != nil {
		return x.failed(err)
	}
	return x.failed(cause)
}
