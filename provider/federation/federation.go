package federation

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"keyway/provider/identity"
	"keyway/provider/upstream"
)

// Mapper says who a person of an upstream is here. Errors are
// [*upstream.Error].
type Mapper interface {
	Map(p *upstream.Person) (*identity.Federated, error)
}

// Connector is one upstream as people see it.
type Connector struct {
	ID       string
	Name     string             // on the button
	Upstream upstream.Connector // signs browsers in; nil where none is sent there
	Verifier upstream.Verifier  // judges passwords; nil where it cannot
	Follower upstream.Follower  // says what became of people; nil where it cannot
	Mapper   Mapper
	Domains  []string // login names that end in these go here; in lower case
	Posted   bool     // answers come by POST, and may be too long for a URL
	Create   bool     // users are made of people who come for the first time
	Hidden   bool     // no button, but for clients that name it
	Issuer   string   // of the upstream, where it has one alone; two connectors may lead there
	ByToken  bool     // Follower needs the refresh token
	Life     Life
}

// Trip is one trip of a browser to an upstream and back.
type Trip struct {
	Hash        [32]byte // of its state
	Connector   string
	Browser     [32]byte // of the cookie of the browser that began it
	Interaction string   // where it goes on afterwards
	Subject     string   // who is linking themselves; "" for a sign-in
	Session     [32]byte // their browser session; zero for a sign-in
	Fresh       bool     // the person has to prove themselves now
	CreatedAt   time.Time
	ExpiresAt   time.Time
}

// Options are what a [Federation] needs; all but Lifetime must be given.
type Options struct {
	Connectors []Connector // in the order in which they are offered
	Storage    Storage
	Links      identity.Links
	Follows    Follows // default: Storage, where it is one
	Key        []byte  // 32 bytes, the same on every replica
	Now        func() time.Time
	Lifetime   time.Duration // of a trip; default 15 min
	Log        *slog.Logger  // default: none
}

// Federation is all connectors.
type Federation struct{ options Options }

// maxState is the longest state that is looked up, in bytes.
const maxState = 128

