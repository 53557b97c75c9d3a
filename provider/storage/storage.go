package storage

import (
	"context"
	"crypto/sha256"
	"time"

	"keyway/provider/client"
	"keyway/provider/device"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/logout"
)

// Hash is the SHA-256 of a whole token, code or request URI. Storage never
// sees the value itself.
type Hash [32]byte

// HashOf is the key under which a token of any format is stored: of the whole
// string, so that no part of it is enough.
func HashOf(value string) Hash { return sha256.Sum256([]byte(value)) }

// TokenKind tells access from refresh tokens.
type TokenKind string

// The kinds of stored tokens.
const (
	KindAccess  TokenKind = "access"
	KindRefresh TokenKind = "refresh"
)

// GrantRecord is one stored grant: what a user (or a client for itself)
// allowed a client. Its tokens are valid only while it is not revoked, so
// revoking is one update.
type GrantRecord struct {
	ID           string // also fosite's request id
	ClientID     string
	Subject      string // "" when the client acts for itself
	Origin       string // "password", "client_credentials", "authorization_code", ...
	System       string // the legacy system instance that asked, "" for OAuth endpoints
	Scopes       []string
	Audience     []string
	Session      []byte // versioned JSON
	Connector    string // whose upstream vouched for the subject; "" for none
	AuthTime     time.Time
	CreatedAt    time.Time
	ExpiresAt    time.Time // the latest moment any of its tokens may live
	RevokedAt    time.Time // zero while it is live
	RevokeReason string
}

// TokenRecord is one stored token.
type TokenRecord struct {
	Hash        Hash
	GrantID     string
	Kind        TokenKind
	Scopes      []string // nil: the grant's
	Audience    []string // nil: the grant's
	IssuedAt    time.Time
	ExpiresAt   time.Time
	Used        bool      // a refresh token that was rotated
	FirstUsedAt time.Time // when it was rotated first; zero before
	Pair        Hash      // on a refresh token: the access token born with it
	Claims      []byte    // on a re-mintable legacy token: its claims, as signed
}

// StoredToken is a token with everything needed to judge it, read at once.
type StoredToken struct {
	Token      TokenRecord
	Grant      GrantRecord
	UserStatus identity.Status // "" when the grant has no subject or its user is gone
}

// Scopes are what the token may do, which may be less than its grant.
func (st *StoredToken) Scopes() []string {
	if st.Token.Scopes != nil {
		return st.Token.Scopes
	}
	return st.Grant.Scopes
}

// Audience are those whom the token is for, who may be fewer than its grant's.
func (st *StoredToken) Audience() []string {
	if st.Token.Audience != nil {
		return st.Token.Audience
	}
	return st.Grant.Audience
}

// Issue is everything one token request writes. It is written in one
// transaction or not at all.
type Issue struct {
	NewGrant *GrantRecord    // nil when the grant exists already
	GrantID  string          // the grant that must be there and not revoked; always set
	Parent   string          // the grant that the new one was made of, which must be there and not revoked, and with which the new one ends; "" for none
	Session  []byte          // when not nil, replaces the session of an existing grant
	Extend   time.Time       // when not zero, moves an existing grant's ExpiresAt to the later of both
	Rotate   *Hash           // the refresh token that is used up by this request
	Grace    time.Duration   // a rotated token may be presented again for so long, twice at most
	Repeated *identity.Event // when not nil, stored where a rotated token was presented again and accepted
	Tokens   []TokenRecord   // inserted; a refresh token whose hash is there already (a retry within grace) is left as it is
	Events   []identity.Event

	Code   *CodeRecord // inserted
	Redeem *Hash       // the authorization code that is used up by this request
	// AllowDevice is the device code that the new grant is for, and RedeemDevice
	// the one that is used up by this request.
	AllowDevice, RedeemDevice *Hash
	Interaction               *Hash    // the interaction that ends with this request
	Pushed                    *Hash    // the pushed authorization request that is used up by this request
	Consent                   *Consent // remembered, beside what an earlier one allowed
	Browser                   *Hash    // the browser session that must still be there
	SID                       string   // public id of the browser session that the new grant is made in, and may end with; "" for none
	Remembered                bool     // the user's consent to the new grant's client must still be there
}

// CodeRecord is one authorization code (RFC 6749, section 4.1.2). It is stored
// with its grant, so that what ends the grant ends the code.
type CodeRecord struct {
	Hash        Hash
	GrantID     string
	RedirectURI string // as the request had it; "" when it had none
	Challenge   string // of PKCE, by S256 (RFC 7636, section 4.2)
	IssuedAt    time.Time
	ExpiresAt   time.Time
	Used        bool
}

// StoredCode is a code with everything needed to judge it, read at once.
type StoredCode struct {
	Code       CodeRecord
	Grant      GrantRecord
	UserStatus identity.Status // "" when its user is gone
}

