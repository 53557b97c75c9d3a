package provider

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gin-gonic/gin"

	"keyway/provider/identity"
	"keyway/provider/logout"
	"keyway/provider/secret"
	"keyway/provider/visit"
	"keyway/provider/wire"
)

// maxUserAgent is how much of User-Agent is kept, in bytes.
const maxUserAgent = 256

// touchEvery says how stale the last use of a session may be: noting each
// would make every request a write.
const touchEvery = 5 * time.Minute

// formToken is what the forms of a page carry, while s is signed in.
func (p *Provider) formToken(c *gin.Context, page string, s *BrowserSession) string {
	return p.visits.FormToken(c, page, keyOf(s))
}

func keyOf(s *BrowserSession) []byte {
	if s == nil {
		return nil
	}
	return s.Hash[:]
}

// checkForm refuses a form that was not made for this browser, this page and
// this session.
func (p *Provider) checkForm(c *gin.Context, page, token string, s *BrowserSession) error {
	return p.visits.CheckForm(c, page, token, keyOf(s))
}

// session returns the session of the browser, nil where nobody is signed in.
func (p *Provider) session(c *gin.Context) (*BrowserSession, error) {
	value := p.visits.Cookie(c, visit.SessionCookie)
	if value == "" {
		return nil, nil
	}
	ctx, now := c.Request.Context(), p.options.Now()
	s, err := p.options.Storage.FindSession(ctx, HashToken(value))
	switch {
	case errors.Is(err, identity.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, wire.Outage(err)
	case !p.lives(s, now), s.Connector != "" && p.options.Federation.Find(s.Connector) == nil:
		return nil, nil
	}
	err = p.options.Gate.Ask(ctx, identity.Question{Moment: identity.MomentStay, Subject: s.Subject, Status: s.UserStatus})
	if reason := identity.ReasonOf(err); reason == identity.ReasonUnavailable || reason == identity.ReasonInternal {
		return nil, err
	} else if err != nil {
		return nil, nil //nolint:nilerr // who may not stay is not signed in
	}
	if now.Sub(s.SeenAt) >= min(touchEvery, p.options.Lifetimes.SessionIdle/4) {
		if err := p.options.Storage.TouchSession(ctx, s.Hash, now); err != nil {
			return nil, wire.Outage(err)
		}
	}
	return s, nil
}

func (p *Provider) lives(s *BrowserSession, now time.Time) bool {
	return now.Before(s.ExpiresAt) && now.Sub(s.SeenAt) < p.options.Lifetimes.SessionIdle
}

// signIn starts a session under a new random id (against session fixation).
// Somebody who signs in once more keeps what is public of it.
func (p *Provider) signIn(c *gin.Context, who *identity.Identity, i *Interaction, client string) error {
	old, err := p.session(c)
	if err != nil {
		return err
	}
	now, value := p.options.Now(), secret.ID()+secret.ID()
	agent := c.Request.UserAgent()
	x := &SessionStart{
		Session: BrowserSession{
			Hash: HashToken(value), ID: secret.ID(), Subject: who.User.Subject, AMR: who.AMR,
			Connector: who.Connector, ACR: who.ACR, UserAgent: agent[:min(len(agent), maxUserAgent)],
			AuthTime: who.AuthTime, CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(p.options.Lifetimes.SessionMax),
		},
		Interaction: i, Event: p.event(c, "login", who.User.Subject),
	}
	if len(x.Session.AMR) == 0 && who.Connector == "" {
		x.Session.AMR = []string{"pwd"}
	}
	x.Session.RemoteAddr, x.Event.ClientID, x.Event.Directory, x.Event.Connector = x.Event.RemoteAddr, client, p.options.Directory, who.Connector
	if old != nil {
		x.Replaces = old.Hash
		if old.Subject == who.User.Subject {
			x.Session.ID, x.Session.CreatedAt = old.ID, old.CreatedAt
		}
	}
	if i.Subject != who.User.Subject {
		i.Decision = ""
	}
	i.Subject, i.SignedIn = who.User.Subject, now
	err = p.options.Storage.StartSession(c.Request.Context(), x)
	if err != nil {
		return goneOrOutage(err)
	}
	p.visits.SetCookie(c, visit.SessionCookie, value)
	return nil
}

// event is one that a person at a browser causes.
func (p *Provider) event(c *gin.Context, kind, subject string) identity.Event {
	e := identity.Event{At: p.options.Now(), Kind: kind, Subject: subject, RequestID: c.GetString(wire.RequestID)}
	if addr := p.options.PeerAddr(c.Request); addr.IsValid() {
		e.RemoteAddr = addr.Unmap().String()
	}
	return e
}

// endSession signs the browser out, and returns what frames have to load so that
// clients see to it too.
func (p *Provider) endSession(c *gin.Context, s *BrowserSession) ([]string, error) {
	e := p.event(c, "logout", s.Subject)
	return p.endSessions(c, s, SessionQuery{Subject: s.Subject, ID: s.ID, Event: &e})
}

// endSessions ends sessions that s is one of.
func (p *Provider) endSessions(c *gin.Context, s *BrowserSession, q SessionQuery) ([]string, error) {
	left, err := p.options.Storage.EndSessions(c.Request.Context(), q)
	if err != nil {
		return nil, wire.Outage(err)
	}
	p.visits.SetCookie(c, visit.SessionCookie, "")
	var frames []string
	for _, l := range left {
		if l.SID != s.ID {
			continue
		}
		client, err := p.liveClient(c.Request.Context(), l.ClientID)
		if err == nil && client.FrontchannelLogoutURI != "" {
			frames = append(frames, logout.FrameURI(client.FrontchannelLogoutURI, p.options.Issuer, p.subjectFor(client, s.ID)))
		}
	}
	slices.Sort(frames)
	return slices.Compact(frames), nil
}

// beginInteraction stores the request of a person who has to sign in or to
// decide first, and returns the interaction's id.
func (p *Provider) beginInteraction(c *gin.Context, i Interaction) (string, error) {
	now, id := p.options.Now(), secret.ID()+secret.ID()
	i.Hash, i.Browser, i.Source = HashToken(id), HashToken(p.visits.Browser(c)), p.source(c)
	i.CreatedAt, i.ExpiresAt = now, now.Add(p.options.Lifetimes.Interaction)
	if err := p.options.Storage.AddInteraction(c.Request.Context(), &i); err != nil {
		return "", goneOrOutage(err)
	}
	return id, nil
}

// source is where a request comes from, to count what is open by: an address, or
// the network of 64 bits that one customer has of IPv6; "" where it is not known.
func (p *Provider) source(c *gin.Context) string {
	addr := p.options.PeerAddr(c.Request).Unmap()
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	network, err := addr.WithZone("").Prefix(bits)
	if err != nil || !addr.IsValid() {
		return ""
	}
	return network.String()
}

// interaction finds one that this browser began. It returns one that was answered
// before together with errAnswered.
func (p *Provider) interaction(c *gin.Context, id string) (*Interaction, error) {
	i, err := p.options.Storage.FindInteraction(c.Request.Context(), HashToken(id))
	if err != nil {
		return nil, goneOrOutage(err)
	}
	if HashToken(p.visits.Cookie(c, visit.BrowserCookie)) != i.Browser {
		return nil, &wire.Error{Status: http.StatusForbidden, Code: "wrong_browser", Cause: errors.New("another browser began this sign-in")}
	}
	if !i.EndedAt.IsZero() {
		return i, errAnswered
	}
	return i, nil
}

// goneOrOutage is for what an interaction needs and storage did not give.
func goneOrOutage(err error) error {
	if errors.Is(err, identity.ErrNotFound) {
		return interactionGone(err)
	}
	return wire.Outage(err)
}

// errAnswered is why nobody can go on with an interaction that was answered:
// they clicked twice, or went back.
var errAnswered = &wire.Error{Status: http.StatusBadRequest, Code: "interaction_answered", Cause: errors.New("the interaction was answered before")}

func interactionGone(cause error) error {
	return &wire.Error{Status: http.StatusBadRequest, Code: "interaction_expired", Cause: cause}
}

// request parses the authorization request of an interaction anew; nil for
// one that has none.
func (p *Provider) request(ctx context.Context, i *Interaction) (*authorization, error) {
	if i.Query == "" || i.Purpose != "" {
		return nil, nil
	}
	values, err := url.ParseQuery(i.Query)
	if err != nil {
		return nil, err
	}
	client, err := p.authorizingClient(ctx, values)
	if err != nil {
		return nil, err
	}
	a, err := p.judge(client, values)
	if a != nil && i.Pushed != (Hash{}) {
		a.pushed = &i.Pushed
	}
	return a, err
}
