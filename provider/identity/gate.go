package identity

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/netip"
	"time"
)

// Moment is when the gate is asked.
type Moment string

// The moments.
const (
	MomentTry   Moment = "try"   // before a password or another proof is looked at
	MomentEnter Moment = "enter" // before a proof becomes a session or a grant: login, code, device
	// MomentStay is while a grant lives: refresh, introspection, userinfo, forward
	// auth. Lockout is not asked about: guessing somebody's password must not end
	// their sessions (docs/adr/0008-lockout-does-not-end-sessions.md).
	MomentStay Moment = "stay"
)

// Question is what the gate is asked.
type Question struct {
	Moment     Moment
	Directory  string // at MomentTry, with Name: the login name as it was given
	Name       string
	Subject    string // "" where the name is unknown, or where a client acts for itself
	Status     Status // of Subject, as storage has it now; "" where the user is gone
	System     string // the legacy system's instance, "" for OAuth endpoints
	Client     string
	RemoteAddr netip.Addr

	// StatusFirst lets the status decide at MomentTry already.
	StatusFirst bool
	// AllowUnverified lets an unverified user in.
	AllowUnverified bool

	Connector  string      // whose upstream vouches for Subject; "" for none
	Factor     FactorState // what there is of a second factor
	NeedFactor bool        // Client lets nobody in without one
	// Code says that it is a second factor that is tried: those failures count on their
	// own, so that a right password does not take back guesses at codes.
	Code bool

	wrongCode bool   // behind a right password: counts as wrong code, too
	verifier  string // that answered, for the event
	person    string // whom an upstream found: its failures count, too, for who is no user yet
}

// GateOptions configures a [Gate]. Zero values mean the defaults.
type GateOptions struct {
	Attempts Attempts
	// Failures is how many failed sign-ins within Window lock a user; default
	// 10, negative never. All login names of a user count as one, and an unknown
	// name is locked just like a known one.
	Failures int
	// SourceFailures is how many failed sign-ins within Window lock a source
	// address (an IPv6 /64); default 300, negative never. It is far above
	// Failures because all users of a legacy application arrive from one address.
	SourceFailures int
	Window         time.Duration // default 15 min
	// Networks are the source networks that a system may be called from; a
	// system that is not in it may be called from anywhere.
	Networks map[string][]netip.Prefix
	// NameKey hides unknown login names, which may be mistyped passwords, in
	// the keys of their failures. Replicas must share it. Default random: then
	// a restart forgets the failures of unknown names.
	NameKey []byte
	Factors FactorPolicy // who needs a second factor; nil for nobody but NeedFactor's
	Now     func() time.Time
}

// Gate is the one authority that every way in asks before it lets somebody
// in, or goes on letting them in. No path has a check of its own.
//
// A lockout holds while there were too many failures in the window that ends
// now; trying again while locked does not prolong it.
type Gate struct {
	attempts       Attempts
	failures       int
	sourceFailures int
	window         time.Duration
	networks       map[string][]netip.Prefix
	nameKey        []byte
	factors        FactorPolicy
	now            func() time.Time
	refusals       *throttle
}

// NewGate returns a gate.
func NewGate(o GateOptions) (*Gate, error) {
	if o.Attempts == nil || o.Now == nil || o.Window < 0 {
		return nil, errors.New("gate: Attempts and Now are needed, and Window must not be negative")
	}
	if o.Failures == 0 {
		o.Failures = 10
	}
	if o.SourceFailures == 0 {
		o.SourceFailures = 300
	}
	if o.Window == 0 {
		o.Window = 15 * time.Minute
	}
	if len(o.NameKey) == 0 {
		o.NameKey = make([]byte, sha256.Size)
		if _, err := rand.Read(o.NameKey); err != nil {
			return nil, fmt.Errorf("gate: %w", err)
		}
	}
	return &Gate{
		attempts: o.Attempts, failures: o.Failures, sourceFailures: o.SourceFailures,
		window: o.Window, networks: o.Networks, nameKey: o.NameKey, factors: o.Factors, now: o.Now,
		refusals: newThrottle(time.Minute, 1000),
	}, nil
}

