package factor

import (
	"context"
	"errors"

	"keyway/provider/identity"
)

// Proof is how a person proved themselves.
type Proof struct {
	AMR      []string // RFC 8176, section 2
	Recovery bool     // by a recovery code
	Left     int      // how many of these there are still
}

// Code judges what somebody typed: a code of an authenticator app, or a recovery
// code. Failures are second_factor for a wrong one, locked after too many of
// these, and those of the gate.
func (d *Desk) Code(ctx context.Context, p *Person, typed string) (*Proof, error) {
	proof := &Proof{AMR: []string{"otp", "mfa"}}
	e := d.event(p, "second_factor")
	err := d.options.Gate.Prove(ctx, p.question(), &e, func(ctx context.Context) (func(context.Context) error, error) {
		if code := asCode(typed); code != "" {
			return d.lookTOTP(ctx, p, code)
		}
		hash, ok := recoveryHash(typed)
		if !ok {
			return nil, identity.Failf(identity.ReasonSecondFactor, "neither a code nor a recovery code")
		}
		proof.Recovery = true
		return d.lookRecovery(ctx, p, hash)
	})
	if err != nil || !proof.Recovery {
		return proof, err
	}
	proof.Left, err = d.options.Recovery.CountRecoveryCodes(ctx, p.Subject)
	return proof, failure(err)
}

func (d *Desk) lookTOTP(ctx context.Context, p *Person, code string) (func(context.Context) error, error) {
	right, err := d.matching(ctx, p.Subject, code)
	if err != nil {
		return nil, err
	}
	if right == nil {
		return nil, identity.Fail(identity.ReasonSecondFactor, errNoStep)
	}
	return func(ctx context.Context) error {
		return spent(d.options.Storage.UseEnrolment(ctx, right, d.event(p, "")))
	}, nil
}

// matching returns the enrolment whose code it is, as it will be once that is used;
// nil for none. A step that was used already does not match.
func (d *Desk) matching(ctx context.Context, subject, code string) (*Enrolment, error) {
	all, err := d.options.Storage.ListEnrolments(ctx, subject)
	if err != nil {
		return nil, failure(err)
	}
	var right *Enrolment
	now := d.options.Now()
	for i := range all {
		e := &all[i]
		if e.Kind != KindTOTP {
			continue
		}
		step, err := stepOf(e.Secret, code, now)
		switch {
		case errors.Is(err, errNoStep), err == nil && step <= e.Counter:
		case err != nil:
			return nil, identity.Fail(identity.ReasonInternal, err)
		default:
			e.Counter, e.UsedAt, right = step, now, e
		}
	}
	return right, nil
}

func (d *Desk) lookRecovery(ctx context.Context, p *Person, hash [32]byte) (func(context.Context) error, error) {
	has, err := d.options.Recovery.HasRecoveryCode(ctx, p.Subject, hash)
	if err != nil {
		return nil, failure(err)
	}
	if !has {
		return nil, identity.Failf(identity.ReasonSecondFactor, "no such recovery code")
	}
	return func(ctx context.Context) error {
		return spent(d.options.Recovery.UseRecoveryCode(ctx, p.Subject, hash, d.event(p, "")))
	}, nil
}

// spent makes of a proof that somebody else was faster with a wrong one.
func spent(err error) error {
	if errors.Is(err, identity.ErrConflict) || errors.Is(err, identity.ErrNotFound) {
		return identity.Fail(identity.ReasonSecondFactor, err)
	}
	return failure(err)
}
