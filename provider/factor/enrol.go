package factor

import (
	"context"
	"errors"
	"strings"

	"github.com/pquerna/otp"

	"keyway/provider/identity"
	"keyway/provider/secret"
)

// purposeTOTP is that of a challenge which has the key of an app that is enrolled.
const purposeTOTP = "totp"

// Offer is a new key, until the app that has it shows its first code.
type Offer struct {
	Key
	Challenge string // posted back with the code
}

// OfferTOTP makes a key for an authenticator app, which shows it as account.
func (d *Desk) OfferTOTP(ctx context.Context, p *Person, account string) (*Offer, error) {
	if account == "" {
		account = p.Subject
	}
	key, err := newKey(d.options.Product, strings.ReplaceAll(account, ":", " "))
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	return d.offer(ctx, p, key)
}

func (d *Desk) offer(ctx context.Context, p *Person, key *Key) (*Offer, error) {
	id, err := d.challenge(ctx, p, purposeTOTP, []byte(key.url))
	return &Offer{Key: *key, Challenge: id}, err
}

// Answer is what somebody entered to enrol something.
type Answer struct {
	Challenge string
	Name      string
	Code      string // of an app
	Passkey   string // what a new passkey answered, as JSON
}

// Enrolled is what came of it. The codes are there with a person's first enrolment, and are
// shown once.
type Enrolled struct {
	Enrolment Enrolment
	Codes     []string
	AMR       []string // how they proved themselves by it
}

// EnrolTOTP takes an app whose code is right. Where it is not, or the name is none,
// the error is a [Problem], and the offer the same key once more.
func (d *Desk) EnrolTOTP(ctx context.Context, p *Person, a Answer) (*Enrolled, *Offer, error) {
	kept, err := d.answered(ctx, p, purposeTOTP, a.Challenge)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := otp.NewKeyFromURL(string(kept))
	if err != nil {
		return nil, nil, identity.Fail(identity.ReasonInternal, err)
	}
	name := strings.TrimSpace(a.Name)
	step, err := stepOf([]byte(parsed.Secret()), asCode(a.Code), d.options.Now())
	problem := Problem("")
	switch {
	case errors.Is(err, errNoStep):
		problem = ProblemCode
	case err != nil:
		return nil, nil, identity.Fail(identity.ReasonInternal, err)
	case name == "" || len(name) > maxName:
		problem = ProblemName
	}
	if problem != "" {
		key, err := drawn(parsed)
		if err != nil {
			return nil, nil, identity.Fail(identity.ReasonInternal, err)
		}
		again, err := d.offer(ctx, p, key)
		if err != nil {
			return nil, nil, err
		}
		return nil, again, problem
	}
	done, err := d.enrol(ctx, &Enrolment{Subject: p.Subject, Kind: KindTOTP, Name: name, Secret: []byte(parsed.Secret()), Counter: step})
	if done != nil {
		done.AMR = []string{"otp", "mfa"}
	}
	return done, nil, err
}

// enrol stores e under a new id, and with a person's first one recovery codes.
func (d *Desk) enrol(ctx context.Context, e *Enrolment) (*Enrolled, error) {
	codes, hashes := newRecoveryCodes()
	now := d.options.Now()
	e.ID, e.CreatedAt, e.UsedAt = secret.ID(), now, now
	first, err := d.options.Storage.AddEnrolment(ctx, e, hashes)
	if errors.Is(err, identity.ErrConflict) {
		return nil, ProblemTooMany
	}
	if err != nil {
		return nil, failure(err)
	}
	done := &Enrolled{Enrolment: *e}
	if first {
		done.Codes = codes
	}
	return done, nil
}
