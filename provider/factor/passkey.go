package factor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"keyway/provider/identity"
)

// maxPasskey is the longest answer of a passkey that is read, in bytes.
const maxPasskey = 32 << 10

// The purposes of challenges to passkeys.
const (
	purposeCreate = "passkey_create"
	purposeGet    = "passkey_get"
)

// ProblemPasskey says that what a passkey answered does not hold, or that there was
// no answer.
const ProblemPasskey Problem = "passkey"

// Passkeys asks passkeys of one relying party, which is the issuer's host.
type Passkeys struct{ party *webauthn.WebAuthn }

// NewPasskeys returns nil where browsers have no passkeys for the issuer: its host
// is an address, or it is http beyond localhost.
func NewPasskeys(issuer, product string) (*Passkeys, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	host := u.Hostname()
	_, notAddress := netip.ParseAddr(host)
	if notAddress == nil || u.Scheme != "https" && host != "localhost" {
		return nil, nil
	}
	party, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: product, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationRequired,
		},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return &Passkeys{party: party}, nil
}

// holder is who has passkeys, as the library sees them. Its handle is the subject, which
// says nothing about anybody.
type holder struct {
	subject, name string
	credentials   []webauthn.Credential
}

var _ webauthn.User = (*holder)(nil)

// WebAuthnID implements [webauthn.User].
func (h *holder) WebAuthnID() []byte { return []byte(h.subject) }

// WebAuthnName implements [webauthn.User].
func (h *holder) WebAuthnName() string { return h.name }

// WebAuthnDisplayName implements [webauthn.User].
func (h *holder) WebAuthnDisplayName() string { return h.name }

// WebAuthnCredentials implements [webauthn.User].
func (h *holder) WebAuthnCredentials() []webauthn.Credential { return h.credentials }

// holderOf reads the passkeys among what a person has enrolled.
func holderOf(subject, name string, all []Enrolment) (*holder, error) {
	h := &holder{subject: subject, name: name}
	for i := range all {
		if all[i].Kind != KindPasskey {
			continue
		}
		var c webauthn.Credential
		if err := json.Unmarshal(all[i].Secret, &c); err != nil {
			return nil, fmt.Errorf("stored passkey: %w", err)
		}
		h.credentials = append(h.credentials, c)
	}
	return h, nil
}

// Question is what a passkey is asked, for a script of ours to pass on.
type Question struct {
	Options   string // JSON (Web Authentication Level 3, sections 5.4 and 5.5)
	Challenge string // posted back with the answer
}

// question stores what the answer will be judged by.
func (d *Desk) question(ctx context.Context, p *Person, purpose string, options any, s *webauthn.SessionData) (*Question, error) {
	asked, err := json.Marshal(options)
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	kept, err := json.Marshal(s)
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	id, err := d.challenge(ctx, p, purpose, kept)
	return &Question{Options: string(asked), Challenge: id}, err
}

// session is what was asked.
func (d *Desk) session(ctx context.Context, p *Person, purpose, challenge string) (webauthn.SessionData, error) {
	var s webauthn.SessionData
	kept, err := d.answered(ctx, p, purpose, challenge)
	if err == nil {
		err = json.Unmarshal(kept, &s)
	}
	return s, err
}

// OfferPasskey asks for a new passkey; nil where there can be none.
func (d *Desk) OfferPasskey(ctx context.Context, p *Person, name string, held []Enrolment) (*Question, error) {
	if d.options.Passkeys == nil {
		return nil, nil
	}
	h, err := holderOf(p.Subject, name, held)
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	options, session, err := d.options.Passkeys.party.BeginRegistration(h, webauthn.WithExclusions(webauthn.Credentials(h.credentials).CredentialDescriptors()))
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	return d.question(ctx, p, purposeCreate, options.Response, session)
}

