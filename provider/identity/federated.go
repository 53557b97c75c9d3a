package identity

import (
	"context"
	"errors"
	"time"
)

// Federated is somebody whom an upstream vouches for, as its connector's
// mapping reads what the upstream said. (Issuer, Subject) is who they are:
// nothing else, and above all no e-mail address, makes them one of our users.
type Federated struct {
	Connector string // the connector's id
	Issuer    string
	Subject   string // the upstream's, compared byte for byte

	// LoginName is the name by which they are found at legacy calls and in
	// lists. It must be nobody else's in its directory.
	LoginName     LoginName
	Names         []LoginName // further ones, in other directories
	Email         string
	EmailVerified bool
	Claims        map[string]any
	Accounts      []Account // in legacy systems; their Subject is filled when saved
	Roles         []string

	// Password is what signs them in here from now on, where nothing does yet; nil for
	// nothing.
	Password *Credential

	SID          string // of the upstream's session, for its back-channel logout
	RefreshToken []byte // of the upstream, sealed at rest; nil leaves the stored one

	AccessToken   []byte    // of the upstream, sealed at rest; nil leaves the stored one
	AccessExpires time.Time // zero where the upstream does not say
}

// Vouching is by whose word somebody is signed in; zero for a proof of our own.
type Vouching struct {
	Issuer  string // of the upstream
	Subject string // the upstream's
	SID     string // of the upstream's session; "" where it has none
	IDToken []byte // the hint when signing out there, sealed at rest; nil where it is not kept
}

// Link says that somebody at an upstream is a user of ours.
type Link struct {
	Connector       string
	Issuer          string
	UpstreamSubject string
	Subject         string // ours
	Origin          LinkOrigin
	Roles           []string
	RefreshToken    []byte // sealed at rest; nil for none
	AccessToken     []byte // sealed at rest; nil for none
	AccessExpires   time.Time
	LinkedAt        time.Time
	SeenAt          time.Time // when the upstream last vouched for them
	AskedBy         string    // the claim of whoever asks the upstream about them now; "" for nobody
	AskAt           time.Time // before which nobody else asks
	RefusedAt       time.Time // when the upstream stopped vouching for them; zero while it does
}

// LinkOrigin is how a link came to be.
type LinkOrigin string

// The origins of links.
const (
	LinkCreated LinkOrigin = "created" // the user was made for it; the upstream owns their claims
	LinkProved  LinkOrigin = "proved"  // the person proved both sides
	LinkByAdmin LinkOrigin = "admin"
)

// ErrLastWay says that a link is the only way in that somebody has.
var ErrLastWay = errors.New("the user has no other way in")

// Unlinking is a link that is to go.
type Unlinking struct {
	Subject         string // ours
	Issuer          string
	UpstreamSubject string
	// Others are the connectors by which a person could come in instead. Who has
	// neither a link of one of them nor a password here keeps this one, unless
	// Anyway is set.
	Others []string
	Anyway bool
	Event  *Event // of who did it; nil for one without more
}

// Links is what federation reads and writes of people.
type Links interface {
	// FindLink returns [ErrNotFound] where nobody is linked.
	FindLink(ctx context.Context, issuer, upstreamSubject string) (*Link, error)
	// ListLinks returns a user's links in the order of their connectors.
	ListLinks(ctx context.Context, subject string) ([]Link, error)
	// SaveFederated brings the user who is linked to f up to date: claims, e-mail,
	// login name and accounts where they were made for the link, else the link
	// alone. Where nobody is linked it makes a user, or with create false returns
	// [ErrNotFound]. A login name or account that is somebody else's is
	// [ErrConflict], and nothing is changed then.
	SaveFederated(ctx context.Context, f *Federated, create bool) (*SaveResult, error)
	// AddLink links a user who is there; [ErrConflict] where the person at the
	// upstream is linked already, [ErrNotFound] where there is no such user.
	AddLink(ctx context.Context, l *Link) error
	// RemoveLink unlinks, and ends the sessions and grants of the subject that came
	// by the link's connector. It is recorded as user_unlinked. [ErrNotFound] where
	// there is no such link of the subject, [ErrLastWay] where it has to stay.
	RemoveLink(ctx context.Context, u *Unlinking) error
}
