package registration

import (
	"context"
	"crypto/sha256"
	"errors"
	"time"

	"keyway/provider/client"
	"keyway/provider/identity"
	"keyway/provider/secret"
)

// The prefixes by which secret scanners recognise the tokens of this package.
const (
	invitationPrefix = "kw_ri_"
	accessPrefix     = "kw_ra_"
)

// Hash is the SHA-256 of a whole token. Storage never sees the token itself.
type Hash [sha256.Size]byte

func hashOf(token string) Hash { return sha256.Sum256([]byte(token)) }

// Invitation is an initial access token (RFC 7591, section 1.2): it lets its
// holder register clients.
type Invitation struct {
	Hash      Hash
	ID        string   // public
	Note      string   // whom it was made for
	Scopes    []string // a ceiling below the policy's; nil for none
	MaxUses   int
	Uses      int
	CreatedAt time.Time
	ExpiresAt time.Time
}

// NewInvitation completes i and returns its token, to be shown once.
func NewInvitation(i *Invitation) (token string) {
	token = secret.Token(invitationPrefix)
	i.Hash, i.ID = hashOf(token), "inv_"+secret.ID()[:12]
	return token
}

// live reports whether a client may still be registered by i.
func (i *Invitation) live(now time.Time) bool { return i.Uses < i.MaxUses && now.Before(i.ExpiresAt) }

// Entry is one registration, written in one transaction or not at all.
type Entry struct {
	Client     *client.Client
	Invitation *Hash // the one that is used; nil where none is needed
	MaxClients int   // that may be registered at a time
	Event      identity.Event
}

// ErrFull says that no more clients may be registered.
var ErrFull = errors.New("as many clients are registered as may be")

// Storage is what registration stores.
type Storage interface {
	// FindClient returns [identity.ErrNotFound] where there is none.
	FindClient(ctx context.Context, id string) (*client.Client, error)
	// FindInvitation returns the invitation, whatever its state, or
	// [identity.ErrNotFound].
	FindInvitation(ctx context.Context, h Hash) (*Invitation, error)
	// RegisterClient stores a client. It returns [identity.ErrConflict] where the
	// invitation was used up or has expired, and [ErrFull].
	RegisterClient(ctx context.Context, n *Entry) error
	// ChangeClient lets change turn a client that registered itself into what it
	// shall be, and stores e with it. No other change comes in between.
	// [identity.ErrNotFound] where there is none; an error of change as it is.
	ChangeClient(ctx context.Context, id string, change func(*client.Client) error, e identity.Event) error
}
