package provider

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"keyway/provider/account"
	"keyway/provider/binding"
	"keyway/provider/exchange"
	"keyway/provider/federation"
	"keyway/provider/identity"
	"keyway/provider/keys"
	"keyway/provider/outbound"
	"keyway/provider/pages"
	"keyway/provider/registration"
	"keyway/provider/roles"
	"keyway/provider/secret"
)

// Gate is what the provider asks of [identity.Gate] before it goes on letting
// somebody in: at introspection, userinfo, refresh and every later legacy call.
type Gate interface {
	// Ask returns a [*identity.Failure] when the answer is no.
	Ask(ctx context.Context, q identity.Question) error
}

// AccountFinder finds a legacy system's account by that system's own id.
type AccountFinder interface {
	// FindAccountByID returns [identity.ErrNotFound] where there is none.
	FindAccountByID(ctx context.Context, system, id string) (*identity.Account, error)
}

// Options are what a [Provider] needs. Issuer, Storage, Users, SignIn, Gate,
// Secret and Pages have no default.
type Options struct {
	Issuer    string // of any host, port and path, without query and fragment
	Storage   Storage
	Users     identity.Users
	Accounts  AccountFinder          // default: Users, where it is one
	SignIn    identity.Authenticator // asks the gate itself
	Gate      Gate
	Secrets   secret.Verifier // for imported client secrets; nil refuses them
	Secret    []byte          // at least 32 random bytes, the same on every replica
	Now       func() time.Time
	Log       *slog.Logger
	Lifetimes Lifetimes
	Keys      keys.Policy
	Pages     *pages.Pages // what people see
	Directory string       // in which people sign in at the login page; default "default"
	// DetailTypes are the types of authorization_details (RFC 9396) that are
	// offered; a client may use those of them that it registered.
	DetailTypes []string
	PeerAddr    func(r *http.Request) netip.Addr // who sent a request; default: its peer
	Outbound    *outbound.Client                 // calls URIs that clients name; nil calls none, and nobody is told of sign-outs

	RequireDPoPNonce bool                  // refuse DPoP proofs without a nonce of ours
	Certificates     *binding.Certificates // how clients show theirs; nil where they cannot
	// Passwords lets people change theirs; nil where they cannot.
	Passwords account.Passwords
	// AppPasswords lets people have passwords for one legacy system each; nil where
	// they cannot.
	AppPasswords account.AppPasswords
	Factors      Factors
	// Registration lets clients register themselves; without storage, none can.
	// What the provider knows itself need not be set in it.
	Registration registration.Options
	// TrustedIssuers are those whose word on who a user is counts, in exchanges and
	// as a grant.
	TrustedIssuers []exchange.TrustedIssuer

	// Federation lets people sign in at upstreams; nil where they cannot.
	Federation *federation.Federation
	// Roles tells clients of people's roles; nil where there are none.
	Roles *roles.Teller

	// SignUpURL is where people make an account for themselves; "" where they
	// cannot.
	SignUpURL string
}

// Lifetimes say how long things live. Zero values mean the defaults.
type Lifetimes struct {
	Access       time.Duration // of access tokens; default 15 min
	IDToken      time.Duration // default 15 min
	Refresh      time.Duration // of refresh tokens, from their last use; default 30 d
	RefreshMax   time.Duration // of a chain of refresh tokens, from its grant; default 90 d
	RefreshGrace time.Duration // in which a used refresh token yields its successor again, twice at most; default 10 s, negative none
	ClientCache  time.Duration // of clients in memory; default 5 s
	Pushed       time.Duration // of pushed authorization requests, until somebody begins to sign in; default 90 s
	Code         time.Duration // of authorization codes; default 60 s
	Interaction  time.Duration // in which a sign-in must be finished; default 30 min
	SessionIdle  time.Duration // of a browser session that is not used; default 12 h
	SessionMax   time.Duration // of a browser session, however much it is used; default 7 d
}

func (o *Options) complete() error {
	u, err := url.Parse(o.Issuer)
	switch {
	case err != nil:
		return fmt.Errorf("issuer: %w", err)
	case u.Scheme != "http" && u.Scheme != "https", u.Host == "", u.User != nil, u.RawQuery != "", u.Fragment != "":
		return fmt.Errorf("issuer %q: must be an http or https URL without user, query and fragment", o.Issuer)
	case strings.HasSuffix(o.Issuer, "/"):
		return fmt.Errorf("issuer %q: must not end in a slash", o.Issuer)
	case o.Storage == nil, o.Users == nil, o.SignIn == nil, o.Gate == nil, o.Pages == nil:
		return errors.New("storage, users, sign-in, gate and pages must be given")
	case len(o.Secret) < 32:
		return errors.New("secret: must have at least 32 bytes")
	}
	if o.Accounts == nil {
		o.Accounts, _ = o.Users.(AccountFinder)
	}
	if o.Now == nil {
		return errors.New("now must be given")
	}
	if o.Directory == "" {
		o.Directory = "default"
	}
	if o.PeerAddr == nil {
		o.PeerAddr = peerAddr
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Lifetimes.complete()
	return o.Keys.Complete()
}

func (l *Lifetimes) complete() {
	orDefault(&l.Access, 15*time.Minute)
	orDefault(&l.IDToken, 15*time.Minute)
	orDefault(&l.Refresh, 30*24*time.Hour)
	orDefault(&l.RefreshMax, 90*24*time.Hour)
	orDefault(&l.RefreshGrace, 10*time.Second)
	orDefault(&l.ClientCache, 5*time.Second)
	orDefault(&l.Pushed, 90*time.Second)
	orDefault(&l.Code, time.Minute)
	orDefault(&l.Interaction, 30*time.Minute)
	orDefault(&l.SessionIdle, 12*time.Hour)
	orDefault(&l.SessionMax, 7*24*time.Hour)
}

func peerAddr(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return peer.Addr().Unmap()
}

func orDefault(d *time.Duration, def time.Duration) {
	if *d == 0 {
		*d = def
	}
}