// errSourceLocked is the cause of a lock that is not of a user or a name.
var errSourceLocked = errors.New("too many failures from this source")

// Ask returns nil, or a [*Failure] that says why not:
//
//   - invalid_client: System may not be called from RemoteAddr;
//   - locked: too many failures of this user, name or source (not at MomentStay:
//     guessing somebody's password must not end their sessions);
//   - unverified, disabled: the user's status (at MomentTry only with
//     StatusFirst);
//   - second_factor: it is needed and missing (not at MomentTry; at MomentStay
//     only where the client needs it);
//   - unavailable: the failures could not be counted.
//
// A question without Name and Subject, as one asks before the proof of a
// calling application, is about the source and the network alone.
//
// MomentStay costs no query.
func (g *Gate) Ask(ctx context.Context, q Question) error {
	if q.Moment == MomentStay {
		return g.askStay(&q)
	}
	_, err := g.ask(ctx, &q)
	return err
}

func (g *Gate) askStay(q *Question) error {
	if q.RemoteAddr.IsValid() {
		if err := g.askNetwork(q); err != nil {
			return err
		}
	}
	if err := askStatus(q); err != nil {
		return err
	}
	return askClientFactor(q)
}

// ask answers MomentTry and MomentEnter, and tells whether the user had failed
// within the window.
func (g *Gate) ask(ctx context.Context, q *Question) (failed bool, err error) {
	if err := g.askNetwork(q); err != nil {
		return false, err
	}
	failed, err = g.askLockout(ctx, q, 0)
	if err != nil {
		return failed, err
	}
	if q.Moment == MomentTry && (!q.StatusFirst || q.Subject == "") {
		return failed, nil
	}
	if err := askStatus(q); err != nil || q.Moment == MomentTry {
		return failed, err
	}
	return failed, g.askFactor(ctx, q)
}

func (g *Gate) askNetwork(q *Question) error {
	networks, limited := g.networks[q.System]
	if q.System == "" || !limited {
		return nil
	}
	addr := q.RemoteAddr.Unmap().WithZone("")
	for _, n := range networks {
		if n.Contains(addr) {
			return nil
		}
	}
	return Fail(ReasonInvalidClient, errors.New("system may not be called from this network"))
}

// askStatus lets a client that acts for itself (no subject) pass.
func askStatus(q *Question) error {
	switch {
	case q.Subject == "" && q.Status == "":
		return nil
	case q.Status == StatusActive || q.Status == StatusUnverified && q.AllowUnverified:
		return nil
	case q.Status == StatusUnverified:
		return Fail(ReasonUnverified, nil)
	}
	return Failf(ReasonDisabled, "status is %q", q.Status)
}

// askLockout counts failures, of which own are the asker's own.
func (g *Gate) askLockout(ctx context.Context, q *Question, own int) (failed bool, err error) {
	who, person, source := g.userKey(q), g.personKey(q), g.sourceKey(q)
	keys := make([]string, 0, 3)
	for _, k := range [...]string{who, person, source} {
		if k != "" {
			keys = append(keys, k)
		}
	}
	if len(keys) == 0 {
		return false, nil
	}
	counts, err := g.attempts.CountFailures(ctx, keys, g.now().Add(-g.window))
	if err != nil {
		return false, storageFailure(err)
	}
	switch {
	case who != "" && counts[who]-own >= g.failures, person != "" && counts[person]-own >= g.failures:
		return true, Fail(ReasonLocked, errors.New("too many failures of this user"))
	case source != "" && counts[source]-own >= g.sourceFailures:
		return false, Fail(ReasonLocked, errSourceLocked)
	}
	return who != "" && counts[who] > 0, nil
}
