package federation

import (
	"context"
	"time"

	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// Claim is the right to ask an upstream about one person, which one has at a
// time of all replicas: the refresh token that is used for it may be good for
// once.
type Claim struct {
	ID      string // by chance
	Issuer  string
	Subject string    // the upstream's
	Until   time.Time // when others may claim it, whatever has become of the claimant
	Seen    time.Time // whom the upstream vouched for later than this needs no asking
}

// Followed is whom an upstream goes on vouching for. Where it said nothing of
// them, Person has only what is needed to keep the tokens.
type Followed struct {
	Claim  *Claim
	Person *identity.Federated
	Silent bool // the upstream said nothing of their claims
}

// Refusal is whom an upstream vouches for no more.
type Refusal struct {
	Claim     *Claim
	Connector string
	Subject   string // ours
	Made      bool   // the user was made for that upstream: without a password here, what they have otherwise ends, too
	Event     identity.Event
}

// Follows stores what becomes of people after they signed in. What ends a claim
// returns [identity.ErrNotFound] where it is not held any more: the person
// signed in meanwhile, or the claim was over.
type Follows interface {
	// ClaimLink returns the link as the claimant has it. It is
	// [identity.ErrConflict] while somebody else asks, or where the upstream vouched for the
	// person since c.Seen; [identity.ErrNotFound] where nobody is linked.
	ClaimLink(ctx context.Context, c *Claim) (*identity.Link, error)
	// KeepFollowed ends the claim, and brings the user up to date; with
	// [identity.ErrConflict], as [identity.Links] has it, nothing is changed.
	KeepFollowed(ctx context.Context, f *Followed) error
	// ReleaseLink ends the claim without an answer. Nobody asks before next; a
	// refresh token that the upstream gave nevertheless is kept.
	ReleaseLink(ctx context.Context, c *Claim, refresh []byte, next time.Time) error
	// EndFollowed ends the claim, the sessions and the grants of the subject that
	// came by the connector, and forgets the upstream's tokens.
	EndFollowed(ctx context.Context, r *Refusal) error
}

// Storage stores trips, and takes the word of upstreams on what is over.
type Storage interface {
	AddTrip(ctx context.Context, t *Trip) error
	// TakeTrip returns the trip and deletes it: of many at once, one gets it. It
	// returns [identity.ErrNotFound] for one that has expired, too.
	TakeTrip(ctx context.Context, hash [32]byte) (*Trip, error)
	// EndUpstream ends the browser sessions that the upstream names, with an event
	// like e for each of their people, and returns how many. Of many at once with
	// one id it obeys one, and tells the others [identity.ErrConflict].
	EndUpstream(ctx context.Context, l *upstream.Logout, e identity.Event) (int, error)
}
