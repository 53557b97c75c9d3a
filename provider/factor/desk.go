package factor

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"time"

	"keyway/provider/identity"
	"keyway/provider/secret"
)

// Gate counts and judges who tries; it is [*identity.Gate].
type Gate interface {
	Prove(ctx context.Context, q identity.Question, e *identity.Event, look identity.Look) error
}

// Options configures a [Desk]. All but Lifetime and Passkeys must be given.
type Options struct {
	Storage    Storage
	Recovery   RecoveryStorage
	Challenges ChallengeStorage
	Gate       Gate
	Product    string // what authenticator apps show the issuer as
	Now        func() time.Time
	Lifetime   time.Duration // of a challenge; default 10 min
	Passkeys   *Passkeys     // nil where there are none
}

// Desk enrols, proves and removes second factors. Errors are [*identity.Failure]
// or a [Problem].
type Desk struct {
	options Options
}

// Problem is why nothing was enrolled, for the person to mend.
type Problem string

// The problems.
const (
	ProblemName    Problem = "name"     // missing, or too long
	ProblemCode    Problem = "code"     // not the one that the app shows
	ProblemExpired Problem = "expired"  // it took too long, or was answered before
	ProblemTooMany Problem = "too_many" // or it is enrolled already
)

// Error implements [error].
func (p Problem) Error() string { return "second factor: " + string(p) }

// maxName is the longest name of an enrolment, in bytes.
const maxName = 60

// New returns a Desk.
func New(o Options) (*Desk, error) {
	if o.Storage == nil || o.Recovery == nil || o.Challenges == nil || o.Gate == nil || o.Product == "" || o.Now == nil {
		return nil, errors.New("second factor: storages, gate, product and clock are needed")
	}
	if o.Lifetime <= 0 {
		o.Lifetime = 10 * time.Minute
	}
	return &Desk{options: o}, nil
}

// Held is what somebody has enrolled.
type Held struct {
	Enrolments []Enrolment // the oldest first
	Recovery   int         // recovery codes that are left
}

// Has reports whether there is one of the kind.
func (h *Held) Has(k Kind) bool {
	for i := range h.Enrolments {
		if h.Enrolments[i].Kind == k {
			return true
		}
	}
	return false
}

// Held lists what a person has.
func (d *Desk) Held(ctx context.Context, subject string) (*Held, error) {
	all, err := d.options.Storage.ListEnrolments(ctx, subject)
	if err != nil {
		return nil, failure(err)
	}
	left, err := d.options.Recovery.CountRecoveryCodes(ctx, subject)
	return &Held{Enrolments: all, Recovery: left}, failure(err)
}

// Remove ends an enrolment. One that is gone already is no error.
func (d *Desk) Remove(ctx context.Context, subject, id string) error {
	err := d.options.Storage.RemoveEnrolment(ctx, subject, id)
	if errors.Is(err, identity.ErrNotFound) {
		return nil
	}
	return failure(err)
}

// NewRecoveryCodes makes codes in place of those that there were; nil where the
// person has enrolled nothing.
func (d *Desk) NewRecoveryCodes(ctx context.Context, subject string) ([]string, error) {
	codes, hashes := newRecoveryCodes()
	err := d.options.Recovery.ReplaceRecoveryCodes(ctx, subject, hashes)
	if errors.Is(err, identity.ErrNotFound) {
		return nil, nil
	}
	return codes, failure(err)
}

// Person is who is at the page, in which session of their browser.
type Person struct {
	Subject string
	Status  identity.Status
	Session [32]byte
	Client  string // for which they sign in; "" for none
	From    netip.Addr
	// RequestID is for the audit trail.
	RequestID string
}

func (p *Person) question() identity.Question {
	return identity.Question{Subject: p.Subject, Status: p.Status, Client: p.Client, RemoteAddr: p.From}
}

func (d *Desk) event(p *Person, kind string) identity.Event {
	e := identity.Event{At: d.options.Now(), Kind: kind, Subject: p.Subject, ClientID: p.Client, RequestID: p.RequestID}
	if p.From.IsValid() {
		e.RemoteAddr = p.From.Unmap().String()
	}
	return e
}

// challenge stores what the person is asked, and returns its id.
func (d *Desk) challenge(ctx context.Context, p *Person, purpose string, asked []byte) (string, error) {
	id := secret.ID() + secret.ID()
	return id, failure(d.options.Challenges.AddChallenge(ctx, &Challenge{
		Hash: sha256.Sum256([]byte(id)), Session: p.Session, Subject: p.Subject, Purpose: purpose, Secret: asked,
		ExpiresAt: d.options.Now().Add(d.options.Lifetime),
	}))
}

// answered takes what the person was asked. [ProblemExpired] is for one that was
// never asked them, not in this session, or was answered before.
func (d *Desk) answered(ctx context.Context, p *Person, purpose, id string) ([]byte, error) {
	c, err := d.options.Challenges.TakeChallenge(ctx, sha256.Sum256([]byte(id)))
	if errors.Is(err, identity.ErrNotFound) {
		return nil, ProblemExpired
	}
	if err != nil {
		return nil, failure(err)
	}
	if c.Subject != p.Subject || c.Session != p.Session || c.Purpose != purpose {
		return nil, ProblemExpired
	}
	return c.Secret, nil
}

func failure(err error) error {
	var f *identity.Failure
	if err == nil || errors.As(err, &f) {
		return err
	}
	return identity.Fail(identity.ReasonUnavailable, err)
}