// New returns a Federation.
func New(o Options) (*Federation, error) {
	if o.Follows == nil {
		o.Follows, _ = o.Storage.(Follows)
	}
	if o.Storage == nil || o.Links == nil || o.Follows == nil || len(o.Key) < 32 || o.Now == nil {
		return nil, errors.New("federation: storage, links, key and clock must be given")
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Lifetime <= 0 {
		o.Lifetime = 15 * time.Minute
	}
	ids, domains := map[string]bool{}, map[string]bool{}
	o.Connectors = slices.Clone(o.Connectors)
	for i, c := range o.Connectors {
		o.Connectors[i].Life.complete()
		if c.ID == "" || url.PathEscape(c.ID) != c.ID || c.Upstream == nil && c.Verifier == nil || c.Mapper == nil || ids[c.ID] {
			return nil, fmt.Errorf("federation: connector %q: its id is no path segment or is there twice, or something is missing", c.ID)
		}
		ids[c.ID] = true
		for _, d := range c.Domains {
			if domains[d] || d != strings.ToLower(d) {
				return nil, fmt.Errorf("federation: domain %q belongs to two connectors, or is not in lower case", d)
			}
			domains[d] = true
		}
	}
	return &Federation{options: o}, nil
}

// Find returns nil where there is no such connector.
func (f *Federation) Find(id string) *Connector {
	if f == nil {
		return nil
	}
	i := slices.IndexFunc(f.options.Connectors, func(c Connector) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &f.options.Connectors[i]
}

// Offered are the connectors with a button that the client may use; an empty
// list allows all.
func (f *Federation) Offered(allowed []string) []Connector {
	if f == nil {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(f.options.Connectors), func(c Connector) bool {
		return c.Upstream == nil || c.Hidden && len(allowed) == 0 || len(allowed) > 0 && !slices.Contains(allowed, c.ID)
	})
}

// ForName returns the connector that a login name's domain belongs to, nil for
// none.
func (f *Federation) ForName(name string) *Connector {
	at := strings.LastIndexByte(name, '@')
	if f == nil || at < 0 {
		return nil
	}
	domain := identity.FoldName(strings.TrimSpace(name[at+1:])) // as it is looked up
	for i := range f.options.Connectors {
		if c := &f.options.Connectors[i]; c.Upstream != nil && slices.Contains(c.Domains, domain) {
			return c
		}
	}
	return nil
}

// AsksNames reports whether a name may lead to an upstream.
func (f *Federation) AsksNames() bool {
	return f != nil && slices.ContainsFunc(f.options.Connectors, func(c Connector) bool { return c.Upstream != nil && len(c.Domains) > 0 })
}

// Departure is what a trip begins with.
type Departure struct {
	Trip      Trip // without Hash and times
	LoginHint string
	Prompt    string
	ACRValues []string
	Locales   string
}

// Begin stores a trip, and returns where the browser goes. Errors are
// [*upstream.Error] or those of storage.
func (f *Federation) Begin(ctx context.Context, d Departure) (string, error) {
	c := f.Find(d.Trip.Connector)
	if c == nil || c.Upstream == nil {
		return "", upstream.Fail(upstream.Refused, "there is no such connector")
	}
	state, now := rand.Text()+rand.Text(), f.options.Now()
	a := f.attempt(state, d.Trip.Fresh)
	a.LoginHint, a.Prompt, a.ACRValues, a.Locales = d.LoginHint, d.Prompt, d.ACRValues, d.Locales
	to, err := c.Upstream.AuthCodeURL(ctx, a) // before anything is stored: an upstream that is away leaves nothing behind
	if err != nil {
		return "", err
	}
	d.Trip.Hash, d.Trip.CreatedAt, d.Trip.ExpiresAt = sha256.Sum256([]byte(state)), now, now.Add(f.options.Lifetime)
	return to, f.options.Storage.AddTrip(ctx, &d.Trip)
}

// attempt derives the secrets of a trip from its state.
func (f *Federation) attempt(state string, fresh bool) *upstream.Attempt {
	derive := func(what string) string {
		mac := hmac.New(sha256.New, f.options.Key)
		mac.Write([]byte("keyway upstream " + what + "\x00" + state))
		return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	return &upstream.Attempt{State: state, Nonce: derive("nonce"), Verifier: derive("verifier"), Fresh: fresh}
}

// Arrival is who came back.
type Arrival struct {
	Trip    *Trip
	Person  *upstream.Person
	Roles   []string
	Subject string // the user of ours
	Created bool   // they were made by this very sign-in
	Hint    []byte // the ID token, where it is needed to sign out at the upstream; else nil
}

// Visitor is the browser that comes back.
type Visitor struct {
	Browser [32]byte // the hash of its cookie
	Session [32]byte // that of its session; zero where nobody is signed in
}

// Return judges what a browser brings back to the path of one connector. Errors are [*upstream.Error] or those of
// storage. Where an Arrival is returned with one, there was a trip, which is over;
// it is in it where it was this browser's.
func (f *Federation) Return(ctx context.Context, connector string, v Visitor, answer url.Values) (*Arrival, error) {
	state := answer.Get("state")
	if state == "" {
		state = answer.Get("RelayState")
	}
	if state == "" || len(state) > maxState {
		return nil, upstream.Fail(upstream.Untrusted, "the answer has no state, or one that is too long")
	}
	trip, err := f.options.Storage.TakeTrip(ctx, sha256.Sum256([]byte(state)))
	if errors.Is(err, identity.ErrNotFound) {
		return nil, upstream.Fail(upstream.Untrusted, "no trip has this state; it was used before, or has expired")
	}
	if err != nil {
		return nil, err
	}
	a := &Arrival{Trip: trip}
	c := f.Find(connector)
	switch {
	case trip.Browser != v.Browser:
		return &Arrival{}, upstream.Fail(upstream.Untrusted, "another browser began this trip") // who is here learns nothing of it
	case c == nil || c.Upstream == nil || trip.Connector != connector:
		return a, upstream.Fail(upstream.Untrusted, "the answer came to the path of another connector (mix-up)")
	case trip.Subject != "" && trip.Session != v.Session:
		return a, upstream.Fail(upstream.Untrusted, "who began to link themselves is not signed in any more")
	}
	if a.Person, err = c.Upstream.Exchange(ctx, f.attempt(state, trip.Fresh), answer); err != nil {
		return a, err
	}
	return a, f.admit(ctx, c, a)
}

// admit finds or makes the user.
func (f *Federation) admit(ctx context.Context, c *Connector, a *Arrival) error {
	who, err := c.Mapper.Map(a.Person)
	if err != nil {
		return err
	}
	c.keepToken(who, a.Person)
	a.Roles, a.Hint = who.Roles, c.hint(a.Person)
	if a.Trip.Subject != "" {
		return f.link(ctx, c, a, who)
	}
	saved, err := f.options.Links.SaveFederated(ctx, who, c.Create)
	switch {
	case errors.Is(err, identity.ErrConflict):
		return &upstream.Error{Kind: upstream.Collision, Err: err}
	case errors.Is(err, identity.ErrNotFound):
		return upstream.Fail(upstream.Unknown, "nobody here is linked to this person, and the connector makes no users")
	case err != nil:
		return err
	}
	a.Subject, a.Created = saved.Subject, saved.Change == identity.ChangeCreated
	return nil
}