// TokenStorage stores grants and their tokens.
type TokenStorage interface {
	// Issue writes x. It returns [identity.ErrConflict] when x.Rotate was used
	// before (and the grace is over, or it was presented again too often), its
	// successor was used, or it has expired, when an access token is stored already,
	// when x.Redeem or x.RedeemDevice was used or has expired, when x.AllowDevice is not
	// pending, or when x.Interaction or x.Pushed has ended; and
	// [identity.ErrNotFound] when the grant is revoked or gone; a new grant of a
	// user who is disabled or deleted is a [*identity.Failure] with
	// [identity.ReasonDisabled]. Rotating also
	// ends the access token paired with the rotated token; rotating again, the
	// one paired with its successor, whose place the new one takes. An issue may have
	// nothing but Events: they are kept only if the grant is live.
	Issue(ctx context.Context, x *Issue) error
	// FindToken returns the token and its grant, whatever their state, or
	// [identity.ErrNotFound].
	FindToken(ctx context.Context, h Hash) (*StoredToken, error)
	// FindReusable returns the access token of (client, subject) with stored
	// Claims that was issued last, is not revoked and lives beyond at; or
	// [identity.ErrNotFound].
	FindReusable(ctx context.Context, clientID, subject string, at time.Time) (*StoredToken, error)
	// Revoke revokes what the query selects and returns how many grants that
	// were live it ended. It is idempotent.
	Revoke(ctx context.Context, q RevokeQuery) (int, error)
}

// GrantStorage reads grants.
type GrantStorage interface {
	// FindGrant returns the grant, whatever its state, with that of its tokens
	// which lives longest, or [identity.ErrNotFound].
	FindGrant(ctx context.Context, id string) (*StoredToken, error)
}

// CodeStorage reads authorization codes; [TokenStorage] writes them.
type CodeStorage interface {
	// FindCode returns the code and its grant, whatever their state, or
	// [identity.ErrNotFound].
	FindCode(ctx context.Context, h Hash) (*StoredCode, error)
}

// StoredDevice is a device authorization with everything needed to judge it,
// read at once.
type StoredDevice struct {
	Device     device.Record
	Grant      GrantRecord     // zero until a person allowed it
	UserStatus identity.Status // "" when there is no grant, or its user is gone
}

// DeviceStorage stores device authorizations; [TokenStorage] allows and redeems
// them.
type DeviceStorage interface {
	device.Storage
	// FindDeviceGrant returns the record of a device code and its grant, whatever
	// their state, or [identity.ErrNotFound].
	FindDeviceGrant(ctx context.Context, h Hash) (*StoredDevice, error)
}

// Interaction is an authorization request while its user signs in and consents.
type Interaction struct {
	Hash      Hash      // of its id
	Browser   Hash      // of the cookie of the browser that began it
	Purpose   string    // "device" for somebody who came to let a device in
	Source    string    // the address that it came from, or its network; "" for none
	Query     string    // the parameters of the request, or the user code of a device's link; "" for somebody who came to see the account page
	Pushed    Hash      // of the request_uri that the request was pushed under; zero for none
	Device    Hash      // of the device code whose user code they entered; zero before
	Subject   string    // who signed in or decided within it; "" before
	SignedIn  time.Time // when they signed in within it; zero before
	Decision  string    // what they decided about consent: "", "allow" or "deny"
	Chosen    string    // with which account they go on: "", "this", "other" or "create"
	CreatedAt time.Time
	ExpiresAt time.Time
	EndedAt   time.Time // when it was answered; zero before
}

// How many interactions one browser, and one source, may have open, and how many
// pushed requests of public clients one source: with one more, the oldest goes.
const (
	MaxInteractionsPerBrowser = 20
	MaxInteractionsPerSource  = 1000
	MaxPushedPerSource        = 200
)

// InteractionStorage stores interactions. What has expired is not there.
type InteractionStorage interface {
	// AddInteraction returns [identity.ErrNotFound] where its pushed request has
	// ended.
	AddInteraction(ctx context.Context, i *Interaction) error
	// FindInteraction returns [identity.ErrNotFound] where there is none. One
	// that has ended is there for two minutes.
	FindInteraction(ctx context.Context, h Hash) (*Interaction, error)
	// UpdateInteraction stores Subject, SignedIn, Decision, Chosen and Device;
	// [identity.ErrNotFound] where there is none, or where it has ended.
	UpdateInteraction(ctx context.Context, i *Interaction) error
	// EndInteraction returns [identity.ErrNotFound] where it has ended before.
	EndInteraction(ctx context.Context, h Hash) error
}

// PushedRequest is an authorization request that a client pushed (RFC 9126).
type PushedRequest struct {
	Hash      Hash // of its request_uri
	ClientID  string
	Source    string // of a public client: the address that it came from, or its network; else ""
	Query     string // its parameters, without credentials
	ExpiresAt time.Time
}

// PushedStorage stores pushed requests.
type PushedStorage interface {
	AddPushed(ctx context.Context, r *PushedRequest) error
	// FindPushed returns [identity.ErrNotFound] where there is none, or where it
	// has expired or ended.
	FindPushed(ctx context.Context, h Hash) (*PushedRequest, error)
	// EndPushed returns [identity.ErrNotFound] where it has ended before. A
	// request that somebody signs in for can be ended after it has expired.
	EndPushed(ctx context.Context, h Hash) error
}