// EnrolPasskey takes a new passkey by its answer. Errors are a [Problem] or a
// [*identity.Failure].
func (d *Desk) EnrolPasskey(ctx context.Context, p *Person, a Answer) (*Enrolled, error) {
	name := strings.TrimSpace(a.Name)
	switch {
	case d.options.Passkeys == nil || a.Passkey == "" || len(a.Passkey) > maxPasskey:
		return nil, ProblemPasskey
	case name == "" || len(name) > maxName:
		return nil, ProblemName
	}
	session, err := d.session(ctx, p, purposeCreate, a.Challenge)
	if err != nil {
		return nil, err
	}
	made, err := d.options.Passkeys.create(p.Subject, session, a.Passkey)
	if err != nil {
		return nil, ProblemPasskey
	}
	kept, err := json.Marshal(made)
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	done, err := d.enrol(ctx, &Enrolment{
		Subject: p.Subject, Kind: KindPasskey, Name: name, Secret: kept, Credential: made.ID, Counter: int64(made.Authenticator.SignCount),
	})
	if done != nil {
		done.AMR = amrOf(made)
	}
	return done, err
}

func (k *Passkeys) create(subject string, s webauthn.SessionData, answer string) (*webauthn.Credential, error) {
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, err
	}
	return k.party.CreateCredential(&holder{subject: subject}, s, parsed)
}

// get returns the passkey that answered, as it is from then on.
func (k *Passkeys) get(h *holder, s webauthn.SessionData, answer string) (*webauthn.Credential, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, err
	}
	c, err := k.party.ValidateLogin(h, s, parsed)
	if err == nil && c.Authenticator.CloneWarning {
		return nil, errCloned
	}
	return c, err
}

// amrOf tells keys in hardware from those that are synchronised between devices (RFC
// 8176, section 2).
func amrOf(c *webauthn.Credential) []string {
	if c.Flags.BackupEligible {
		return []string{"swk", "mfa"}
	}
	return []string{"hwk", "mfa"}
}

// AskPasskey asks a passkey of the person; nil where they have none.
func (d *Desk) AskPasskey(ctx context.Context, p *Person, held []Enrolment) (*Question, error) {
	h, err := holderOf(p.Subject, "", held)
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	if d.options.Passkeys == nil || len(h.credentials) == 0 {
		return nil, nil
	}
	options, session, err := d.options.Passkeys.party.BeginLogin(h, webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, identity.Fail(identity.ReasonInternal, err)
	}
	return d.question(ctx, p, purposeGet, options.Response, session)
}

// Passkey judges what a passkey answered. Errors are a [Problem] where there is nothing to
// judge, and else those of [Desk.Code].
func (d *Desk) Passkey(ctx context.Context, p *Person, challenge, answer string) (*Proof, error) {
	if d.options.Passkeys == nil || answer == "" || len(answer) > maxPasskey {
		return nil, ProblemPasskey
	}
	session, err := d.session(ctx, p, purposeGet, challenge)
	if err != nil {
		return nil, err
	}
	proof, e := new(Proof), d.event(p, "second_factor")
	err = d.options.Gate.Prove(ctx, p.question(), &e, func(ctx context.Context) (func(context.Context) error, error) {
		used, credential, err := d.lookPasskey(ctx, p, session, answer)
		if errors.Is(err, errCloned) {
			e.Kind = "passkey_cloned"
		}
		if err != nil {
			return nil, err
		}
		proof.AMR = amrOf(credential)
		return func(ctx context.Context) error {
			return spent(d.options.Storage.UseEnrolment(ctx, used, d.event(p, "")))
		}, nil
	})
	return proof, err
}

// errCloned says that somebody else has the key as well: its signatures were counted
// further than this one's.
var errCloned = errors.New("the signatures of the passkey go back: it was cloned")

// lookPasskey returns the enrolment as it will be once the answer is used.
func (d *Desk) lookPasskey(ctx context.Context, p *Person, s webauthn.SessionData, answer string) (*Enrolment, *webauthn.Credential, error) {
	held, err := d.options.Storage.ListEnrolments(ctx, p.Subject)
	if err != nil {
		return nil, nil, failure(err)
	}
	h, err := holderOf(p.Subject, "", held)
	if err != nil {
		return nil, nil, identity.Fail(identity.ReasonInternal, err)
	}
	c, err := d.options.Passkeys.get(h, s, answer)
	if err != nil {
		return nil, nil, identity.Fail(identity.ReasonSecondFactor, err)
	}
	for i := range held {
		if e := &held[i]; e.Kind == KindPasskey && string(e.Credential) == string(c.ID) {
			e.Counter, e.UsedAt = int64(c.Authenticator.SignCount), d.options.Now()
			e.Secret, err = json.Marshal(c)
			return e, c, err
		}
	}
	return nil, nil, identity.Failf(identity.ReasonSecondFactor, "the passkey is gone")
}