// BrowserSession is a browser in which somebody is signed in.
type BrowserSession struct {
	Hash       Hash   // of its cookie
	ID         string // public: the claim sid
	Subject    string
	AMR        []string // RFC 8176
	Connector  string   // whose upstream vouched for them; "" for our own login page
	ACR        string   // what that upstream said of how; "" where it did not, and for our own login page
	UserAgent  string
	RemoteAddr string
	AuthTime   time.Time
	FactorAt   time.Time // when they proved a second factor, to us or to an upstream that is believed; zero for not
	CreatedAt  time.Time
	SeenAt     time.Time // about the last time that it was used
	ExpiresAt  time.Time // however much it is used

	Upstream   identity.Vouching
	UserStatus identity.Status // as storage has it now; not stored here
}

// SessionStart is what a sign-in with a browser writes, in one transaction.
type SessionStart struct {
	Session     BrowserSession
	Replaces    Hash         // the browser's session until now; zero for none
	Interaction *Interaction // updated; nil for none
	Event       identity.Event
}

// SessionQuery selects browser sessions to end.
type SessionQuery struct {
	Subject string
	ID      string // of one session; "" for all of the subject's
	Grants  bool   // also revoke every grant of the subject
	Event   *identity.Event
}

// SessionClient is a client that a person came to in a browser session.
type SessionClient struct {
	SID      string // "" where a grant of no session was all that the client had
	ClientID string
	Subject  string
}

// SessionStorage stores browser sessions. Whatever ends one revokes the grants
// that were made in it, but for those with offline_access, and leaves a notice
// for each of its clients that wants to be told (package logout), in the same
// transaction.
type SessionStorage interface {
	// StartSession returns [identity.ErrNotFound] where the interaction has
	// ended, and a [*identity.Failure] where the user was disabled meanwhile. It
	// ends the session that s replaces, unless that goes on under its public id.
	StartSession(ctx context.Context, s *SessionStart) error
	// FindSession returns the session, be it expired or not, or [identity.ErrNotFound].
	FindSession(ctx context.Context, h Hash) (*BrowserSession, error)
	// TouchSession notes that the session was used.
	TouchSession(ctx context.Context, h Hash, at time.Time) error
	// EndSessions is idempotent. It returns the clients of what ended.
	EndSessions(ctx context.Context, q SessionQuery) ([]SessionClient, error)
}

// Consent is what a user allowed a client for good.
type Consent struct {
	Subject  string
	ClientID string
	Scopes   []string
	GivenAt  time.Time
}

// AccountStorage is what a user sees of what is stored about them.
type AccountStorage interface {
	// ListSessions returns the browser sessions of a subject that have not
	// expired, the last one used first.
	ListSessions(ctx context.Context, subject string) ([]BrowserSession, error)
	// FindConsent returns [identity.ErrNotFound] where there is none.
	FindConsent(ctx context.Context, subject, client string) (*Consent, error)
	// ListConsents returns a subject's consents in the order of the clients' ids.
	ListConsents(ctx context.Context, subject string) ([]Consent, error)
	// RevokeConsent forgets the consent and revokes the client's grants of
	// that subject. It is idempotent.
	RevokeConsent(ctx context.Context, subject, client string, e *identity.Event) error
}

// RevokeQuery selects grants to revoke: by exactly one of its first three
// fields.
type RevokeQuery struct {
	GrantID  string
	Subject  string
	ClientID string
	Reason   string
	At       time.Time
	Event    *identity.Event // stored in the same transaction; may be nil
}

// ClientStorage stores clients.
type ClientStorage interface {
	// FindClient returns [identity.ErrNotFound] where there is none.
	FindClient(ctx context.Context, id string) (*client.Client, error)
	// SaveClient inserts or replaces; saving an equal client changes nothing. A
	// change is recorded as client_saved, as a deletion is as client_deleted.
	SaveClient(ctx context.Context, c *client.Client) error
	// ListClients returns all clients in the order of their ids.
	ListClients(ctx context.Context) ([]*client.Client, error)
	// DeleteClient deletes the client and revokes its grants;
	// [identity.ErrNotFound] where there is none.
	DeleteClient(ctx context.Context, id string) error
}

// ReplayStorage remembers identifiers that may be used once.
type ReplayStorage interface {
	// RememberOnce stores (namespace, id) until expires and returns
	// [identity.ErrConflict] if it is stored already.
	RememberOnce(ctx context.Context, namespace, id string, expires time.Time) error
}

// Storage is all that a provider stores.
type Storage interface {
	TokenStorage
	GrantStorage
	CodeStorage
	DeviceStorage
	InteractionStorage
	PushedStorage
	SessionStorage
	AccountStorage
	ClientStorage
	ReplayStorage
	identity.Attempts
	keys.Storage
	logout.Queue
	// RecordEvent stores an event of its own.
	RecordEvent(ctx context.Context, e identity.Event) error
	// Ping reports whether the database answers.
	Ping(ctx context.Context) error
}
